import { type CandlestickData, CandlestickSeries, type ISeriesApi, type UTCTimestamp, createChart } from "lightweight-charts";
import { useEffect, useRef } from "react";
import { type Candle, useCandles } from "../src/index.js";

const bar = ({ timestamp, open, high, low, close }: Candle): CandlestickData<UTCTimestamp> => ({
  time: timestamp as UTCTimestamp, open, high, low, close,
});

/** An asset's candles of 15 s: all of them when others than the last have changed, else the last. */
export function Chart({ asset }: { asset: string }) {
  const { data: candles } = useCandles(asset, "15s");
  const place = useRef<HTMLDivElement>(null);
  const series = useRef<ISeriesApi<"Candlestick">>(null);
  const drawn = useRef<readonly Candle[]>([]);

  useEffect(() => {
    if (!place.current) return undefined;
    const chart = createChart(place.current, { autoSize: true, timeScale: { timeVisible: true, secondsVisible: true } });
    series.current = chart.addSeries(CandlestickSeries);
    drawn.current = [];
    return () => {
      series.current = null;
      chart.remove();
    };
  }, []);

  useEffect(() => {
    const before = drawn.current;
    const last = candles.at(-1);
    if (!series.current || !last) return;
    if (candles.length === before.length && candles.slice(0, -1).every((each, index) => each === before[index])) series.current.update(bar(last));
    else series.current.setData(candles.map(bar));
    drawn.current = candles;
  }, [candles]);

  return <div id="chart" ref={place} />;
}
