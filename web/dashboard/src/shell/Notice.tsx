import type { ReactNode } from "react";

export type NoticeKind = "loading" | "empty" | "error";

interface Props {
  readonly kind: NoticeKind;
  readonly children: ReactNode;
  readonly onRetry?: (() => void) | undefined;
}

const GLYPHS: Readonly<Record<NoticeKind, string>> = { loading: "", empty: "○", error: "!" };

/** In place of what a panel can't show: it is being asked for, there is none, or it failed, and what to do. */
export function Notice({ kind, children, onRetry }: Props) {
  return (
    <div className="notice" data-kind={kind} role={kind === "error" ? "alert" : undefined}>
      <span className="notice-glyph" aria-hidden="true">{GLYPHS[kind]}</span>
      <p>{children}</p>
      {onRetry && <button type="button" onClick={onRetry}>Try again</button>}
    </div>
  );
}

/** Over figures that are not of now. */
export function StaleTag({ shown, children = "not of now" }: { readonly shown: boolean; readonly children?: ReactNode }) {
  return shown ? <span className="tag" data-level="warn">○ {children}</span> : null;
}
