// All that a page knows of one relay: one socket for everything, opened by the first subscription, closed after the last.

import type { BackoffOptions } from "./backoff.js";
import { CandleChannel } from "./candleChannel.js";
import type { Readable } from "./cell.js";
import type { AnyChannel, Line } from "./channel.js";
import { Connection, type MakeSocket, type Socket } from "./connection.js";
import { Frames } from "./frames.js";
import { Http } from "./http.js";
import { Polled } from "./polled.js";
import type { ClientMessage, ErrorMessage, ServerMessage, StatusMessage, Subscribed } from "./protocol.js";
import { FeedCell, StateCell } from "./stateCells.js";
import { TickChannel } from "./tickChannel.js";
import { canonicalTimeframe } from "./timeframes.js";
import { type ConnectionState, type FeedStatus, type Query, TickwireError } from "./types.js";

export interface TickwireOptions {
  /** Where the relay is: `http://127.0.0.1:3001`. Without one: where the page came from. */
  readonly url?: string | undefined;
  /** A token, where the relay asks for one. */
  readonly token?: string | undefined;
  /** How long an unwatched subscription is kept: a component that moves does not ask anew. */
  readonly lingerMs?: number;
  readonly backoff?: BackoffOptions;
  readonly makeSocket?: MakeSocket;
  readonly fetch?: typeof globalThis.fetch;
}

const LINGER_MS = 2_000;
const POLLS_KEPT = 50; // `since` and intervals make ever new ones

export class TickwireClient implements Line {
  readonly frames = new Frames();
  readonly lingerMs: number;
  readonly http: Http;
  readonly connection: Readable<ConnectionState>;
  readonly feed: Readable<Query<FeedStatus | undefined>>;
  private readonly socket: Connection;
  private readonly state: StateCell;
  private readonly feedCell: FeedCell;
  private readonly ticksOf = new Map<string, TickChannel>();
  private readonly candlesOf = new Map<string, CandleChannel>();
  private readonly polls = new Map<string, Polled<unknown>>();
  private readonly joined = new Set<AnyChannel>();
  private token: string | undefined;
  private whyClosed: TickwireError | null = null;

  constructor(private readonly options: TickwireOptions = {}) {
    this.token = options.token;
    this.lingerMs = options.lingerMs ?? LINGER_MS;
    this.http = new Http({
      base: () => this.base(),
      token: () => this.token,
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    });
    this.socket = new Connection(
      {
        address: () => this.address(),
        onState: (state) => this.onState(state),
        onMessage: (message) => this.onMessage(message),
      },
      options.makeSocket ?? ((url, protocol) => new WebSocket(url, protocol) as Socket),
      options.backoff,
    );
    this.connection = this.state = new StateCell(this.frames);
    this.feed = this.feedCell = new FeedCell(this);
  }

  /** Used from the next connection and request on; one that waits for its next attempt makes it now. */
  setToken(token: string | undefined): void {
    if (token === this.token) return;
    this.token = token;
    this.socket.hurry();
  }

  // -- what can be watched

  ticks(asset: string): TickChannel {
    return kept(this.ticksOf, asset, () => new TickChannel(this, asset));
  }

  candles(asset: string, timeframe: string): CandleChannel {
    const canonical = canonicalTimeframe(timeframe) ?? timeframe;
    return kept(this.candlesOf, `${canonical} ${asset}`, () => new CandleChannel(this, this.http, asset, canonical));
  }

  /** `read` is asked every `intervalMs`, once for all who give the same `key`. */
  polled<T>(key: string, intervalMs: number, read: (http: Http, signal: AbortSignal) => Promise<T>): Polled<T> {
    const make = () => new Polled<unknown>(this.frames, (signal) => read(this.http, signal), intervalMs);
    if (this.polls.size >= POLLS_KEPT) dropUnwatched(this.polls);
    return kept(this.polls, `${intervalMs} ${key}`, make) as Polled<T>;
  }

  // -- a channel's line

  get isOpen(): boolean {
    return this.socket.isOpen;
  }

  get failure(): TickwireError | null {
    return this.whyClosed;
  }

  get feedIsQuiet(): boolean {
    const feed = this.feedCell.status?.feed;
    return feed === "stale" || feed === "down" || feed === "connecting";
  }

  join(channel: AnyChannel): void {
    this.joined.add(channel);
    this.socket.start();
    channel.ask();
  }

