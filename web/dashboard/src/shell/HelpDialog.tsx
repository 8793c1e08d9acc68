import { useEffect, useRef } from "react";
import { useChoice } from "../lib/choice";
import { shortcuts } from "../lib/keys";

const KEYS: readonly (readonly [string, string])[] = [
  ["↑ ↓", "previous, next asset of the watchlist"],
  ["Home End", "first, last asset"],
  ["/", "search the watchlist; Esc clears it"],
  ["1 … 8", "timeframe 15s, 1m, 5m, 15m, 30m, 1h, 4h, 1d"],
  ["m", "market"],
  ["s", "system"],
  ["t", "dark or light"],
  ["p", "hold the tape, let it go on"],
  ["?", "this help"],
];

export function HelpDialog({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const on = useChoice(shortcuts) === "on";
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open) dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl className="keys">
        {KEYS.map(([keys, meaning]) => (
          <div key={keys}>
            <dt>{keys.split(" ").map((key) => (key === "…" ? <span key={key}>…</span> : <kbd key={key}>{key}</kbd>))}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label className="switch">
        <input type="checkbox" checked={on} onChange={() => shortcuts.set(on ? "off" : "on")} />
        Letters, digits and signs act by themselves
      </label>
      <p className="muted">Times are UTC. Prices are as the feed said them; a candle's quality says how much of it was heard.</p>
      <form method="dialog"><button type="submit">Close</button></form>
    </dialog>
  );
}
