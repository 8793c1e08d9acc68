import { useMemo } from "react";
import { CANDLES_KEPT, type CandleChannel } from "../core/candleChannel.js";
import { type HistoryOptions, HistoryPages, type HistoryView } from "../core/historyPages.js";
import type { Candle, Query } from "../core/types.js";
import { useTickwire } from "./provider.js";
import { loading, useReadable } from "./useReadable.js";

export interface UseCandlesOptions {
  /** Most candles, the newest; the relay gives 5000. */
  readonly limit?: number | undefined;
}

const NO_CANDLES: readonly Candle[] = [];
const IDLE: Query<readonly Candle[]> = { data: NO_CANDLES, error: null, status: "idle", isStale: false };
const LOADING = loading(IDLE);

/** An asset's last candles, oldest first, the forming one last: history with the live ones laid over it, each bucket once. */
export function useCandles(
  asset: string | null | undefined,
  timeframe: string,
  { limit = CANDLES_KEPT }: UseCandlesOptions = {},
): Query<readonly Candle[]> {
  const client = useTickwire();
  const channel = useMemo(
    () => (asset ? reserving(client.candles(asset, timeframe), limit) : undefined),
    [client, asset, timeframe, limit],
  );
  const query = useReadable(channel, IDLE, LOADING);
  return useMemo(() => (query.data.length > limit ? { ...query, data: query.data.slice(query.data.length - limit) } : query), [query, limit]);
}

function reserving(channel: CandleChannel, limit: number) {
  const subscribe = (listener: () => void) => {
    channel.reserve(limit);
    return channel.subscribe(listener);
  };
  return { subscribe, get: channel.get };
}

export interface HistoryQuery extends HistoryView {
  /** Adds the page before the first candle. */
  readonly loadOlder: () => Promise<void>;
  /** All anew, from the newest page. */
  readonly refetch: () => Promise<void>;
}

const NO_HISTORY: HistoryView = { ...IDLE, hasOlder: false, isLoadingOlder: false };
const LOADING_HISTORY = loading(NO_HISTORY);
const nothing = async () => {};

/** Candles of the past, oldest first, loaded backwards a page at a time. */
export function useHistory(asset: string | null | undefined, timeframe: string, options: HistoryOptions = {}): HistoryQuery {
  const client = useTickwire();
  const { from, to, limit } = options;
  const pages = useMemo(() => {
    const wanted = { from, to, ...(limit === undefined ? {} : { limit }) };
    return asset ? new HistoryPages(client, asset, timeframe, wanted) : undefined;
  }, [client, asset, timeframe, from, to, limit]);
  const view = useReadable(pages, NO_HISTORY, LOADING_HISTORY);
  return useMemo(
    () => ({ ...view, loadOlder: pages?.loadOlder ?? nothing, refetch: pages?.refetch ?? nothing }),
    [view, pages],
  );
}
