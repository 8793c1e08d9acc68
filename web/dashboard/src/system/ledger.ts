import type { Audit } from "../../../src";

export type Account = Audit["accounts"][number];

/** Rejected and lost ticks are told by reason. */
export function total(figure: unknown): number {
  if (typeof figure === "number") return figure;
  if (typeof figure !== "object" || figure === null) return 0;
  return Object.values(figure).reduce<number>((sum, each) => sum + (typeof each === "number" ? each : 0), 0);
}

/** Ticks that the account does not explain. */
export function off(account: Account): number {
  return Math.abs(total(account["unexplained_at_parse"])) + Math.abs(total(account["unexplained_after"]));
}
