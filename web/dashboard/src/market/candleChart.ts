// Lightweight Charts behind the few things that the panel asks of it: candles with what is known of their quality.

import {
  CandlestickSeries, ColorType, CrosshairMode, HistogramSeries, createChart, createSeriesMarkers,
  type IChartApi, type ISeriesApi, type ISeriesMarkersPluginApi, type SeriesMarker, type Time, type UTCTimestamp,
} from "lightweight-charts";
import type { Candle } from "../../../src";

const HOLE_MAX = 120; // buckets without a tick that are drawn as empty room; longer pauses are closed up
const SHOWN = 90;
const SHOWN_LEAST = 30;
const OLDER_BELOW = 20; // bars left of the visible ones at which older ones are asked for

export interface Palette {
  readonly panel: string;
  readonly line: string;
  readonly muted: string;
  readonly up: string;
  readonly down: string;
  readonly upMuted: string;
  readonly downMuted: string;
  readonly activity: string;
  readonly accent: string;
  readonly warn: string;
  readonly bad: string;
}

interface Events {
  /** The candle under the crosshair; undefined once it has left. */
  readonly onPoint: (timestamp: number | undefined) => void;
  readonly onNearStart: () => void;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    panel: colour("panel"), line: colour("line"), muted: colour("muted"), up: colour("up"), down: colour("down"),
    upMuted: colour("up-muted"), downMuted: colour("down-muted"), activity: colour("activity"), accent: colour("accent"),
    warn: colour("warn"), bad: colour("bad"),
  };
}

const time = (seconds: number) => seconds as UTCTimestamp;

