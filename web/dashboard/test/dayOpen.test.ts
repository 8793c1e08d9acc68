import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DayOpens } from "../src/lib/dayOpen";

const MIDNIGHT = 1_767_657_600;

beforeEach(() => {
  vi.useFakeTimers({ now: (MIDNIGHT + 3600) * 1000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const nothing = () => {};

describe("today's opens", () => {
  it("are asked for two at a time, each asset once, however many rows show it", async () => {
    let open = 0;
    let most = 0;
    const fetch = vi.fn(async () => {
      most = Math.max(most, ++open);
      await new Promise((done) => setTimeout(done, 100));
      open -= 1;
      return { candles: [{ timestamp: MIDNIGHT, open: 1.5 }] };
    });
    const opens = new DayOpens(fetch);
    for (let i = 0; i < 10; i += 1) for (let row = 0; row < 2; row += 1) opens.subscribe(`A${i}`, nothing);
    await vi.advanceTimersByTimeAsync(1000);
    expect([fetch.mock.calls.length, most]).toEqual([10, 2]);
    expect(opens.get("A9")).toEqual({ day: MIDNIGHT, open: 1.5 });
  });

  it("are asked for again on the next day", async () => {
    const fetch = vi.fn(async () => ({ candles: [{ timestamp: Math.floor(Date.now() / 86_400_000) * 86_400, open: Date.now() }] }));
    const opens = new DayOpens(fetch);
    const heard = vi.fn();
    opens.subscribe("A", heard);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([fetch.mock.calls.length, heard.mock.calls.length]).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(86_400_000 - 60_000);
    expect(opens.get("A")?.day).toBe(MIDNIGHT + 86_400);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it("that failed are asked for again while a row shows the asset, and not for ever", async () => {
    const fetch = vi.fn(async () => {
      throw new Error("no");
    });
    const opens = new DayOpens(fetch);
    const leave = opens.subscribe("A", nothing);
    await vi.advanceTimersByTimeAsync(65_000);
    expect(fetch).toHaveBeenCalledTimes(3);
    leave();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(fetch).toHaveBeenCalledTimes(3);
  });
});
