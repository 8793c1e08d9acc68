import { describe, expect, it } from "vitest";
import { bytes, decimalsOf, latency, price, rate, signed, span, timeOfDay } from "../src/lib/format";
import { readPlace, writePlace } from "../src/lib/place";
import { off, total, type Account } from "../src/system/ledger";

describe("figures as people read them", () => {
  it("writes a price with the decimals of its asset and an absent one as a dash", () => {
    expect(decimalsOf(1.0845)).toBe(4);
    expect(decimalsOf(1e-7)).toBe(7);
    expect(decimalsOf(1.5e-7)).toBe(8);
    expect(price(1.08, 4)).toBe("1.0800");
    expect(price(undefined, 4)).toBe("–");
  });

  it("says no sign of what is nothing once it is rounded", () => {
    expect(signed(0.001, 2)).toBe("0.00");
    expect(signed(-0.5, 2)).toBe("−0.50");
    expect(signed(0.5, 2)).toBe("+0.50");
  });

  it("chooses units", () => {
    expect([latency(0.000123), latency(0.00123), latency(0.123), latency(1.5), latency(undefined)]).toEqual(["123 µs", "1.23 ms", "123.0 ms", "1.50 s", "–"]);
    expect([bytes(999), bytes(1500), bytes(2_390_936), bytes(undefined)]).toEqual(["999 B", "1.5 KB", "2.4 MB", "–"]);
    expect([rate(3), rate(1234.5), rate(Number.NaN)]).toEqual(["3.0", "1,235", "–"]);
    expect([span(59), span(61), span(7200), span(90_000)]).toEqual(["59 s", "1 min", "2 h 0 min", "1 d 1 h"]);
    expect(timeOfDay(1_767_700_800.5)).toBe("12:00:00.500");
  });
});

describe("the place in the address", () => {
  it("is what was written, for any name of an asset", () => {
    for (const asset of ["EURUSD_otc", "#AAPL_otc", "XBT/USD", "A&B=C"]) {
      for (const view of ["market", "system"] as const) {
        expect(readPlace(writePlace({ view, asset, timeframe: "5m" }))).toEqual({ view, asset, timeframe: "5m" });
      }
    }
  });

  it("is the market by the minute where the address says nothing of use", () => {
    for (const hash of ["", "#", "#timeframe=7m&view=moon", "#timeframe=constructor"]) {
      expect(readPlace(hash)).toEqual({ view: "market", asset: null, timeframe: "1m" });
    }
  });
});

describe("an account of the ledger", () => {
  it("sums what is told by reason", () => {
    expect([total({ bad_price: 2, bad_stamp: 3 }), total(4), total(null), total({})]).toEqual([5, 4, 0, 0]);
  });

  it("is off by what neither side explains, whatever the sign", () => {
    const account = { unexplained_at_parse: -2, unexplained_after: 3 } as unknown as Account;
    expect(off(account)).toBe(5);
  });
});
