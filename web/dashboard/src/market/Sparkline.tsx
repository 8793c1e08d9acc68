import { memo } from "react";
import type { Tick } from "../../../src";

const WIDTH = 72;
const HEIGHT = 22;
const INSET = 2;

interface Props {
  readonly ticks: readonly Tick[];
  readonly move: "up" | "down" | "flat";
}

/** The last prices, without axes: the row says the figures. */
export const Sparkline = memo(function Sparkline({ ticks, move }: Props) {
  if (ticks.length < 2) return <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" />;
  const prices = ticks.map((tick) => tick.price);
  const low = Math.min(...prices);
  const range = Math.max(...prices) - low;
  const step = (WIDTH - 2 * INSET) / (prices.length - 1);
  const y = (price: number) =>
    range === 0 ? HEIGHT / 2 : HEIGHT - INSET - ((price - low) / range) * (HEIGHT - 2 * INSET);
  const points = prices.map((price, i) => `${(INSET + i * step).toFixed(1)},${y(price).toFixed(1)}`).join(" ");
  return (
    <svg className="spark" data-move={move} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <polyline points={points} />
      <circle cx={WIDTH - INSET} cy={y(prices.at(-1) as number)} r="1.6" />
    </svg>
  );
});
