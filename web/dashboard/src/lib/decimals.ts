import { decimalsOf } from "./format";

const KEPT = 2000;
const known = new Map<string, number>();

/** Most decimals that a price of the asset was ever written with: 1.0870 keeps its zero beside 1.0871. */
export function decimalsOfAsset(asset: string, ...prices: readonly (number | null | undefined)[]): number {
  let most = known.get(asset) ?? 0;
  for (const price of prices) if (typeof price === "number") most = Math.max(most, decimalsOf(price));
  if (known.size > KEPT) known.clear();
  known.set(asset, most);
  return most;
}
