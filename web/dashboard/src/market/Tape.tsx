import { useState } from "react";
import { useTicks, type Tick } from "../../../src";
import { decimalsOfAsset } from "../lib/decimals";
import { count, price, timeOfDay } from "../lib/format";
import { useHint, useKeys } from "../lib/keys";
import { Notice, StaleTag } from "../shell/Notice";
import { ARROWS, moveOf } from "./WatchRow";

const SHOWN = 60;

export function Tape({ asset }: { readonly asset: string | null }) {
  const { data: latest, error, status, isStale } = useTicks(asset, { limit: SHOWN + 1 });
  const [held, setHeld] = useState<readonly Tick[] | null>(null);
  const hint = useHint();
  const ticks = held ?? latest;
  const toggle = () => setHeld(held ? null : latest);
  useKeys((key) => {
    if (key === "p" && latest.length > 0) toggle();
  });
  const decimals = asset ? decimalsOfAsset(asset, latest.at(-1)?.price) : 0;
  return (
    <section className="panel tape" aria-labelledby="tape-title">
      <div className="panel-head">
        <h2 id="tape-title">Tape</h2>
        <StaleTag shown={isStale && ticks.length > 0} />
        {held && <span className="tag" data-level="warn">held</span>}
        <button type="button" className="quiet push" aria-pressed={held !== null} title={hint("hold the tape", "p")} onClick={toggle} disabled={latest.length === 0}>
          {held ? "Go on" : "Hold"}
        </button>
      </div>
      {ticks.length === 0 ? (
        <TapeNotice failed={error?.message} idle={status === "idle"} loading={status === "loading"} />
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-labelledby="tape-title">
          <table>
            <thead><tr><th scope="col">Time</th><th scope="col" className="number">Price</th><th scope="col" className="number">No.</th></tr></thead>
            <tbody>{rows(ticks, decimals)}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function rows(ticks: readonly Tick[], decimals: number) {
  const from = Math.max(0, ticks.length - SHOWN);
  return ticks
    .slice(from)
    .map((tick, i) => {
      const before = ticks[from + i - 1];
      const move = moveOf(before?.price, tick.price);
      const missed = before && before.epoch === tick.epoch ? (tick.conflated?.from ?? tick.seq) - before.seq - 1 : 0;
      return (
        <tr key={`${tick.epoch} ${tick.seq}`} data-tick="" data-missed={missed > 0 || undefined}>
          <td>{timeOfDay(tick.timestamp)}</td>
          <td className="number" data-move={move}><span className="arrow" aria-hidden="true">{ARROWS[move]}</span>{price(tick.price, decimals)}</td>
          <td className="number muted" title={note(tick, missed)}>{missed > 0 && "⚠ "}{tick.conflated ? `Σ${tick.conflated.count}` : count(tick.seq)}</td>
        </tr>
      );
    })
    .reverse();
}

function note(tick: Tick, missed: number): string | undefined {
  if (missed > 0) return `${missed} ticks before this one can't be had any more`;
  return tick.conflated ? `this page was slow: one line for ${tick.conflated.count} ticks` : undefined;
}

function TapeNotice({ failed, idle, loading }: { readonly failed: string | undefined; readonly idle: boolean; readonly loading: boolean }) {
  if (failed) return <Notice kind="error">No ticks: {failed}.</Notice>;
  if (idle) return <Notice kind="empty">Choose an asset.</Notice>;
  return loading ? <Notice kind="loading">Waiting for ticks…</Notice> : <Notice kind="empty">No tick yet.</Notice>;
}