export class CandleChart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly activity: ISeriesApi<"Histogram">;
  private readonly quality: ISeriesApi<"Histogram">;
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private palette = readPalette();
  private known: readonly Candle[] = [];
  private key = "";
  private seconds = 60;
  private length = 0;
  private precision = -1;
  private marked = "";
  private placed = false;

  constructor(container: HTMLElement, private readonly events: Events) {
    this.chart = createChart(container, {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 11 },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { timeVisible: true, rightOffset: 4, minBarSpacing: 1 },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.2 }, entireTextOnly: true },
    });
    this.activity = this.strip("activity", { top: 0.9, bottom: 0.02 });
    this.quality = this.strip("quality", { top: 0.99, bottom: 0 });
    this.candles = this.chart.addSeries(CandlestickSeries, {});
    this.markers = createSeriesMarkers(this.candles, []);
    this.chart.subscribeCrosshairMove((event) => this.events.onPoint(event.time as number | undefined));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && this.known.length > 0 && range.from < OLDER_BELOW) this.events.onNearStart();
    });
    this.dress();
  }

  destroy(): void {
    this.chart.remove();
  }

  /** `key` names asset and timeframe: another one begins anew, the same one keeps what is in view, once it is `complete`. */
  show(key: string, seconds: number, candles: readonly Candle[], complete: boolean): void {
    const another = key !== this.key;
    if (another) this.placed = false;
    const before = this.known;
    this.key = key;
    this.seconds = seconds;
    this.known = candles;
    const changed = another ? undefined : tailOf(before, candles);
    if (changed === undefined) this.fill();
    else for (const candle of changed) this.draw(candle);
    this.mark();
    if (this.placed || candles.length === 0) return;
    this.place();
    this.placed = complete;
  }

  decimals(decimals: number): void {
    const precision = Math.max(decimals, 2);
    if (precision === this.precision) return;
    this.precision = precision;
    this.candles.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
  }

  /** Colours from the style sheet, so that the chart follows light and dark. */
  dress(): void {
    this.palette = readPalette();
    const { panel, line, muted, up, down } = this.palette;
    this.chart.applyOptions({
      layout: { background: { type: ColorType.Solid, color: panel }, textColor: muted },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
    this.candles.applyOptions({
      upColor: up, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down,
    });
    this.fill();
    this.marked = "";
    this.mark();
  }

  private strip(id: string, scaleMargins: { top: number; bottom: number }): ISeriesApi<"Histogram"> {
    const series = this.chart.addSeries(HistogramSeries, {
      priceScaleId: id, lastValueVisible: false, priceLineVisible: false, priceFormat: { type: "volume" },
    });
    this.chart.priceScale(id).applyOptions({ scaleMargins });
    return series;
  }

  private place(): void {
    this.chart.priceScale("right").applyOptions({ autoScale: true });
    const shown = Math.min(Math.max(this.length + 1, SHOWN_LEAST), SHOWN);
    this.chart.timeScale().setVisibleLogicalRange({ from: this.length - shown, to: this.length + 3 });
  }

  private fill(): void {
    const bars: ({ time: UTCTimestamp } | ReturnType<CandleChart["bar"]>)[] = [];
    let last: number | undefined;
    for (const candle of this.known) {
      const missing = last === undefined ? 0 : (candle.timestamp - last) / this.seconds - 1;
      if (missing <= HOLE_MAX) for (let i = 1; i <= missing; i++) bars.push({ time: time((last ?? 0) + i * this.seconds) });
      bars.push(this.bar(candle));
      last = candle.timestamp;
    }
    this.length = bars.length;
    this.chart.timeScale().applyOptions({ secondsVisible: this.seconds < 60 });
    this.candles.setData(bars);
    this.activity.setData(this.known.map((candle) => this.bustle(candle)));
    this.quality.setData(this.known.map((candle) => this.sign(candle)));
  }

  private draw(candle: Candle): void {
    const late = candle.timestamp < (this.known.at(-1)?.timestamp ?? 0);
    this.candles.update(this.bar(candle), late);
    this.activity.update(this.bustle(candle), late);
    this.quality.update(this.sign(candle), late);
  }

  private bar({ timestamp, open, high, low, close, quality, is_closed: closed }: Candle) {
    const bar = { time: time(timestamp), open, high, low, close };
    if (!closed || (quality !== "partial" && quality !== "gap")) return bar;
    const colour = close >= open ? this.palette.upMuted : this.palette.downMuted;
    return { ...bar, color: colour, borderColor: colour, wickColor: colour };
  }

  private bustle({ timestamp, ticks }: Candle) {
    return { time: time(timestamp), value: ticks, color: this.palette.activity };
  }

  /** The strip along the bottom: nothing where every tick was heard live. */
  private sign({ timestamp, quality }: Candle) {
    const colour = { live: "transparent", backfilled: this.palette.accent, partial: this.palette.warn, gap: this.palette.bad }[quality];
    return { time: time(timestamp), value: 1, color: colour };
  }

  private mark(): void {
    const gaps = this.known.filter(({ quality }) => quality === "gap");
    const key = gaps.map(({ timestamp }) => timestamp).join();
    if (key === this.marked) return;
    this.marked = key;
    const marked = gaps.length <= 12 ? new Set(gaps.map(({ timestamp }) => timestamp)) : undefined;
    const isFirst = (timestamp: number) => marked !== undefined && !marked.has(timestamp - this.seconds);
    this.markers.setMarkers(
      gaps.map(({ timestamp }): SeriesMarker<Time> => ({
        time: time(timestamp), position: "aboveBar", shape: "arrowDown", color: this.palette.bad, ...(isFirst(timestamp) ? { text: "gap" } : {}),
      })),
    );
  }
}

/**
 * The candles that differ, where those are a few at the end of the same ones and at most one is new: the chart takes no
 * other new one singly. Undefined where all has to be drawn anew.
 */
function tailOf(before: readonly Candle[], now: readonly Candle[]): readonly Candle[] | undefined {
  const grown = now.length - before.length;
  if (before.length === 0 || grown < 0 || grown > 1 || before[0]?.timestamp !== now[0]?.timestamp) return undefined;
  let same = 0;
  while (same < before.length && before[same] === now[same]) same += 1;
  const changed = now.slice(same);
  return changed.length <= 8 && now[before.length - 1]?.timestamp === before.at(-1)?.timestamp ? changed : undefined;
}
