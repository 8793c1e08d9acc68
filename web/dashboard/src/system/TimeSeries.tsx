import { memo } from "react";
import { span } from "../lib/format";

const WIDTH = 300;
const HEIGHT = 64;
const INSET = 3;

export interface Point {
  readonly at: number;
  readonly value: number | undefined;
}

interface Props {
  readonly title: string;
  readonly points: readonly Point[];
  readonly format: (value: number | undefined) => string;
}

/** One figure since the page was opened. */
export const TimeSeries = memo(function TimeSeries({ title, points, format }: Props) {
  const known = points.filter((point): point is { at: number; value: number } => point.value !== undefined && Number.isFinite(point.value));
  const last = known.at(-1);
  const most = Math.max(...known.map(({ value }) => value));
  const least = Math.min(...known.map(({ value }) => value));
  const covered = known.length > 1 ? span(((last?.at ?? 0) - (known[0]?.at ?? 0)) / 1000) : "";
  return (
    <figure className="series">
      <figcaption><span>{title}</span><b>{format(last?.value)}</b></figcaption>
      {known.length > 1 ? (
        <>
          <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img"
            aria-label={`${title}: now ${format(last?.value)}, between ${format(least)} and ${format(most)} in the last ${covered}`}>
            <path className="series-area" d={`${line(known, most)} L${WIDTH},${HEIGHT} L0,${HEIGHT} Z`} />
            <path className="series-line" d={line(known, most)} />
          </svg>
          <p className="series-foot"><span>{covered} ago</span><span>max {format(most)}</span></p>
        </>
      ) : (
        <p className="series-wait">{last ? "Gathering…" : "Nothing yet"}</p>
      )}
    </figure>
  );
});

/** From zero, so that a small wave looks small. */
function line(points: readonly { at: number; value: number }[], most: number): string {
  const first = points[0]?.at ?? 0;
  const length = Math.max(1, (points.at(-1)?.at ?? 0) - first);
  const top = most > 0 ? most : 1;
  return points
    .map(({ at, value }, i) => {
      const x = ((at - first) / length) * WIDTH;
      const y = HEIGHT - INSET - (Math.max(0, value) / top) * (HEIGHT - 2 * INSET);
      return `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}
