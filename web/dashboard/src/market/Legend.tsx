import type { Candle, Quality } from "../../../src";
import { count, dateAndTime, price, signed } from "../lib/format";
import { moveOf } from "./WatchRow";

const FIGURES = [["O", "open"], ["H", "high"], ["L", "low"], ["C", "close"]] as const;

/** The figures of the candle under the crosshair, or of the last one. */
export function Legend({ candle, decimals }: { readonly candle: Candle | undefined; readonly decimals: number }) {
  if (!candle) return <p className="legend" id="legend">{" "}</p>;
  const percent = candle.open ? ((candle.close - candle.open) / candle.open) * 100 : 0;
  return (
    <p className="legend" id="legend">
      <span>{dateAndTime(candle.timestamp).slice(5, candle.timestamp % 60 ? 19 : 16)}</span>
      {FIGURES.map(([letter, name]) => <span key={letter}><i>{letter}</i> {price(candle[name], decimals)}</span>)}
      <b data-move={moveOf(candle.open, candle.close)}>{signed(percent, 3)} %</b>
      <span>{count(candle.ticks)} ticks</span>
      <span>{candle.is_closed ? candle.quality : `forming, ${candle.quality}`}</span>
    </p>
  );
}

const MEANINGS: Readonly<Record<Quality, string>> = {
  live: "every tick was heard as it came",
  backfilled: "from the broker's history",
  partial: "listening began or ended within it",
  gap: "ticks are missing from it",
};

/** What the marks of the chart mean, and how many candles bear each. */
export function QualityKey({ candles }: { readonly candles: readonly Candle[] }) {
  const counts = new Map<Quality, number>();
  for (const { quality } of candles) counts.set(quality, (counts.get(quality) ?? 0) + 1);
  return (
    <ul className="qualities" aria-label="Quality of the candles shown">
      {(Object.keys(MEANINGS) as Quality[]).map((quality) => (
        <li key={quality} data-quality={quality} title={MEANINGS[quality]}>
          <i className="swatch" aria-hidden="true" />{quality} <b>{count(counts.get(quality) ?? 0)}</b>
        </li>
      ))}
    </ul>
  );
}
