import { describe, expect, it } from "vitest";
import type { AssetInfo } from "../../src";
import { ordered, pressed, type Order } from "../src/lib/order";

const asset = (name: string, rate: number): AssetInfo => ({
  asset: name, source: "a", price: 1, timestamp: 0, seq: 1, epoch: "E", rate, stale: false, buffered: 0,
});

const ASSETS = [asset("B", 2), asset("D", 7), asset("A", 2), asset("C", 1)];
const CHANGES: Readonly<Record<string, number>> = { A: -0.5, B: 0.1, D: -2 };
const names = (order: Order) => ordered(ASSETS, order, (info) => CHANGES[info.asset]).map((info) => info.asset).join("");

describe("the watchlist's order", () => {
  it("is by name, by change, by rate, up and down, equal ones by name", () => {
    expect([names("name"), names("-name")]).toEqual(["ABCD", "DCBA"]);
    expect([names("rate"), names("-rate")]).toEqual(["CABD", "DABC"]);
  });

  it("has those whose change nobody knows at the end, either way", () => {
    expect([names("change"), names("-change")]).toEqual(["DABC", "BADC"]);
  });

  it("turns round when its button is pressed again, and begins with the greatest figure, or with A", () => {
    expect(pressed("name", "rate")).toBe("-rate");
    expect(pressed("-rate", "rate")).toBe("rate");
    expect(pressed("rate", "rate")).toBe("-rate");
    expect(pressed("-rate", "name")).toBe("name");
    expect(pressed("name", "name")).toBe("-name");
  });
});
