// A component an asset, and a chart if wanted: `?relay=http://…&assets=A,B&chart=1`.

import { LineSeries, type UTCTimestamp, createChart } from "lightweight-charts";
import { Profiler, StrictMode, useEffect, useRef } from "react";
import { createRoot } from "react-dom/client";
import { TickwireProvider, useConnection, useTicks } from "../src/index.js";
import { Figures } from "./figures.js";

declare global {
  interface Window {
    bench: Figures;
  }
}

const query = new URLSearchParams(location.search);
const assets = (query.get("assets") ?? "").split(",");
const figures = new Figures();
window.bench = figures;

function Row({ asset }: { readonly asset: string }) {
  const { data, status, gaps } = useTicks(asset);
  useEffect(() => figures.took(asset, data), [asset, data]);
  return (
    <li data-asset={asset} data-status={status} data-gaps={gaps.length}>
      {asset} <b>{data.at(-1)?.price ?? "–"}</b>
    </li>
  );
}

function Chart({ asset }: { readonly asset: string }) {
  const { data } = useTicks(asset);
  const box = useRef<HTMLDivElement>(null);
  const draw = useRef<(ticks: typeof data) => void>(undefined);
  useEffect(() => {
    if (!box.current) return undefined;
    const chart = createChart(box.current, { width: 900, height: 400 });
    const line = chart.addSeries(LineSeries, {});
    let last = 0;
    draw.current = (ticks) => {
      for (const { timestamp, price } of ticks) {
        const time = Math.floor(timestamp);
        if (time >= last) line.update({ time: (last = time) as UTCTimestamp, value: price });
      }
    };
    return () => chart.remove();
  }, [asset]);
  const drawn = useRef(0);
  useEffect(() => {
    draw.current?.(data.filter(({ timestamp }) => timestamp > drawn.current));
    drawn.current = data.at(-1)?.timestamp ?? 0;
  }, [data]);
  return <div ref={box} id="chart" />;
}

function Page() {
  return (
    <>
      <p id="connection">{useConnection().name}</p>
      <ul>
        {assets.map((asset) => (
          <Profiler key={asset} id={asset} onRender={(id, _phase, ms) => figures.committed(id, ms)}>
            <Row asset={asset} />
          </Profiler>
        ))}
      </ul>
      {query.get("chart") === "1" && <Chart asset={assets[0] ?? ""} />}
    </>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <TickwireProvider url={query.get("relay") ?? undefined}>
      <Page />
    </TickwireProvider>
  </StrictMode>,
);
