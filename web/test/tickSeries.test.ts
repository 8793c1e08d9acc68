import { describe, expect, test } from "vitest";
import type { Subscribed, TickRow } from "../src/core/protocol.js";
import { TickSeries } from "../src/core/tickSeries.js";
import { dice } from "./support/relay.js";

const row = (seq: number): TickRow => [seq, 1000 + seq, seq / 100];
const rows = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => row(from + i));
const ticks = (from: number, to: number, epoch = "E1") => ({ type: "ticks", asset: "A", epoch, ticks: rows(from, to) }) as const;

function snapshot(from: number, to: number, { recovered = false, epoch = "E1" as string | null } = {}): Subscribed {
  return { type: "subscribed", asset: "A", recovered, epoch, seq: to, snapshot: rows(from, to) };
}

const seqs = (series: TickSeries) => series.window().ticks.map(({ seq }) => seq);
const upTo = (to: number, from = 1) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("a tick series", () => {
  test("goes on from its snapshot", () => {
    const series = new TickSeries(1000);
    series.subscribed(snapshot(1, 3));
    series.came(ticks(4, 5));
    expect(seqs(series)).toEqual([1, 2, 3, 4, 5]);
    expect(series.window().last).toEqual({ epoch: "E1", seq: 5, timestamp: 1005, price: 0.05 });
    expect(series.position).toEqual({ epoch: "E1", seq: 5 });
    expect(series.window().gaps).toEqual([]);
  });

  test("takes what comes twice once, and in part twice in part", () => {
    const series = new TickSeries(1000);
    series.subscribed(snapshot(1, 3));
    series.came(ticks(2, 5));
    series.came(ticks(5, 5));
    series.subscribed(snapshot(4, 7, { recovered: true }));
    expect(seqs(series)).toEqual(upTo(7));
  });

  test("has every tick once, whatever of the stream was cut, sent again or resumed", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const roll = dice(seed);
      const series = new TickSeries(5000);
      let made = roll(5);
      series.subscribed(snapshot(1, made, { epoch: made ? "E1" : null }));
      for (let turn = 0; turn < 40; turn++) {
        const before = made;
        made += roll(7);
        const kind = roll(4);
        if (kind === 0) {
          const since = series.position?.seq ?? 0; // cut: what came meanwhile is in the next snapshot
          series.subscribed(snapshot(since + 1, made, { recovered: since > 0, epoch: made ? "E1" : null }));
        } else if (kind === 1 && before > 0) {
          series.came(ticks(Math.max(1, before - roll(4)), made)); // some of it again
        } else if (made > before) {
          series.came(ticks(before + 1, made));
        }
      }
      expect(seqs(series), `seed ${seed}`).toEqual(upTo(made));
      expect(series.window().gaps, `seed ${seed}`).toEqual([]);
    }
  });

  test("notes the hole before a snapshot that does not reach back far enough", () => {
    const series = new TickSeries(1000);
    series.subscribed(snapshot(1, 3));
    series.subscribed(snapshot(10, 12));
    expect(seqs(series)).toEqual([1, 2, 3, 10, 11, 12]);
    expect(series.window().gaps).toEqual([{ epoch: "E1", from: 4, to: 9 }]);
  });

  test("notes no hole before its first snapshot", () => {
    const series = new TickSeries(1000);
    series.subscribed(snapshot(501, 503));
    expect(series.window().gaps).toEqual([]);
  });

  test("notes a hole of unknown size where the epoch changes, and counts anew", () => {
    const series = new TickSeries(1000);
    series.subscribed(snapshot(1, 3));
    series.came(ticks(1, 2, "E2"));
    expect(series.window().ticks.map(({ epoch, seq }) => `${epoch} ${seq}`)).toEqual(["E1 1", "E1 2", "E1 3", "E2 1", "E2 2"]);
    expect(series.window().gaps).toEqual([{ epoch: "E1", from: 4, to: undefined }]);
    expect(series.position).toEqual({ epoch: "E2", seq: 2 });
  });

  test("notes what the relay says is gone, and goes on behind it", () => {
    const series = new TickSeries(1000);
    series.subscribed(snapshot(1, 3));
    series.missed({ type: "gap", asset: "A", from: 4, to: 6 });
    series.came(ticks(7, 7));
    expect(seqs(series)).toEqual([1, 2, 3, 7]);
    expect(series.window().gaps).toEqual([{ epoch: "E1", from: 4, to: 6 }]);
  });

  test("keeps a summary as one entry that says what it covers", () => {
    const series = new TickSeries(1000);
    series.subscribed(snapshot(1, 3));
    const summary = { type: "ohlc", asset: "A", epoch: "E1", from: 4, to: 9, timestamp: 1009, o: 1, h: 4, l: 0.5, c: 2, n: 6 } as const;
    series.summed(summary);
    series.summed(summary);
    series.came(ticks(10, 10));
    expect(seqs(series)).toEqual([1, 2, 3, 9, 10]);
    expect(series.window().ticks[3]).toEqual({
      epoch: "E1", seq: 9, timestamp: 1009, price: 2, conflated: { from: 4, count: 6, open: 1, high: 4, low: 0.5 },
    });
    expect(series.window().gaps).toEqual([]);
  });

  test("keeps no more than its capacity, the newest, and few holes", () => {
    const series = new TickSeries(10);
    series.subscribed(snapshot(1, 3));
    for (let seq = 5; seq < 1000; seq += 2) series.came(ticks(seq, seq));
    expect(seqs(series)).toEqual([981, 983, 985, 987, 989, 991, 993, 995, 997, 999]);
    expect(series.window().gaps.length).toBe(20);
    expect(series.window().taken).toBe(3 + 498);
  });

  test("stands nowhere while the relay knows no tick", () => {
    const series = new TickSeries(10);
    series.subscribed({ type: "subscribed", asset: "A", recovered: false, epoch: null, seq: 0, snapshot: [] });
    expect(series.position).toBeUndefined();
    series.came(ticks(1, 1));
    expect(seqs(series)).toEqual([1]);
    expect(series.window().gaps).toEqual([]);
  });
});
