// One WebSocket to /ws that stays: opened again with backoff, its messages paced below the relay's limit.

import { BACKOFF, Backoff, type BackoffOptions } from "./backoff.js";
import { type ClientMessage, type ServerMessage, SUBPROTOCOL, readMessage } from "./protocol.js";
import type { ConnectionState } from "./types.js";

/** What is used of a WebSocket. */
export interface Socket {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
}

export type MakeSocket = (url: string, protocol: string) => Socket;

export interface ConnectionEvents {
  /** Asked at each attempt: the token may have changed. */
  address(): string;
  onState(state: ConnectionState): void;
  onMessage(message: ServerMessage): void;
}

const BURST = 200; // the relay takes 300 messages at once, then 20 a second
const PACE_MS = 70;
const OPEN_WITHIN_MS = 10_000;
const HEALTHY_MS = 10_000; // a connection that held so long begins the backoff anew
const CHECK_MS = 5_000;
const ASLEEP_MS = 3 * CHECK_MS;
const SILENT_MS = 20_000;
const ANSWER_WITHIN_MS = 10_000;
const PROBE: ClientMessage = { type: "unsubscribe", asset: "" }; // refused, and so answered: a page can't ping
const OPEN = 1;
const LOST = 1006; // as browsers call an end without a close frame

export class Connection {
  private readonly backoff: Backoff;
  private socket: Socket | undefined;
  private outbox: ClientMessage[] = [];
  private sendable = BURST;
  private openedAt: number | undefined;
  private heardAt = 0;
  private checkedAt = 0;
  private unanswered: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private opening: ReturnType<typeof setTimeout> | undefined;
  private pacer: ReturnType<typeof setInterval> | undefined;
  private checker: ReturnType<typeof setInterval> | undefined;
  private wanted = false;

  constructor(
    private readonly events: ConnectionEvents,
    private readonly makeSocket: MakeSocket,
    backoff: BackoffOptions = BACKOFF,
  ) {
    this.backoff = new Backoff(backoff);
  }

  get isOpen(): boolean {
    return this.openedAt !== undefined && this.socket?.readyState === OPEN;
  }

  start(): void {
    if (this.wanted) return;
    this.wanted = true;
    this.checkedAt = Date.now();
    this.checker = setInterval(() => this.check(), CHECK_MS);
    globalThis.addEventListener?.("online", this.onAwake);
    globalThis.document?.addEventListener("visibilitychange", this.onAwake);
    this.open();
  }

  stop(): void {
    if (!this.wanted) return;
    this.wanted = false;
    clearInterval(this.checker);
    clearTimeout(this.retry);
    this.retry = undefined;
    globalThis.removeEventListener?.("online", this.onAwake);
    globalThis.document?.removeEventListener("visibilitychange", this.onAwake);
    this.letGo()?.close(1000, "no longer needed");
    this.backoff.reset();
    this.events.onState({ name: "idle" });
  }

  /** An unfinished wait for the next attempt ends now. */
  hurry(): void {
    if (this.retry !== undefined) this.open();
  }

  send(message: ClientMessage): void {
    if (!this.isOpen) return;
    if (!this.outbox.length && this.sendable > 0) {
      this.sendable -= 1;
      this.socket?.send(JSON.stringify(message));
    } else if (!this.awaits(message)) {
      this.outbox.push(message);
    }
    this.pacer ??= setInterval(() => this.sendNext(), PACE_MS);
  }

  /** What waits for its turn is not put there again by whoever misses the answer. */
  private awaits(message: ClientMessage): boolean {
    for (const earlier of [...this.outbox].reverse()) {
      if (earlier.asset !== message.asset) continue;
      if (channelOf(earlier) === channelOf(message)) return true;
      if (earlier.type === "unsubscribe") return false;
    }
    return false;
  }

  private open(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.events.onState({ name: "connecting" });
    let socket: Socket;
    try {
      socket = this.makeSocket(this.events.address(), SUBPROTOCOL);
    } catch (error) {
      this.wait(LOST, String(error)); // no URL of a WebSocket, or a page that may not open one
      return;
    }
    this.socket = socket;
    this.opening = setTimeout(() => this.lost(socket, LOST, "the relay did not answer in time"), OPEN_WITHIN_MS);
    socket.onopen = () => this.onOpen(socket);
    socket.onmessage = ({ data }) => this.onData(socket, data);
    socket.onclose = ({ code, reason }) => this.lost(socket, code, reason);
    socket.onerror = null; // a close follows
  }

  private onOpen(socket: Socket): void {
    if (socket !== this.socket) return;
    clearTimeout(this.opening);
    this.openedAt = this.heardAt = performance.now();
    this.sendable = BURST;
    this.events.onState({ name: "open" });
  }

  private onData(socket: Socket, data: unknown): void {
    if (socket !== this.socket) return;
    this.heardAt = performance.now();
    this.answered();
    const message = readMessage(data);
    if (message) this.events.onMessage(message);
  }

  private lost(socket: Socket, code: number, reason: string): void {
    if (socket !== this.socket) return;
    if (this.openedAt !== undefined && performance.now() - this.openedAt > HEALTHY_MS) this.backoff.reset();
    this.letGo()?.close();
    this.wait(code, reason);
  }

  private wait(code: number, reason: string): void {
    const delay = this.backoff.next(code);
    this.retry = setTimeout(() => this.open(), delay);
    this.events.onState({ name: "waiting", retryAt: Date.now() + delay, code, reason });
  }

  private letGo(): Socket | undefined {
    const socket = this.socket;
    clearTimeout(this.opening);
    clearInterval(this.pacer);
    this.answered();
    this.pacer = this.socket = this.openedAt = undefined;
    this.outbox = [];
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    return socket;
  }

  private sendNext(): void {
    const message = this.outbox.shift();
    if (message) this.socket?.send(JSON.stringify(message));
    else this.sendable += 1;
    if (this.sendable < BURST) return;
    clearInterval(this.pacer);
    this.pacer = undefined;
  }

  /** A network that is gone says nothing, and browsers notice after minutes; a computer that slept may have lost it meanwhile. */
  private check(): void {
    const passed = Date.now() - this.checkedAt;
    this.checkedAt += passed;
    if (passed >= ASLEEP_MS || performance.now() - this.heardAt >= SILENT_MS) this.probe();
  }

  private probe(): void {
    const { socket } = this;
    if (!socket || !this.isOpen || this.unanswered !== undefined) return;
    this.unanswered = setTimeout(() => this.lost(socket, LOST, "the relay fell silent"), ANSWER_WITHIN_MS);
    this.send(PROBE);
  }

  private answered(): void {
    clearTimeout(this.unanswered);
    this.unanswered = undefined;
  }

  private readonly onAwake = (): void => {
    if (globalThis.document?.hidden) return;
    this.hurry();
    this.probe();
  };
}

function channelOf(message: ClientMessage): string {
  return message.type === "subscribe" && "mode" in message ? message.timeframe : message.type;
}
