// The messages of /ws (docs/http.md), checked as they come in: what is not understood is no message.

import type { Candle, FeedState, LinkState } from "./types.js";

export const SUBPROTOCOL = "tickwire.v1.json";

/** [seq, timestamp, price] */
export type TickRow = readonly [number, number, number];

export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

export interface Subscribed {
  readonly type: "subscribed";
  readonly asset: string;
  readonly recovered: boolean;
  readonly epoch: string | null;
  readonly seq: number;
  readonly snapshot: readonly TickRow[];
  readonly mode?: "candles";
  readonly timeframe?: string;
}

export interface Ticks {
  readonly type: "ticks";
  readonly asset: string;
  readonly epoch: string;
  readonly ticks: readonly TickRow[];
}

export interface Ohlc {
  readonly type: "ohlc";
  readonly asset: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly timestamp: number;
  readonly o: number;
  readonly h: number;
  readonly l: number;
  readonly c: number;
  readonly n: number;
}

export interface GapMessage {
  readonly type: "gap";
  readonly asset: string;
  readonly from: number;
  readonly to: number;
}

export interface CandleMessage extends Candle {
  readonly type: "candle";
  readonly asset: string;
}

export interface StatusMessage {
  readonly type: "status";
  readonly feed: FeedState;
  readonly redis: LinkState;
}

export interface ErrorMessage {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly asset?: string;
}

export type ServerMessage = Subscribed | Ticks | Ohlc | GapMessage | CandleMessage | StatusMessage | ErrorMessage;

export type ClientMessage =
  | { readonly type: "subscribe"; readonly asset: string; readonly since?: Position }
  | { readonly type: "subscribe"; readonly asset: string; readonly mode: "candles"; readonly timeframe: string }
  | { readonly type: "unsubscribe"; readonly asset: string };

type Fields = Readonly<Record<string, unknown>>;

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isRows = (value: unknown): value is readonly TickRow[] =>
  Array.isArray(value) && value.every((row) => Array.isArray(row) && isNumber(row[0]) && isNumber(row[1]) && isNumber(row[2]));
const numbers = (fields: Fields, ...names: string[]) => names.every((name) => isNumber(fields[name]));

const CHECKS: Readonly<Record<string, (fields: Fields) => boolean>> = {
  subscribed: (m) => isText(m.asset) && (m.epoch === null || isText(m.epoch)) && isNumber(m.seq ?? 0) && isRows(m.snapshot),
  ticks: (m) => isText(m.asset) && isText(m.epoch) && isRows(m.ticks),
  ohlc: (m) => isText(m.asset) && isText(m.epoch) && numbers(m, "from", "to", "timestamp", "o", "h", "l", "c", "n"),
  gap: (m) => isText(m.asset) && numbers(m, "from", "to"),
  candle: (m) => isText(m.asset) && isText(m.timeframe) && numbers(m, "timestamp", "open", "high", "low", "close"),
  status: (m) => isText(m.feed) && isText(m.redis),
  error: (m) => isText(m.code) && isText(m.message),
};

/** One text message of the relay's; undefined where it is of no known kind (a later relay may say more). */
export function readMessage(text: unknown): ServerMessage | undefined {
  if (!isText(text)) return undefined;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== "object" || message === null) return undefined;
  const fields = message as Fields;
  const check = isText(fields.type) && Object.hasOwn(CHECKS, fields.type) ? CHECKS[fields.type] : undefined;
  return check?.(fields) ? (message as ServerMessage) : undefined;
}

const ASSET = /^[A-Za-z0-9#._/-]{1,20}$/;

export function isAsset(name: string): boolean {
  return ASSET.test(name);
}
