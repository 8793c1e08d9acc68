// The order of the watchlist, as the trader chose it.

import type { AssetInfo } from "../../../src";
import { Choice } from "./choice";

export type By = "name" | "change" | "rate";

/** With a minus: from the greatest down. */
export type Order = By | `-${By}`;

const ORDERS: readonly Order[] = ["name", "-name", "change", "-change", "rate", "-rate"];

export const chosenOrder = new Choice<Order>("tickwire.order", (kept) => ORDERS.find((each) => each === kept) ?? "name");

export function byOf(order: Order): By {
  return order.replace("-", "") as By;
}

/** What a column's button does: its own order, names from A, figures from the greatest; pressed again the other way round. */
export function pressed(order: Order, by: By): Order {
  const first: Order = by === "name" ? by : `-${by}`;
  if (order !== first) return first;
  return by === "name" ? `-${by}` : by;
}

/** What has no such figure is last, either way; what is equal is in the order of names. */
export function ordered(assets: readonly AssetInfo[], order: Order, changeOf: (info: AssetInfo) => number | undefined): readonly AssetInfo[] {
  const by = byOf(order);
  const sign = order === by ? 1 : -1;
  const byName = (a: AssetInfo, b: AssetInfo) => (a.asset < b.asset ? -1 : 1);
  if (by === "name") return [...assets].sort((a, b) => sign * byName(a, b));
  const figures = new Map(assets.map((info) => [info, by === "rate" ? info.rate : changeOf(info)]));
  return [...assets].sort((a, b) => {
    const [one, other] = [figures.get(a), figures.get(b)];
    if (one === other) return byName(a, b);
    if (one === undefined || other === undefined) return one === undefined ? 1 : -1;
    return sign * (one - other);
  });
}
