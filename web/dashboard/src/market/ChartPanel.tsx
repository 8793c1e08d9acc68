import { useEffect, useMemo, useRef, useState } from "react";
import { useTicks } from "../../../src";
import { decimalsOfAsset } from "../lib/decimals";
import { plural, price } from "../lib/format";
import { useHint } from "../lib/keys";
import type { Theme } from "../lib/theme";
import { SECONDS, TIMEFRAMES } from "../lib/timeframes";
import { Notice, StaleTag } from "../shell/Notice";
import { CandleChart } from "./candleChart";
import { Legend, QualityKey } from "./Legend";
import { useBars, type Bars } from "./useBars";
import { ARROWS, moveOf } from "./WatchRow";

interface Props {
  readonly asset: string | null;
  readonly timeframe: string;
  readonly theme: Theme;
  readonly onTimeframe: (timeframe: string) => void;
}

export function ChartPanel({ asset, timeframe, theme, onTimeframe }: Props) {
  const hint = useHint();
  const bars = useBars(asset, timeframe);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const decimals = Math.max(2, asset ? decimalsOfAsset(asset, bars.candles.at(-1)?.close) : 2);
  const candle = useMemo(
    () => (pointed === undefined ? undefined : bars.candles.find(({ timestamp }) => timestamp === pointed)) ?? bars.candles.at(-1),
    [bars.candles, pointed],
  );
  const stage = useChart({ asset, timeframe, theme, bars, decimals, onPoint: setPointed });
  return (
    <section className="panel chart" aria-labelledby="asset-name">
      <div className="panel-head">
        <h2 id="asset-name">{asset ?? "–"}</h2>
        <LastPrice asset={asset} />
        <div className="segmented push" role="group" aria-label="Timeframe">
          {TIMEFRAMES.map((each, index) => (
            <button key={each} type="button" aria-pressed={each === timeframe} onClick={() => onTimeframe(each)} title={hint(`candles of ${each}`, `${index + 1}`)}>
              {each}
            </button>
          ))}
        </div>
      </div>
      <Legend candle={candle} decimals={decimals} />
      <div className="stage">
        <div id="chart" ref={stage} role="img" aria-label={summary(asset, timeframe, bars)} />
        <ChartNotice asset={asset} bars={bars} />
        <div className="stage-tags">
          <StaleTag shown={bars.isStale && bars.candles.length > 0} />
          {bars.isLoadingOlder && <span className="tag">Loading older candles…</span>}
        </div>
      </div>
      <div className="panel-foot">
        <QualityKey candles={bars.candles} />
        <span className="muted" data-bars={bars.candles.length}>{plural(bars.candles.length, "candle")}{bars.hasOlder ? ", older by scrolling back" : ""}</span>
        {bars.olderError && (
          <span className="bad">Older candles: {bars.olderError}. <button type="button" className="quiet" onClick={bars.loadOlder}>Try again</button></span>
        )}
      </div>
    </section>
  );
}

interface Drawn {
  readonly asset: string | null;
  readonly timeframe: string;
  readonly theme: Theme;
  readonly bars: Bars;
  readonly decimals: number;
  readonly onPoint: (timestamp: number | undefined) => void;
}

function useChart({ asset, timeframe, theme, bars, decimals, onPoint }: Drawn) {
  const stage = useRef<HTMLDivElement>(null);
  const chart = useRef<CandleChart>(null);
  const { candles, onNearStart, isLoading } = bars;
  const older = useRef(onNearStart);
  useEffect(() => {
    older.current = onNearStart;
  }, [onNearStart]);
  useEffect(() => {
    if (!stage.current) return undefined;
    const made = new CandleChart(stage.current, { onPoint, onNearStart: () => older.current() });
    chart.current = made;
    return () => {
      chart.current = null;
      made.destroy();
    };
  }, [onPoint]);
  useEffect(() => chart.current?.dress(), [theme]);
  useEffect(() => {
    chart.current?.decimals(decimals);
    chart.current?.show(`${asset} ${timeframe}`, SECONDS[timeframe] ?? 60, candles, !isLoading);
  }, [asset, timeframe, candles, decimals, isLoading]);
  return stage;
}

function LastPrice({ asset }: { readonly asset: string | null }) {
  const { data: ticks, isStale } = useTicks(asset, { limit: 2 });
  const last = ticks.at(-1)?.price;
  const move = moveOf(ticks.at(-2)?.price, last);
  const text = price(last, asset ? decimalsOfAsset(asset, last) : 0);
  useEffect(() => {
    document.title = asset && last !== undefined ? `${text} ${asset} · tickwire` : "tickwire";
  }, [asset, last, text]);
  if (!asset) return null;
  return (
    <span className="last" id="last-price" data-move={move} data-stale={isStale || undefined}>
      <span className="arrow" aria-hidden="true">{ARROWS[move]}</span>{text}
    </span>
  );
}

function ChartNotice({ asset, bars }: { readonly asset: string | null; readonly bars: Bars }) {
  if (bars.candles.length > 0) return null;
  const content = !asset ? (
    <Notice kind="empty">Choose an asset.</Notice>
  ) : bars.error ? (
    <Notice kind="error">No candles: {bars.error}. They are asked for again by themselves.</Notice>
  ) : bars.isLoading ? (
    <Notice kind="loading">Loading candles…</Notice>
  ) : (
    <Notice kind="empty">No candles yet: they appear with the first tick.</Notice>
  );
  return <div className="overlay" id="overlay">{content}</div>;
}

function summary(asset: string | null, timeframe: string, { candles }: Bars): string {
  const last = candles.at(-1);
  if (!asset || !last) return "Candle chart, empty";
  const low = Math.min(...candles.map((candle) => candle.low));
  const high = Math.max(...candles.map((candle) => candle.high));
  return `Candle chart of ${asset}, ${timeframe}: ${plural(candles.length, "candle")}, between ${low} and ${high}`;
}
