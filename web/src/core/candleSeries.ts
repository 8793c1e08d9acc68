// An asset's candles of one timeframe: history with what comes live laid over it, each bucket once. Pure.

import type { Candle } from "./types.js";

export class CandleSeries {
  private known = new Map<number, Candle>();

  /** At most `capacity` candles are kept, the newest. */
  constructor(public capacity: number) {}

  /**
   * History, ascending, asked for while candles came live: whichever of both knows more of a bucket stays. Older candles stay
   * where history reaches into them; where it doesn't, nobody knows what lies between, and they go.
   */
  loaded(history: readonly Candle[]): void {
    const first = history[0];
    if (!first) return;
    const overlaps = [...this.known.keys()].some((timestamp) => timestamp >= first.timestamp);
    const before = overlaps ? this.known : new Map<number, Candle>();
    const all = new Map(before);
    for (const candle of history) all.set(candle.timestamp, fuller(candle, before.get(candle.timestamp)));
    this.known = new Map([...all].sort(([a], [b]) => a - b).slice(-this.capacity));
  }

  /** A candle that forms, or closes, or is amended by a late tick. */
  came(candle: Candle): void {
    const before = this.known.get(candle.timestamp);
    this.known.set(candle.timestamp, before ? succeeding(before, candle) : candle);
    if (this.known.size > 2 * this.capacity) this.known = new Map(this.sorted().slice(-this.capacity));
  }

  window(): readonly Candle[] {
    return this.sorted()
      .slice(-this.capacity)
      .map(([, candle]) => candle);
  }

  private sorted(): [number, Candle][] {
    return [...this.known].sort(([a], [b]) => a - b);
  }
}

/** Of two pictures of a bucket whose order nobody knows: the closed one, else the one with more ticks, else the live one. */
function fuller(history: Candle, live: Candle | undefined): Candle {
  if (!live) return history;
  if (isPart(live, history)) return grown(history, live);
  if (history.is_closed !== live.is_closed) return history.is_closed ? history : live;
  return history.ticks > live.ticks ? history : live;
}

/** `live` came after `before`. */
function succeeding(before: Candle, live: Candle): Candle {
  if (isPart(live, before)) return grown(before, live);
  return before.is_closed && !live.is_closed ? before : live;
}

/** The relay may have begun in the middle of a bucket (`partial`) that history, or this page, knows from its beginning. */
function isPart(live: Candle, other: Candle): boolean {
  return live.quality === "partial" && other.quality !== "partial";
}

function grown(whole: Candle, part: Candle): Candle {
  if (whole.is_closed && !part.is_closed) return whole;
  return {
    ...part,
    open: whole.open,
    high: Math.max(whole.high, part.high),
    low: Math.min(whole.low, part.low),
    close: whole.is_closed && whole.ticks >= part.ticks ? whole.close : part.close,
    ticks: Math.max(whole.ticks, part.ticks),
    quality: whole.quality,
  };
}
