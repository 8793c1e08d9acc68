// A relay for tests: it keeps the rules of /ws (docs/http.md) and answers HTTP, in the page's own process.

import type { MakeSocket, Socket } from "../../src/core/connection.js";
import type { Candle } from "../../src/core/types.js";

export interface Asked {
  readonly type: string;
  readonly asset: string;
  readonly since?: { readonly epoch: string; readonly seq: number };
  readonly mode?: string;
  readonly timeframe?: string;
}

type Row = [number, number, number];

export class FakeSocket implements Socket {
  readyState = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  closedWith: number | undefined;
  readonly channels = new Set<string>();

  constructor(
    private readonly relay: FakeRelay,
    readonly url: string,
    readonly protocol: string,
  ) {}

  send(text: string): void {
    if (this.readyState !== 1) throw new Error("sent on a socket that is not open");
    this.relay.take(this, JSON.parse(text) as Asked);
  }

  close(code = 1000): void {
    if (this.readyState < 2) this.closedWith = code;
    this.readyState = 3;
    this.relay.gone(this);
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.(undefined as never);
  }

  say(message: object | string): void {
    if (this.readyState === 1) this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  end(code: number, reason = ""): void {
    this.readyState = 3;
    this.relay.gone(this);
    this.onclose?.({ code, reason });
  }
}

export class FakeRelay {
  readonly sockets: FakeSocket[] = [];
  readonly open = new Set<FakeSocket>();
  /** Of an asset. */
  readonly asked: Asked[] = [];
  /** Requests that name no asset: whether it is still there. */
  probes = 0;
  /** Unknown assets are refused; undefined: all are known. */
  known: Set<string> | undefined;
  epoch = "E1";
  kept = 1000;
  feed = "live";
  /** Connections are answered at once; else they wait for `accept`. */
  accepting = true;
  silent = false;
  readonly books = new Map<string, Row[]>();
  readonly requests: string[] = [];
  readonly answers = new Map<string, () => Response | Promise<Response>>();

  readonly makeSocket: MakeSocket = (url, protocol) => {
    const socket = new FakeSocket(this, url, protocol);
    this.sockets.push(socket);
    if (this.accepting) queueMicrotask(() => this.accept(socket));
    return socket;
  };

  /** `answers` by the path without its query. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(String(input));
    this.requests.push(`${url.pathname}${url.search}`);
    const answer = this.answers.get(url.pathname);
    if (!answer) throw new TypeError("Failed to fetch");
    const response = await answer();
    init?.signal?.throwIfAborted();
    return response;
  };

  accept(socket: FakeSocket): void {
    if (socket.readyState !== 0) return;
    this.open.add(socket);
    socket.open();
    socket.say({ type: "status", feed: this.feed, redis: "up" });
  }

  take(socket: FakeSocket, asked: Asked): void {
    if (!asked.asset) this.probes += 1;
    else this.asked.push(asked);
    if (this.silent) return;
    if (!asked.asset) {
      socket.say({ type: "error", code: "bad_asset", message: "asset must be 1 to 20 of A-Z a-z 0-9 # . _ / -" });
    } else if (asked.type === "unsubscribe") {
      for (const channel of [...socket.channels]) if (channel.endsWith(` ${asked.asset}`)) socket.channels.delete(channel);
    } else if (this.known && !this.known.has(asked.asset)) {
      socket.say({ type: "error", code: "unknown_asset", message: "no feed has announced it", asset: asked.asset });
    } else {
      socket.channels.add(`${asked.timeframe ?? "ticks"} ${asked.asset}`);
      socket.say(this.subscribed(asked));
    }
  }

  gone(socket: FakeSocket): void {
    this.open.delete(socket);
  }

  /** New ticks of an asset, to all who watch it, as one message. */
  tick(asset: string, ...prices: number[]): void {
    const book = this.book(asset);
    const rows = prices.map((price): Row => {
      const seq = (book.at(-1)?.[0] ?? 0) + 1;
      const row: Row = [seq, 1_700_000_000 + seq, price];
      book.push(row);
      return row;
    });
    this.say(`ticks ${asset}`, { type: "ticks", asset, epoch: this.epoch, ticks: rows });
  }

  candle(asset: string, candle: Candle): void {
    this.say(`${candle.timeframe} ${asset}`, { type: "candle", asset, ...candle });
  }

  say(channel: string, message: object): void {
    for (const socket of this.open) if (socket.channels.has(channel)) socket.say(message);
  }

  status(feed: string): void {
    this.feed = feed;
    for (const socket of this.open) socket.say({ type: "status", feed, redis: "up" });
  }

  cut(code = 1006, reason = ""): void {
    for (const socket of [...this.open]) socket.end(code, reason);
  }

  /** It was killed and begins anew: nothing goes on from before. */
  restart(epoch: string): void {
    this.cut();
    this.epoch = epoch;
    this.books.clear();
  }

  json(path: string, body: unknown, status = 200): void {
    this.answers.set(path, () => new Response(JSON.stringify(body), { status }));
  }

  subscriptions(asset: string): Asked[] {
    return this.asked.filter((each) => each.type === "subscribe" && each.asset === asset);
  }

  private book(asset: string): Row[] {
    let book = this.books.get(asset);
    if (!book) this.books.set(asset, (book = []));
    return book;
  }

  private subscribed({ asset, since, mode, timeframe }: Asked): object {
    const book = this.book(asset);
    const kept = book.slice(-this.kept);
    const seq = book.at(-1)?.[0] ?? 0;
    const head = { type: "subscribed", asset, epoch: book.length ? this.epoch : null, seq };
    if (mode === "candles") return { ...head, recovered: false, snapshot: [], mode, timeframe };
    const recovered = since !== undefined && since.epoch === this.epoch && since.seq <= seq && since.seq + 1 >= (kept[0]?.[0] ?? 1);
    return { ...head, recovered, snapshot: recovered ? kept.filter(([each]) => each > since.seq) : kept };
  }
}

export function candleOf(timestamp: number, more: Partial<Candle> = {}): Candle {
  const price = more.close ?? 1;
  const plain = { timestamp, open: price, high: price, low: price, close: price, volume: 0, is_closed: true };
  return { ...plain, timeframe: "1m", ticks: 1, quality: "live", ...more };
}

/** Numbers that are the same in each run: mulberry32. */
export function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides);
  };
}
