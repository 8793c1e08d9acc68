import { describe, expect, test } from "vitest";
import { CandleSeries } from "../src/core/candleSeries.js";
import type { Candle } from "../src/core/types.js";
import { candleOf, dice } from "./support/relay.js";

/** A relay's candles of 1 m, tick by tick: what it says live, and its history at any moment. */
class Market {
  readonly candles: Candle[] = [];

  constructor(private readonly roll: (sides: number) => number) {}

  /** What is said live of the next tick. */
  tick(): Candle[] {
    const said: Candle[] = [];
    const price = 100 + this.roll(50);
    const forming = this.candles.at(-1);
    if (!forming || this.roll(4) === 0) {
      if (forming) said.push(this.put(this.candles.length - 1, { ...forming, is_closed: true }));
      const timestamp = (forming?.timestamp ?? 0) + 60 * (1 + this.roll(3)); // a bucket without a tick has no candle
      said.push(this.put(this.candles.length, candleOf(timestamp, { close: price, is_closed: false })));
    } else {
      said.push(this.put(this.candles.length - 1, grownBy(forming, price)));
    }
    return said;
  }

  /** A late tick amends a closed candle. */
  amend(): Candle[] {
    const place = this.candles.length - 2 - this.roll(3);
    const closed = this.candles[place];
    return closed ? [this.put(place, { ...grownBy(closed, 100 + this.roll(50)), close: closed.close })] : [];
  }

  private put(place: number, candle: Candle): Candle {
    this.candles[place] = candle;
    return candle;
  }
}

function grownBy(candle: Candle, price: number): Candle {
  return { ...candle, high: Math.max(candle.high, price), low: Math.min(candle.low, price), close: price, ticks: candle.ticks + 1 };
}

describe("a candle series", () => {
  test("has each bucket once and as it is, whenever history was asked for and whenever it came", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const roll = dice(seed);
      const market = new Market(roll);
      const series = new CandleSeries(1000);
      for (let i = 0; i < 20; i++) market.tick();
      let pending: { answer: Candle[]; dueIn: number } | undefined = { answer: [...market.candles], dueIn: roll(30) };
      let connected = true;
      for (let turn = 0; turn < 120; turn++) {
        const said = roll(8) === 0 ? market.amend() : market.tick();
        if (connected) for (const candle of said) series.came(candle);
        if (pending && pending.dueIn-- === 0) {
          series.loaded(pending.answer);
          pending = undefined;
        } else if (pending && pending.dueIn > 0 && roll(6) === 0) {
          pending.answer = [...market.candles]; // it was answered later than we thought
        }
        if (roll(15) === 0 && connected) {
          connected = false; // nothing comes, and the answer under way is dropped
          pending = undefined;
        } else if (!connected && roll(5) === 0) {
          connected = true;
          pending = { answer: [...market.candles], dueIn: roll(10) };
        }
      }
      series.loaded([...market.candles]);
      expect(series.window(), `seed ${seed}`).toEqual(market.candles);
    }
  });

  test("shows at each moment after its history what the relay has, without a hole", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const roll = dice(seed);
      const market = new Market(roll);
      const series = new CandleSeries(1000);
      for (let i = 0; i < 10; i++) market.tick();
      const turns = 5 + roll(20);
      const askedAt = roll(turns);
      let answer: Candle[] = [];
      for (let turn = 0; turn < turns; turn++) {
        if (turn === askedAt) answer = [...market.candles];
        for (const candle of market.tick()) series.came(candle);
      }
      series.loaded(answer);
      expect(series.window(), `seed ${seed}`).toEqual(market.candles);
      for (const candle of [...market.tick(), ...market.amend()]) series.came(candle);
      expect(series.window(), `seed ${seed}`).toEqual(market.candles);
    }
  });

  test("keeps a bucket's beginning that the live candle did not see", () => {
    const series = new CandleSeries(10);
    series.came(candleOf(60, { open: 5, high: 6, low: 5, close: 6, ticks: 2, is_closed: false, quality: "partial" }));
    series.loaded([candleOf(60, { open: 1, high: 9, low: 1, close: 5, ticks: 10, is_closed: false })]);
    expect(series.window()[0]).toMatchObject({ open: 1, high: 9, low: 1, close: 6, ticks: 10, quality: "live" });
    series.came(candleOf(60, { open: 5, high: 12, low: 5, close: 7, ticks: 3, is_closed: true, quality: "partial" }));
    expect(series.window()[0]).toMatchObject({ open: 1, high: 12, low: 1, close: 7, is_closed: true });
  });

  test("does not reopen a closed candle", () => {
    const series = new CandleSeries(10);
    series.came(candleOf(60, { close: 2, ticks: 4 }));
    series.loaded([candleOf(60, { close: 1, ticks: 3, is_closed: false })]);
    series.came(candleOf(60, { close: 1, ticks: 3, is_closed: false }));
    expect(series.window()).toEqual([candleOf(60, { close: 2, ticks: 4 })]);
  });

  test("drops what lies before a history that does not reach back to it", () => {
    const series = new CandleSeries(10);
    series.loaded([candleOf(60), candleOf(120)]);
    series.loaded([candleOf(600), candleOf(660)]);
    expect(series.window().map(({ timestamp }) => timestamp)).toEqual([600, 660]);
  });

  test("keeps what lies before a history that reaches into it, and no more than its capacity", () => {
    const series = new CandleSeries(3);
    series.loaded([candleOf(60), candleOf(120)]);
    series.loaded([candleOf(120), candleOf(180)]);
    expect(series.window().map(({ timestamp }) => timestamp)).toEqual([60, 120, 180]);
    for (let timestamp = 240; timestamp < 6000; timestamp += 60) series.came(candleOf(timestamp));
    expect(series.window().map(({ timestamp }) => timestamp)).toEqual([5820, 5880, 5940]);
  });

  test("keeps what came live where history is empty", () => {
    const series = new CandleSeries(3);
    series.came(candleOf(60));
    series.loaded([]);
    expect(series.window()).toEqual([candleOf(60)]);
  });
});
