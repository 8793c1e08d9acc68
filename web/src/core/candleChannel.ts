// The candles of an asset in a timeframe: history over HTTP, asked for once the live ones are known to come.

import { STALE_AGAIN_MS, STALE_TRIES, candlePage } from "./candlePage.js";
import { CandleSeries } from "./candleSeries.js";
import { Channel, type Line } from "./channel.js";
import type { Http } from "./http.js";
import type { CandleMessage, ClientMessage, Subscribed } from "./protocol.js";
import { isAsset } from "./protocol.js";
import { canonicalTimeframe } from "./timeframes.js";
import { type Candle, TickwireError } from "./types.js";

export const CANDLES_KEPT = 200;
const MOST = 5000; // the relay's
const RETRY_MS = 2_000;
const RETRY_LONGEST_MS = 30_000;

export class CandleChannel extends Channel<readonly Candle[]> {
  private series = new CandleSeries(CANDLES_KEPT);
  private loading: AbortController | undefined;
  private loadedLimit = 0;
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private refresh: ReturnType<typeof setTimeout> | undefined;
  private refreshes = 0;

  constructor(
    line: Line,
    private readonly http: Http,
    asset: string,
    readonly timeframe: string,
  ) {
    super(line, asset);
    if (!isAsset(asset)) this.error = new TickwireError("bad_asset", `${asset.slice(0, 40)} is no asset`);
    else if (!canonicalTimeframe(timeframe)) this.error = new TickwireError("bad_timeframe", `${timeframe} is no timeframe`);
  }

  /** Somebody wants so many candles; more than are there are asked for. */
  reserve(limit: number): void {
    const wanted = Math.min(limit, MOST);
    if (wanted <= this.series.capacity) return;
    this.series.capacity = wanted;
    if (this.joined) void this.load();
  }

  override onSubscribed(message: Subscribed): void {
    super.onSubscribed(message);
    this.refreshes = 0;
    void this.load();
  }

  onCandle(message: CandleMessage): void {
    const { type: _type, asset: _asset, ...candle } = message;
    this.series.came(candle);
    this.changed();
  }

  override onConnection(): void {
    super.onConnection();
    if (!this.joined) this.stopLoading();
  }

  protected request(): ClientMessage {
    return { type: "subscribe", asset: this.asset, mode: "candles", timeframe: this.timeframe };
  }

  protected data(): readonly Candle[] {
    return this.series.window();
  }

  protected get hasData(): boolean {
    return this.loadedLimit > 0;
  }

  protected override get isLoaded(): boolean {
    return this.loadedLimit > 0 && this.loading === undefined && this.retry === undefined;
  }

  protected forget(): void {
    this.stopLoading();
    this.series = new CandleSeries(CANDLES_KEPT);
    this.loadedLimit = 0;
  }

  private async load(): Promise<void> {
    this.stopLoading();
    const loading = new AbortController();
    this.loading = loading;
    const limit = this.series.capacity;
    try {
      const { candles, stale } = await candlePage(this.http, { asset: this.asset, timeframe: this.timeframe, limit }, loading.signal);
      if (loading.signal.aborted) return;
      this.series.loaded(candles);
      this.loadedLimit = limit;
      this.failures = 0;
      this.error = null;
      if (stale && ++this.refreshes < STALE_TRIES) this.refresh = setTimeout(() => void this.load(), STALE_AGAIN_MS);
    } catch (error) {
      if (loading.signal.aborted) return;
      this.error = error instanceof TickwireError ? error : new TickwireError("malformed", String(error));
      const delay = Math.min(RETRY_LONGEST_MS, RETRY_MS * 2 ** this.failures++);
      this.retry = setTimeout(() => void this.load(), delay);
    }
    this.loading = undefined;
    this.changed();
  }

  private stopLoading(): void {
    clearTimeout(this.retry);
    clearTimeout(this.refresh);
    this.retry = undefined;
    this.loading?.abort();
    this.loading = undefined;
  }
}
