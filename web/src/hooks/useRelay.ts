// How the relay is: its feed and connection as they change, the rest by asking again and again.

import { useMemo } from "react";
import type { Http } from "../core/http.js";
import { type Metrics, parseMetrics } from "../core/prometheus.js";
import type { ActorInfo, AssetInfo, Audit, ConnectionState, FeedStatus, Query, RelayStatus } from "../core/types.js";
import { useTickwire } from "./provider.js";
import { loading, useReadable } from "./useReadable.js";

export interface PollOptions {
  readonly intervalMs?: number | undefined;
  /** False: nothing is asked. */
  readonly enabled?: boolean | undefined;
}

export interface PolledQuery<T> extends Query<T | undefined> {
  /** Ask now. */
  readonly refetch: () => Promise<void>;
}

const IDLE: Query<undefined> = { data: undefined, error: null, status: "idle", isStale: false };
const LOADING = loading(IDLE);
const NOT_CONNECTED: ConnectionState = { name: "idle" };
const nothing = async () => {};

type Read<T> = (http: Http, signal: AbortSignal) => Promise<T>;

/** `key` says what `read` asks for: hooks of one key and interval share one question. */
function usePolled<T>(key: string, read: Read<T>, everyMs: number, { intervalMs = everyMs, enabled = true }: PollOptions): PolledQuery<T> {
  const client = useTickwire();
  const polled = useMemo(() => (enabled ? client.polled(key, intervalMs, read) : undefined), [client, key, intervalMs, enabled]);
  const query = useReadable<Query<T | undefined>>(polled, IDLE, LOADING);
  return useMemo(() => ({ ...query, refetch: polled?.refetch ?? nothing }), [query, polled]);
}

/** The socket to the relay: `waiting` has the time of the next attempt. Watching it opens no connection. */
export function useConnection(): ConnectionState {
  return useReadable(useTickwire().connection, NOT_CONNECTED);
}

/** The feed's and Redis' state, told by the relay with every change. */
export function useFeedStatus(): Query<FeedStatus | undefined> {
  return useReadable<Query<FeedStatus | undefined>>(useTickwire().feed, IDLE, LOADING);
}

/** GET /api/v1/status, every two seconds. */
export function useRelayStatus(options: PollOptions = {}): PolledQuery<RelayStatus> {
  return usePolled("status", (http, signal) => http.json<RelayStatus>("api/v1/status", signal), 2_000, options);
}

export interface UseAssetsOptions extends PollOptions {
  /** Also assets that a feed has listed and that have no tick yet. */
  readonly announced?: boolean | undefined;
}

/** GET /api/v1/assets, every three seconds. */
export function useAssets({ announced = false, ...options }: UseAssetsOptions = {}): PolledQuery<readonly AssetInfo[]> {
  const path = `api/v1/assets${announced ? "?announced=1" : ""}`;
  return usePolled(path, async (http, signal) => (await http.json<{ assets: AssetInfo[] }>(path, signal)).assets, 3_000, options);
}

/** GET /api/v1/actors, every two seconds. */
export function useActors(options: PollOptions = {}): PolledQuery<readonly ActorInfo[]> {
  const path = "api/v1/actors";
  return usePolled(path, async (http, signal) => (await http.json<{ actors: ActorInfo[] }>(path, signal)).actors, 2_000, options);
}

/** GET /metrics, every two seconds, parsed: `metricValue(data, "tickwire_gateway_clients")`. */
export function useMetrics(options: PollOptions = {}): PolledQuery<Metrics> {
  return usePolled("metrics", async (http, signal) => parseMetrics(await http.text("metrics", signal)), 2_000, options);
}

export interface UseAuditOptions extends PollOptions {
  /** Whole seconds UTC. */
  readonly since?: number | undefined;
  readonly asset?: string | undefined;
}

/** GET /api/v1/audit, every ten seconds: the ledger. */
export function useAudit({ since, asset, ...options }: UseAuditOptions = {}): PolledQuery<Audit> {
  const query = new URLSearchParams();
  if (since !== undefined) query.set("since", `${since}`);
  if (asset !== undefined) query.set("asset", asset);
  const path = `api/v1/audit${query.size ? `?${query}` : ""}`;
  return usePolled(path, (http, signal) => http.json<Audit>(path, signal), 10_000, options);
}
