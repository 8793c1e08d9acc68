// Candles of the past, a page after the other, backwards.

import { type CandlePage, STALE_AGAIN_MS, STALE_TRIES, candlePage } from "./candlePage.js";
import { Cell } from "./cell.js";
import type { TickwireClient } from "./client.js";
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
  private older: number | undefined;
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
    this.loading = this.candles = this.older = undefined;
    this.hasOlder = true;
    await this.loadOlder();
  };

  protected override onWatched(): void {
    if (this.candles === undefined) void this.loadOlder();
  }

  protected override onLeft(): void {
    this.loading?.abort();
    this.loading = undefined;
    this.changed();
  }

  protected build(): HistoryView {
    const { candles, error } = this;
    const status: QueryStatus = candles === undefined ? (error ? "error" : "loading") : error ? "stale" : "live";
    const hasOlder = this.hasOlder && candles !== undefined;
    return { data: candles ?? [], error, status, isStale: status === "stale", hasOlder, isLoadingOlder: this.loading !== undefined };
  }

  private async page(signal: AbortSignal): Promise<CandlePage> {
    const timeframe = canonicalTimeframe(this.timeframe);
    if (!timeframe) throw new TickwireError("bad_timeframe", `${this.timeframe} is no timeframe`);
    const { asset, limit, options } = this;
    const asked = { asset, timeframe, limit, from: options.from, to: this.older ?? options.to };
    for (let tries = STALE_TRIES; ; tries--) {
      const page = await candlePage(this.client.http, asked, signal);
      if (!page.stale || tries <= 1) return page;
      await new Promise((resolve) => setTimeout(resolve, STALE_AGAIN_MS));
      signal.throwIfAborted();
    }
  }

  private take({ candles, older }: CandlePage): void {
    const { from } = this.options;
    this.candles = [...candles, ...(this.candles ?? [])];
    this.older = older;
    this.hasOlder = older !== undefined && !(from !== undefined && older <= from);
  }
}
