import { useId } from "react";
import { useMedia } from "../lib/media";
import { GLYPHS, type Hop, type Path, type Station, type StationId } from "./path";

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly places: Readonly<Record<StationId, readonly [number, number]>>;
}

const BOX = { width: 132, height: 62 };

const WIDE: Layout = {
  width: 1190, height: 330,
  places: {
    feed: [76, 165], ingestor: [302, 165], publisher: [596, 46], channels: [856, 46], spool: [596, 165], outbox: [856, 165],
    store: [1112, 165], gateway: [596, 284], browsers: [856, 284],
  },
};

const NARROW: Layout = {
  width: 360, height: 760,
  places: {
    feed: [180, 40], ingestor: [180, 160], spool: [76, 300], outbox: [76, 440], store: [76, 580], publisher: [270, 300],
    channels: [270, 430], gateway: [270, 570], browsers: [270, 700],
  },
};

/** From feed to store, to Redis' subscribers and to browsers, as a picture; the same in words below it for who can't see it. */
export function PathPicture({ path }: { readonly path: Path }) {
  const narrow = useMedia("(max-width: 760px)");
  const layout = narrow ? NARROW : WIDE;
  const arrow = useId();
  return (
    <>
      <svg className="path" viewBox={`0 0 ${layout.width} ${layout.height}`} role="img" aria-label="The way of a tick; in words in the table below">
        <defs>
          <marker id={arrow} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path className="arrowhead" d="M0,0 L8,4 L0,8 Z" /></marker>
        </defs>
        {path.hops.map((hop) => <HopLine key={`${hop.from} ${hop.to}`} hop={hop} layout={layout} narrow={narrow} arrow={arrow} />)}
        {path.stations.map((station) => <StationBox key={station.id} station={station} at={layout.places[station.id]} />)}
      </svg>
      <HopTable path={path} />
    </>
  );
}

function StationBox({ station, at: [x, y] }: { readonly station: Station; readonly at: readonly [number, number] }) {
  return (
    <g className="station" data-station={station.id} data-level={station.level} transform={`translate(${x - BOX.width / 2} ${y - BOX.height / 2})`}>
      <rect width={BOX.width} height={BOX.height} rx="8" />
      <text className="station-name" x="12" y="20">{station.name}</text>
      <text className="station-state" x="12" y="37">{GLYPHS[station.level]} {station.state}</text>
      <text className="station-figure" x="12" y="53">{station.figure}</text>
    </g>
  );
}

interface HopProps {
  readonly hop: Hop;
  readonly layout: Layout;
  readonly narrow: boolean;
  readonly arrow: string;
}

function HopLine({ hop, layout, narrow, arrow }: HopProps) {
  const [fromX, fromY] = layout.places[hop.from];
  const [toX, toY] = layout.places[hop.to];
  const [startX, startY, endX, endY] = narrow
    ? [fromX, fromY + BOX.height / 2, toX, toY - BOX.height / 2 - 3]
    : [fromX + BOX.width / 2, fromY, toX - BOX.width / 2 - 3, toY];
  const [midX, midY] = [(startX + endX) / 2, (startY + endY) / 2];
  const d = narrow
    ? `M${startX},${startY} C${startX},${midY} ${endX},${midY} ${endX},${endY}`
    : `M${startX},${startY} C${midX},${startY} ${midX},${endY} ${endX},${endY}`;
  const around = narrow && hop.to === "gateway"; // past the two stations above it
  const side = BOX.width / 2;
  const route = around
    ? `M${fromX + side},${fromY} C${fromX + side + 80},${fromY} 352,${fromY + 50} 352,${fromY + 110} L352,${toY - 30} Q352,${toY} ${toX + side + 3},${toY}`
    : d;
  const [textX, textY] = labelAt(hop, narrow, [midX, midY], [endX, endY]);
  return (
    <g className="hop" data-hop={`${hop.from}-${hop.to}`} data-flows={hop.flows}>
      <path d={route} markerEnd={`url(#${arrow})`} />
      {!around && (
        <text x={textX} y={textY} textAnchor="middle">
          <tspan x={textX} className="hop-rate">{hop.rate}</tspan>
          {hop.latencyOf && <tspan x={textX} dy={narrow ? 14 : 30} className="hop-latency">{hop.latencyOf} {hop.latency}</tspan>}
        </text>
      )}
    </g>
  );
}

/** Rate above the line, latency below it. */
function labelAt(hop: Hop, narrow: boolean, mid: readonly [number, number], end: readonly [number, number]): readonly [number, number] {
  if (narrow) return [mid[0], mid[1] - 4];
  if (hop.from !== "ingestor") return [mid[0], mid[1] - 9];
  return [end[0] - 50, end[1] + (hop.to === "gateway" ? 20 : -9)]; // beside the lines that part, not on them
}

function HopTable({ path }: { readonly path: Path }) {
  const name = (id: StationId) => path.stations.find((station) => station.id === id)?.name ?? id;
  return (
    <div className="spoken"><table>
      <caption>The way of a tick</caption>
      <thead><tr><th scope="col">from</th><th scope="col">to</th><th scope="col">rate</th><th scope="col">latency, mean</th></tr></thead>
      <tbody>
        {path.hops.map((hop) => (
          <tr key={`${hop.from} ${hop.to}`}><td>{name(hop.from)}</td><td>{name(hop.to)}</td><td>{hop.rate}</td><td>{hop.latencyOf && `${hop.latencyOf} ${hop.latency}`}</td></tr>
        ))}
      </tbody>
    </table></div>
  );
}
