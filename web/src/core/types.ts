// What hooks hand out. Times are seconds UTC, as on the wire.

/** One price. `seq` grows by one with each tick of an asset within an `epoch`. */
export interface Tick {
  readonly epoch: string;
  readonly seq: number;
  readonly timestamp: number;
  readonly price: number;
  /** Where this client was slow: this entry sums up the ticks `from` … `seq`, of which `price` is the last. */
  readonly conflated?: Conflated;
}

export interface Conflated {
  readonly from: number;
  readonly count: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
}

/** Ticks that can't be had any more. `to` is undefined where nobody knows how many. */
export interface Gap {
  readonly epoch: string;
  readonly from: number;
  readonly to: number | undefined;
}

export interface TickWindow {
  /** Oldest first. */
  readonly ticks: readonly Tick[];
  readonly last: Tick | undefined;
  /** The latest holes. */
  readonly gaps: readonly Gap[];
  readonly epoch: string | undefined;
  /** Ticks taken in since the first subscription, those of snapshots included. */
  readonly taken: number;
}

export type Quality = "live" | "backfilled" | "partial" | "gap";

/** `timestamp` is the opening second. A bucket without a tick has no candle. */
export interface Candle {
  readonly timestamp: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly is_closed: boolean;
  readonly timeframe: string;
  readonly ticks: number;
  readonly quality: Quality;
}

export type FeedState = "connecting" | "live" | "stale" | "down" | "ended";
export type LinkState = "connecting" | "up" | "degraded";

export interface FeedStatus {
  readonly feed: FeedState;
  readonly redis: LinkState;
}

export type ConnectionState =
  | { readonly name: "idle" }
  | { readonly name: "connecting" }
  | { readonly name: "open" }
  /** The next attempt is at `retryAt`, by `Date.now()`. */
  | { readonly name: "waiting"; readonly retryAt: number; readonly code: number; readonly reason: string };

/** idle: nothing is asked for. loading: no data yet. stale: data, but not of now. error: no data, and why. */
export type QueryStatus = "idle" | "loading" | "live" | "stale" | "error";

export interface Query<T> {
  readonly data: T;
  readonly error: TickwireError | null;
  readonly status: QueryStatus;
  readonly isStale: boolean;
}

/** `code` is the relay's (docs/http.md), or `unreachable`, `timeout`, `malformed`. */
export class TickwireError extends Error {
  readonly code: string;
  readonly httpStatus: number | undefined;

  constructor(code: string, message: string, httpStatus?: number) {
    super(message);
    this.name = "TickwireError";
    this.code = code;
    this.httpStatus = httpStatus;
  }
}

// -- what HTTP answers

export interface AssetInfo {
  readonly asset: string;
  readonly source: string | null;
  readonly price: number | null;
  readonly timestamp: number | null;
  readonly seq: number | null;
  readonly epoch: string | null;
  /** Ticks a second. */
  readonly rate: number;
  readonly stale: boolean;
  readonly buffered: number;
}

export interface LinkInfo {
  readonly state: string;
  readonly detail?: string | null;
}

export interface StoreInfo extends LinkInfo {
  readonly owners?: Readonly<Record<string, unknown>>;
  readonly last_batch_rows?: number | null;
  readonly pending?: number | null;
  readonly catching_up?: boolean;
  readonly rate?: number | null;
  readonly eta_s?: number | null;
  readonly quarantined?: number | null;
}

export interface RelayStatus {
  readonly ok: boolean;
  readonly system: {
    readonly collector: string;
    readonly stream: string;
    readonly last_tick_ts: number | null;
    readonly last_tick_asset: string | null;
  };
  readonly feeds: Readonly<Record<string, LinkInfo>>;
  readonly redis: LinkInfo;
  readonly store: StoreInfo;
  readonly version: string;
  readonly timestamp: number | string;
}

export interface ActorInfo {
  readonly id: string;
  readonly state: string;
  readonly incarnation: number;
  readonly restarts: number;
  readonly last_error: string | null;
  readonly mailbox_depth: number;
  readonly oldest_age_s: number | null;
}

export interface AuditAccount {
  readonly asset: string;
  readonly received: number;
  readonly parsed: number;
  readonly rejected: number;
  readonly duplicates: number;
  readonly stored: number;
  readonly quarantined: number;
  readonly pending: number;
  readonly lost: number;
  readonly [figure: string]: string | number | boolean | null;
}

export interface Audit {
  readonly balanced: boolean;
  readonly unreadable_entries: number;
  readonly accounts: readonly AuditAccount[];
  readonly holes: readonly { readonly asset: string; readonly from_us: number; readonly to_us: number; readonly reason: string }[];
}
