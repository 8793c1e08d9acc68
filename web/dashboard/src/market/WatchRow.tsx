import { memo } from "react";
import { useTicks, type AssetInfo } from "../../../src";
import { useArrival } from "../lib/arrival";
import { useNow } from "../lib/clock";
import { changeSince, useDayOpen, type DayOpens } from "../lib/dayOpen";
import { decimalsOfAsset } from "../lib/decimals";
import { NONE, price, rate, signed, span } from "../lib/format";
import { Sparkline } from "./Sparkline";

const TRAIL = 60;
const QUIET_MS = 10_000;

export type Move = "up" | "down" | "flat";
export const ARROWS: Readonly<Record<Move, string>> = { up: "▲", down: "▼", flat: "" };

interface Props {
  readonly id: string;
  readonly info: AssetInfo;
  readonly selected: boolean;
  readonly opens: DayOpens;
  readonly onSelect: (asset: string) => void;
}

export function moveOf(before: number | undefined, now: number | undefined): Move {
  if (before === undefined || now === undefined || before === now) return "flat";
  return now > before ? "up" : "down";
}

export const WatchRow = memo(function WatchRow({ id, info, selected, opens, onSelect }: Props) {
  const { asset } = info;
  const { data: ticks, isStale } = useTicks(asset, { limit: TRAIL });
  const stale = info.stale || isStale;
  const newest = ticks.at(-1);
  const day = useDayOpen(opens, asset);
  const last = newest?.price ?? info.price ?? undefined;
  const decimals = decimalsOfAsset(asset, last);
  const move = moveOf(ticks.at(-2)?.price, newest?.price);
  const change = changeSince(day, last);
  return (
    <li id={id} role="option" aria-selected={selected} data-asset={asset} data-stale={stale || undefined}
      className="row" onClick={() => onSelect(asset)}>
      <span className="row-name">
        <b>{asset}</b>
        <Freshness last={newest} stale={stale} />
      </span>
      <Sparkline ticks={ticks} move={moveOf(ticks[0]?.price, newest?.price)} />
      <span className="row-price" data-move={move}>
        <span className="arrow" aria-hidden="true">{ARROWS[move]}</span>
        <span data-price="">{price(last, decimals)}</span>
      </span>
      <span className="row-change" data-change="" data-move={moveOf(0, change && Number(change.toFixed(2)))}>
        {change === undefined ? NONE : `${signed(change, 2)} %`}
      </span>
      <span className="row-rate" data-rate="">{rate(info.rate)}<span className="unit">/s</span></span>
    </li>
  );
});

/** Live, quiet for how long, or stale: by word and sign, not by colour alone. */
function Freshness({ last, stale }: { readonly last: Parameters<typeof useArrival>[0]; readonly stale: boolean }) {
  const arrived = useArrival(last);
  const now = useNow();
  const quiet = arrived === undefined ? undefined : now - arrived;
  if (stale) {
    return <span className="fresh" data-level="warn">○ stale{quiet === undefined ? "" : ` ${span(quiet / 1000)}`}</span>;
  }
  if (quiet === undefined) return <span className="fresh">no tick yet</span>;
  if (quiet > QUIET_MS) return <span className="fresh">quiet {span(quiet / 1000)}</span>;
  return <span className="fresh" data-level="good">● live</span>;
}
