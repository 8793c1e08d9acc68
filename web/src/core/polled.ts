// What is asked for again and again over HTTP, while somebody watches and the page is seen.

import { Cell } from "./cell.js";
import type { Frames } from "./frames.js";
import { type Query, type QueryStatus, TickwireError } from "./types.js";

export class Polled<T> extends Cell<Query<T | undefined>> {
  private data: T | undefined;
  private error: TickwireError | null = null;
  private asking: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    frames: Frames,
    private readonly read: (signal: AbortSignal) => Promise<T>,
    private readonly intervalMs: number,
  ) {
    super(frames);
  }

  /** Ask now, whatever the interval. */
  readonly refetch = async (): Promise<void> => {
    clearTimeout(this.timer);
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    try {
      const data = await this.read(asking.signal);
      if (asking.signal.aborted) return;
      this.data = data;
      this.error = null;
    } catch (error) {
      if (asking.signal.aborted) return;
      this.error = error instanceof TickwireError ? error : new TickwireError("malformed", String(error));
    }
    this.asking = undefined;
    this.changed();
    this.plan();
  };

  protected override onWatched(): void {
    globalThis.document?.addEventListener("visibilitychange", this.onVisibility);
    void this.refetch();
  }

  protected override onLeft(): void {
    globalThis.document?.removeEventListener("visibilitychange", this.onVisibility);
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = undefined;
  }

  protected build(): Query<T | undefined> {
    const { data, error } = this;
    const status: QueryStatus = error ? (data === undefined ? "error" : "stale") : data === undefined ? "loading" : "live";
    return { data, error, status, isStale: status === "stale" };
  }

  private plan(): void {
    if (this.watched && !globalThis.document?.hidden) this.timer = setTimeout(() => void this.refetch(), this.intervalMs);
  }

  private readonly onVisibility = (): void => {
    if (!document.hidden && !this.asking) void this.refetch();
  };
}