  leave(channel: AnyChannel): void {
    this.joined.delete(channel);
    if (this.joined.size === 0 && !this.feedCell.held) {
      this.socket.stop();
      return;
    }
    if (!channel.asset) return;
    this.socket.send({ type: "unsubscribe", asset: channel.asset });
    for (const other of this.joined) if (other.asset === channel.asset) other.ask(); // it ended the others, too
  }

  send(message: ClientMessage): void {
    this.socket.send(message);
  }

  /** The feed's state is watched: the connection is wanted, or not any more. */
  hold(wanted: boolean): void {
    if (wanted) this.socket.start();
    else if (this.joined.size === 0) this.socket.stop();
  }

  // -- the connection's events

  private onState(state: ConnectionState): void {
    this.state.set(state);
    if (state.name === "open") {
      this.whyClosed = null;
      for (const channel of this.joined) channel.ask();
    } else if (state.name === "waiting") {
      this.whyClosed = lossOf(state.code, state.reason);
      if (state.code === 1006) void this.askWhy();
    } else if (state.name === "idle") {
      this.whyClosed = null;
      this.feedCell.clear();
    }
    if (state.name !== "connecting") this.tellAll();
  }

  private tellAll(): void {
    for (const channel of this.joined) channel.onConnection();
    this.feedCell.touch();
  }

  /** A browser does not say why a WebSocket was refused; HTTP does. */
  private async askWhy(): Promise<void> {
    const refusals = ["unauthorized", "forbidden"];
    try {
      await this.http.text("api/v1/status");
    } catch (error) {
      if (!(error instanceof TickwireError) || !refusals.includes(error.code) || this.isOpen) return;
      this.whyClosed = error;
      this.tellAll();
    }
  }

  private onMessage(message: ServerMessage): void {
    switch (message.type) {
      case "ticks":
      case "ohlc":
      case "gap":
        return this.joinedTicks(message.asset)?.onTicks(message);
      case "candle":
        return this.joinedCandles(message.asset, message.timeframe)?.onCandle(message);
      case "subscribed":
        return this.onSubscribed(message);
      case "status":
        return this.onStatus(message);
      case "error":
        return this.onError(message);
    }
  }

  private onSubscribed(message: Subscribed): void {
    if (message.mode === "candles") this.joinedCandles(message.asset, message.timeframe ?? "")?.onSubscribed(message);
    else this.joinedTicks(message.asset)?.onSubscribed(message);
  }

  private onStatus({ feed, redis }: StatusMessage): void {
    this.feedCell.set({ feed, redis });
    for (const channel of this.joined) channel.onFeed();
  }

  private onError({ code, message, asset }: ErrorMessage): void {
    const error = new TickwireError(code, message);
    if (asset === undefined) return; // a request without an answer is asked again
    for (const channel of this.joined) if (channel.asset === asset) channel.onRefused(error);
  }

  private joinedTicks(asset: string): TickChannel | undefined {
    const channel = this.ticksOf.get(asset);
    return channel && this.joined.has(channel as AnyChannel) ? channel : undefined;
  }

  private joinedCandles(asset: string, timeframe: string): CandleChannel | undefined {
    const channel = this.candlesOf.get(`${timeframe} ${asset}`);
    return channel && this.joined.has(channel as AnyChannel) ? channel : undefined;
  }

  // -- addresses

  private base(): string {
    const url = new URL(this.options.url ?? "./", globalThis.document?.baseURI);
    if (!url.pathname.endsWith("/")) url.pathname += "/";
    url.search = url.hash = "";
    return url.href;
  }

  private address(): string {
    const url = new URL("ws", this.base());
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (this.token) url.searchParams.set("token", this.token); // a browser can't set headers here
    return url.href;
  }
}

function dropUnwatched(polls: Map<string, Polled<unknown>>): void {
  for (const [key, poll] of polls) if (!poll.watched) polls.delete(key);
}

function kept<T>(cells: Map<string, T>, key: string, make: () => T): T {
  let cell = cells.get(key);
  if (cell === undefined) {
    cell = make();
    cells.set(key, cell);
  }
  return cell;
}

function lossOf(code: number, reason: string): TickwireError {
  if (code === 1008) return new TickwireError("refused", reason || "the relay closed the connection");
  if (code === 1013) return new TickwireError("try_later", reason || "the relay has too many clients");
  return new TickwireError("unreachable", reason || "the connection to the relay is lost");
}
