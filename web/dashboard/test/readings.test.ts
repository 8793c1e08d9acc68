import { describe, expect, it } from "vitest";
import { Readings, STORE_WINDOW_MS, read } from "../src/lib/readings";

const reading = (at: number, figures: Readonly<Record<string, number>>) => read(at, (name) => figures[`${name.replace("tickwire_", "")}`]);

describe("what flows, out of two readings", () => {
  it("divides what was counted by the time between", () => {
    const readings = new Readings();
    readings.add(reading(0, { feed_ticks_total: 100, publish_seconds_sum: 1, publish_seconds_count: 10 }));
    const [flow] = readings.add(reading(2000, { feed_ticks_total: 150, publish_seconds_sum: 1.5, publish_seconds_count: 20 }));
    expect(flow?.received).toBe(25);
    expect(flow?.publishS).toBeCloseTo(0.05);
  });

  it("knows no rate of what is not told and no latency of what did not happen", () => {
    const readings = new Readings();
    const figures = { commit: 0, publish_seconds_sum: 1, publish_seconds_count: 10 };
    readings.add(reading(0, figures));
    const [flow] = readings.add(reading(2000, figures));
    expect(flow?.received).toBeUndefined();
    expect(flow?.publishS).toBeUndefined();
  });

  it("looks back as far as the window, so that a store that is written now and then has a steady rate", () => {
    const readings = new Readings();
    let flows: ReturnType<Readings["add"]> = [];
    for (let at = 0; at <= 300_000; at += 2000) flows = readings.add(reading(at, { rows_stored_total: Math.floor(at / 30_000) * 300 }));
    const settled = flows.slice(STORE_WINDOW_MS / 2000);
    expect(settled.length).toBeGreaterThan(100);
    for (const { stored } of settled) expect(stored).toBe(10);
  });

  it("begins anew with a relay that counts from nothing", () => {
    const readings = new Readings();
    readings.add(reading(0, { feed_ticks_total: 100 }));
    expect(readings.add(reading(2000, { feed_ticks_total: 200 }))).toHaveLength(1);
    expect(readings.add(reading(4000, { feed_ticks_total: 10 }))).toEqual([]);
    expect(readings.add(reading(6000, { feed_ticks_total: 30 }))[0]?.received).toBe(10);
  });

  it("keeps a bounded past", () => {
    const readings = new Readings();
    let flows: ReturnType<Readings["add"]> = [];
    for (let i = 0; i < 2000; i += 1) flows = readings.add(reading(i * 2000, { feed_ticks_total: i }));
    expect(flows.length).toBe(400);
    expect(flows.at(-1)?.at).toBe(1999 * 2000);
  });
});
