// QuFLX's hook for candles of the past, with its signature and its results: the relay's cache first, then its store.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Http, assetPath } from "../core/http.js";
import type { Candle } from "../core/types.js";
import { useTickwireIfAny } from "../hooks/provider.js";
import { type QuflxSocket, answer, messageOf } from "./socket.js";

export interface CsvCandle {
  readonly timestamp: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly date?: string;
}

export interface CsvDataOptions {
  /** Loads by itself where it is `csv`. */
  readonly dataSource?: string | undefined;
  readonly selectedAsset?: string | null | undefined;
  /** Taken and not used, as QuFLX's. */
  readonly selectedAssetFile?: unknown;
  readonly timeframe?: string | undefined;
  readonly isConnected?: boolean | undefined;
  readonly storeCsvCandles?: ((asset: string, candles: readonly CsvCandle[]) => unknown) | null | undefined;
  /** Without one: `window.socket`, where QuFLX keeps it. */
  readonly socket?: QuflxSocket | null | undefined;
}

export interface CsvData {
  /** Oldest first. */
  readonly data: readonly CsvCandle[];
  readonly loading: boolean;
  readonly error: string | null;
  /** `unknown`, `redis_cache`, `supabase` (the relay's store, whichever it is), `error`. */
  readonly source: string;
  readonly cacheHit: boolean;
  readonly loadData: () => Promise<void>;
  readonly clearCache: (asset: string, timeframe: string) => Promise<boolean>;
  readonly refreshCache: () => Promise<void>;
  readonly storeInBackend: (data: readonly CsvCandle[]) => Promise<void>;
}

interface Told {
  readonly asset?: string;
  readonly timeframe?: string;
  readonly data?: readonly CsvCandle[] | null;
  readonly source?: string;
}

type State = Pick<CsvData, "data" | "loading" | "error" | "source" | "cacheHit">;

const EMPTY: State = { data: [], loading: false, error: null, source: "unknown", cacheHit: false };
const ANSWER_WITHIN_MS = 1_000;
const REFRESH_MS = 5 * 60 * 1_000;
const LIMIT = 200;

export function useCsvData(options: CsvDataOptions): CsvData {
  const { dataSource, selectedAsset, timeframe = "1M", isConnected = false, storeCsvCandles, socket: given } = options;
  const [state, setState] = useState<State>(EMPTY);
  const turn = useRef(0);
  const http = useTickwireIfAny()?.http;

  const loadData = useCallback(async () => {
    if (!selectedAsset || !isConnected) return;
    const mine = ++turn.current;
    const put = (part: Partial<State>) => {
      if (mine === turn.current) setState((before) => ({ ...before, ...part }));
    };
    put({ loading: true, error: null });
    try {
      const socket = socketOf(given);
      const cached = await fromCache(socket, selectedAsset, timeframe);
      if (cached) {
        put({ data: cached, loading: false, source: "redis_cache", cacheHit: true });
        return;
      }
      const stored = await fromStore(http ?? httpOf(socket), selectedAsset, timeframe);
      put({ data: stored, loading: false, source: "supabase", cacheHit: false });
    } catch (error) {
      put({ data: [], loading: false, error: `Failed to load data: ${messageOf(error)}`, source: "error", cacheHit: false });
    }
  }, [selectedAsset, timeframe, isConnected, given, http]);

  const clearCache = useCallback(
    async (asset: string, tf: string) => {
      const socket = socketOf(given);
      const request = ["clear_cached_historical_data", { asset, timeframe: tf }] as const;
      const told = socket && (await answer<Told>(socket, request, "historical_data_cache_cleared", isOf(asset), ANSWER_WITHIN_MS));
      return told !== undefined;
    },
    [given],
  );

  const storeInBackend = useCallback(
    async (data: readonly CsvCandle[]) => {
      if (!isConnected || !storeCsvCandles || !selectedAsset || !data.length) return;
      try {
        await storeCsvCandles(selectedAsset, data);
      } catch (error) {
        setState((before) => ({ ...before, error: `Failed to store data: ${messageOf(error)}` }));
      }
    },
    [isConnected, storeCsvCandles, selectedAsset],
  );

  useEffect(() => {
    if (dataSource === "csv") void loadData();
    return () => {
      turn.current += 1; // an answer that comes later is of another asset, or nobody's
    };
  }, [dataSource, loadData]);

  useEffect(() => {
    if (!isConnected || !selectedAsset || dataSource !== "csv") return undefined;
    const interval = setInterval(() => void loadData(), REFRESH_MS);
    return () => clearInterval(interval);
  }, [isConnected, selectedAsset, dataSource, loadData]);

  return useMemo(
    () => ({ ...state, loadData, clearCache, refreshCache: loadData, storeInBackend }),
    [state, loadData, clearCache, storeInBackend],
  );
}

function socketOf(given: QuflxSocket | null | undefined): QuflxSocket | undefined {
  return given ?? (globalThis as { socket?: QuflxSocket }).socket;
}

const isOf = (asset: string) => (told: Told) => told?.asset === undefined || told.asset === asset;

/** Undefined where the cache has none, or does not answer. */
async function fromCache(socket: QuflxSocket | undefined, asset: string, timeframe: string): Promise<readonly CsvCandle[] | undefined> {
  if (!socket) return undefined;
  const request = ["get_cached_historical_data", { asset, timeframe }] as const;
  const told = await answer<Told>(socket, request, "cached_historical_data", isOf(asset), ANSWER_WITHIN_MS);
  return told?.source === "redis_cache" && told.data ? told.data : undefined;
}

async function fromStore(http: Http, asset: string, timeframe: string): Promise<readonly CsvCandle[]> {
  const query = new URLSearchParams({ timeframe, limit: `${LIMIT}` });
  const { candles } = await http.json<{ candles: readonly Candle[] }>(`api/v1/history/${assetPath(asset)}?${query}`);
  return candles.map(({ timestamp, open, high, low, close, volume }) => ({
    timestamp, open, high, low, close, volume, date: new Date(timestamp * 1000).toISOString(),
  }));
}

/** The relay that the socket speaks to: socket.io-client's manager knows its address. */
function httpOf(socket: QuflxSocket | undefined): Http {
  const { uri } = (socket as { io?: { uri?: string } } | undefined)?.io ?? {};
  const base = new URL(uri ?? "/", globalThis.document?.baseURI);
  base.protocol = base.protocol.replace("ws", "http");
  return new Http({
    base: () => `${base.origin}/`,
    token: () => (socket as { auth?: { token?: string } } | undefined)?.auth?.token,
    fetch: (input, init) => globalThis.fetch(input, init),
  });
}
