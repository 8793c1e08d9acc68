// The candles of one asset: history over HTTP, then the forming candle as it comes.

import {
  CandlestickSeries, CrosshairMode, HistogramSeries, createChart, createSeriesMarkers,
} from "./vendor/lightweight-charts.standalone.production.mjs";
import { assetPath, getJson } from "./api.js";
import { price } from "./format.js";

export const TIMEFRAMES = { "15s": 15, "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "1d": 86_400 };

const HISTORY = 300;
const HOLE_MAX = 120; // buckets without a tick that are drawn as empty room; longer pauses are closed up
const SHOWN = 90;
const SHOWN_LEAST = 30;
const RETRY_MS = 10_000;

export class Chart {
  constructor({ container, overlay, legend, onRetry }) {
    this.overlay = overlay;
    this.legend = legend;
    this.chart = createChart(container, {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { timeVisible: true, rightOffset: 4 },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.2 } },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {});
    this.ticks = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "ticks", lastValueVisible: false, priceLineVisible: false, priceFormat: { type: "volume" },
    });
    this.chart.priceScale("ticks").applyOptions({ scaleMargins: { top: 0.88, bottom: 0 } });
    this.markers = createSeriesMarkers(this.candles, []);
    this.known = new Map();
    this.fresh = new Map();
    this.marks = new Map();
    this.frame = 0;
    this.loading = null;
    overlay.querySelector("button").addEventListener("click", onRetry);
    this.chart.subscribeCrosshairMove((event) => this.describe(this.known.get(event.time)));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.dress());
    this.dress();
  }

  // Shows `asset` in `timeframe`: fetches its history; what comes live meanwhile is laid over it.
  async show(asset, timeframe, { again = false } = {}) {
    this.loading?.abort();
    clearTimeout(this.retry);
    const loading = new AbortController();
    this.loading = loading;
    this.seconds = TIMEFRAMES[timeframe];
    if (!again) {
      this.fresh.clear();
      this.marks.clear();
      this.placed = false;
      this.fill([]);
      this.say("Loading candles…");
    }
    this.chart.timeScale().applyOptions({ secondsVisible: this.seconds < 60 });
    try {
      const path = `api/v1/candles/${assetPath(asset)}?timeframe=${timeframe}&limit=${HISTORY}`;
      const { candles } = await getJson(path, loading.signal);
      this.fill(candles);
      if (!this.placed) this.place();
      this.say(this.known.size ? "" : "No candles yet: they appear with the first tick.");
    } catch (error) {
      if (loading.signal.aborted) return;
      if (!this.known.size) this.say(`No history: ${error.message}.`, true);
      this.retry = setTimeout(() => this.show(asset, timeframe, { again: true }), RETRY_MS);
    }
  }

  place() {
    this.placed = this.known.size > 0;
    this.chart.priceScale("right").applyOptions({ autoScale: true });
    const shown = Math.min(Math.max(this.length + 1, SHOWN_LEAST), SHOWN);
    this.chart.timeScale().setVisibleLogicalRange({ from: this.length - shown, to: this.length + 3 });
  }

  fill(candles) {
    const all = new Map(candles.map((candle) => [candle.timestamp, candle]));
    for (const [time, candle] of this.fresh) all.set(time, grown(all.get(time), candle));
    this.known = new Map([...all].sort(([a], [b]) => a - b));
    const bars = [];
    let last;
    for (const [time, candle] of this.known) {
      const missing = last === undefined ? 0 : (time - last) / this.seconds - 1;
      if (missing <= HOLE_MAX) for (let i = 1; i <= missing; i++) bars.push({ time: last + i * this.seconds });
      bars.push(this.bar(candle));
      last = time;
    }
    this.length = bars.length;
    this.candles.setData(bars);
    this.ticks.setData([...this.known.values()].map((candle) => this.activity(candle)));
    this.last = last;
    this.precision();
    this.mark();
    this.describe();
  }

  // A candle that is forming or has just closed; drawn in the next frame.
  update(candle) {
    this.fresh.set(candle.timestamp, candle);
    if (this.fresh.size > HISTORY) this.fresh.delete(this.fresh.keys().next().value);
    (this.pending ??= new Map()).set(candle.timestamp, candle);
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    for (const [time, live] of this.pending) {
      const candle = grown(this.known.get(time), live);
      const late = this.last !== undefined && time < this.last;
      this.known.set(time, candle);
      this.candles.update(this.bar(candle), late);
      this.ticks.update(this.activity(candle), late);
      if (!late) this.last = time;
    }
    this.pending.clear();
    this.say("");
    this.precision();
    this.mark();
    this.describe();
  }

  bar({ timestamp, open, high, low, close, quality, is_closed: closed }) {
    const bar = { time: timestamp, open, high, low, close };
    if (!closed || (quality !== "partial" && quality !== "gap")) return bar;
    const colour = close >= open ? this.colours.upMuted : this.colours.downMuted;
    return { ...bar, color: colour, borderColor: colour, wickColor: colour };
  }

  activity({ timestamp, ticks }) {
    return { time: timestamp, value: ticks ?? 0, color: this.colours.grid };
  }

  precision() {
    const decimals = Math.max(this.decimals ?? 0, 2);
    if (decimals === this.shownDecimals) return;
    this.shownDecimals = decimals;
    this.candles.applyOptions({ priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals } });
  }

  // Ticks were missed at `at` (seconds UTC): marked at the candle that they belong to.
  missed(at, text) {
    this.marks.set(Math.floor(at / this.seconds) * this.seconds, text);
    this.mark();
  }

  mark() {
    const marks = new Map(this.marks);
    for (const [time, { quality }] of this.known) if (quality === "gap") marks.set(time, "gap");
    const shown = [...marks].filter(([time]) => this.known.has(time)).sort(([a], [b]) => a - b);
    const key = JSON.stringify(shown);
    if (key === this.markKey) return;
    this.markKey = key;
    const look = { position: "aboveBar", shape: "arrowDown", color: this.colours.warn };
    this.markers.setMarkers(shown.map(([time, text]) => ({ ...look, time, text })));
  }

  describe(candle = this.known.get(this.last)) {
    if (!candle) {
      this.legend.replaceChildren("\u00a0");
      return;
    }
    const time = new Date(candle.timestamp * 1000).toISOString().slice(0, 19).replace("T", " ");
    const figure = (name) => `${name[0].toUpperCase()} ${price(candle[name], this.shownDecimals)}`;
    const percent = ((candle.close - candle.open) / candle.open) * 100;
    const change = document.createElement("b");
    change.dataset.move = percent > 0 ? "up" : percent < 0 ? "down" : "";
    change.textContent = `${percent > 0 ? "+" : ""}${percent.toFixed(3)} %`;
    const state = candle.is_closed === false ? "forming" : candle.quality;
    const parts = [time, ...["open", "high", "low", "close"].map(figure), change, `${candle.ticks ?? 0} ticks`, state];
    this.legend.replaceChildren(...parts.map(part));
  }

  say(text, retry = false) {
    if (this.said === text) return;
    this.said = text;
    this.overlay.hidden = !text;
    this.overlay.querySelector("p").textContent = text;
    this.overlay.querySelector("button").hidden = !retry;
  }

  // Colours from the style sheet, so that the chart follows light and dark.
  dress() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = {
      upMuted: colour("up-muted"), downMuted: colour("down-muted"), grid: colour("activity"), warn: colour("warn"),
    };
    this.chart.applyOptions({
      layout: { background: { color: colour("panel") }, textColor: colour("muted") },
      grid: { vertLines: { color: colour("line") }, horzLines: { color: colour("line") } },
      rightPriceScale: { borderColor: colour("line") },
      timeScale: { borderColor: colour("line") },
    });
    const [up, down] = [colour("up"), colour("down")];
    this.candles.applyOptions({
      upColor: up, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down,
    });
    this.markKey = undefined;
    if (this.known.size) this.fill([...this.known.values()]);
  }
}

// A live candle may have begun in the middle of its bucket (`partial`), where history knows the whole of it.
function grown(known, live) {
  if (!known || live.quality !== "partial") return live;
  const [high, low] = [Math.max(known.high, live.high), Math.min(known.low, live.low)];
  return { ...live, open: known.open, high, low, ticks: Math.max(known.ticks, live.ticks), quality: known.quality };
}

function part(content) {
  const node = document.createElement("span");
  node.append(content);
  return node;
}
