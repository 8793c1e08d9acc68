// Candles of the past, a page after the other, backwards.

import { Cell } from "./cell.js";
import type { TickwireClient } from "./client.js";
import { assetPath } from "./http.js";
import { canonicalTimeframe } from "./timeframes.js";
import { type Candle, type Query, type QueryStatus, TickwireError } from "./types.js";

export interface HistoryOptions {
  /** Whole seconds UTC, inclusive. */
  readonly from?: number | undefined;
  /** Whole seconds UTC, exclusive. Without it: up to now, at the time of the first page. */
  readonly to?: number | undefined;
  /** Candles a page. */
  readonly limit?: number;
}

export interface HistoryView extends Query<readonly Candle[]> {
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
}

const PAGE = 500;

export class HistoryPages extends Cell<HistoryView> {
  private candles: readonly Candle[] | undefined;
  private error: TickwireError | null = null;
  private loading: AbortController | undefined;
  private hasOlder = true;
  private readonly limit: number;

  constructor(
    private readonly client: TickwireClient,
    private readonly asset: string,
    private readonly timeframe: string,
    private readonly options: HistoryOptions = {},
  ) {
    super(client.frames);
    this.limit = Math.min(options.limit ?? PAGE, 5000);
  }

  /** The page before the first candle; again after an error. Ends when it is there or has failed. */
  readonly loadOlder = async (): Promise<void> => {
    if (this.loading || !this.hasOlder) return;
    const loading = new AbortController();
    this.loading = loading;
    this.changed();
    try {
      const page = await this.page(loading.signal);
      if (loading.signal.aborted) return;
      this.take(page);
      this.error = null;
    } catch (error) {
      if (loading.signal.aborted) return;
      this.error = error instanceof TickwireError ? error : new TickwireError("malformed", String(error));
    }
    this.loading = undefined;
    this.changed();
  };

  /** All anew, from the newest page. */
  readonly refetch = async (): Promise<void> => {
    this.loading?.abort();
    this.loading = this.candles = undefined;
    this.hasOlder = true;
    await this.loadOlder();
  };

  protected override onWatched(): void {
    if (this.candles === undefined) void this.loadOlder();
  }

  protected override onLeft(): void {
    this.loading?.abort();
    this.loading = undefined;
  }

  protected build(): HistoryView {
    const { candles, error } = this;
    const status: QueryStatus = candles === undefined ? (error ? "error" : "loading") : error ? "stale" : "live";
    const hasOlder = this.hasOlder && candles !== undefined;
    return { data: candles ?? [], error, status, isStale: status === "stale", hasOlder, isLoadingOlder: this.loading !== undefined };
  }

  private async page(signal: AbortSignal): Promise<readonly Candle[]> {
    const timeframe = canonicalTimeframe(this.timeframe);
    if (!timeframe) throw new TickwireError("bad_timeframe", `${this.timeframe} is no timeframe`);
    const query = new URLSearchParams({ timeframe, limit: `${this.limit}` });
    if (this.options.from !== undefined) query.set("from", `${this.options.from}`);
    const to = this.candles?.[0]?.timestamp ?? this.options.to;
    if (to !== undefined) query.set("to", `${to}`);
    const path = `api/v1/candles/${assetPath(this.asset)}?${query}`;
    return (await this.client.http.json<{ candles: readonly Candle[] }>(path, signal)).candles;
  }

  private take(page: readonly Candle[]): void {
    const first = this.candles?.[0]?.timestamp ?? Infinity;
    const older = page.filter(({ timestamp }) => timestamp < first);
    this.candles = [...older, ...(this.candles ?? [])];
    const oldest = this.candles[0]?.timestamp ?? -Infinity;
    this.hasOlder = older.length > 0 && page.length >= this.limit && !(this.options.from !== undefined && oldest <= this.options.from);
  }
}
