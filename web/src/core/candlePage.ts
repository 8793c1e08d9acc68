// Candles over HTTP, as the relay pages them (docs/http.md).

import { type Http, assetPath } from "./http.js";
import type { Candle } from "./types.js";

export interface CandlePage {
  /** Oldest first. */
  readonly candles: readonly Candle[];
  /** The `to` of the page before this one. */
  readonly older: number | undefined;
  /** The relay is still reading what this may lack, for whoever asks again. */
  readonly stale: boolean;
}

export interface PageAsked {
  readonly asset: string;
  /** As the relay spells it. */
  readonly timeframe: string;
  readonly limit: number;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export const STALE_AGAIN_MS = 1_000;
export const STALE_TRIES = 3;

interface Answer {
  readonly candles: readonly Candle[];
  readonly older?: number | null;
  readonly stale?: boolean;
}

export async function candlePage(http: Http, { asset, timeframe, limit, from, to }: PageAsked, signal: AbortSignal): Promise<CandlePage> {
  const query = new URLSearchParams({ timeframe, limit: `${limit}` });
  if (from !== undefined) query.set("from", `${from}`);
  if (to !== undefined) query.set("to", `${to}`);
  const { candles, older, stale } = await http.json<Answer>(`api/v1/candles/${assetPath(asset)}?${query}`, signal);
  return { candles, older: older ?? undefined, stale: stale === true };
}
