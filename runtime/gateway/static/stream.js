// One WebSocket to /ws that stays: it reconnects with backoff and subscribes again from where each asset stood.

import { token } from "./token.js";

const PROTOCOL = "tickwire.v1.json";
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;
const HEALTHY_MS = 10_000; // a connection that held so long starts the backoff anew
const BURST = 200; // the relay takes 300 messages at once, then 20 a second
const PACE_MS = 70;
const TRY_LATER = new Set([1008, 1013]);

export class Stream {
  // subscription(asset) → what to add to `subscribe`: {since}, {mode, timeframe}; asked anew at each connection.
  constructor({ subscription, onMessage, onState }) {
    this.subscription = subscription;
    this.onMessage = onMessage;
    this.onState = onState;
    this.assets = new Set();
    this.outbox = [];
    this.attempts = 0;
    this.socket = null;
    this.retry = 0;
    this.pacer = 0;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  open() {
    clearTimeout(this.retry);
    this.retry = 0;
    const url = new URL("ws", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    if (token) url.searchParams.set("token", token); // a browser can't set headers here
    const socket = new WebSocket(url, PROTOCOL);
    this.socket = socket;
    this.onState({ name: "connecting" });
    socket.onopen = () => {
      this.openedAt = performance.now();
      this.outbox = [];
      this.sendable = BURST;
      for (const asset of this.assets) this.say(asset);
      this.onState({ name: "open" });
    };
    socket.onmessage = (event) => this.onMessage(JSON.parse(event.data));
    socket.onclose = (event) => this.closed(socket, event);
  }

  // An unfinished wait for the next attempt ends now.
  hurry() {
    if (this.retry) this.open();
  }

  closed(socket, { code, reason }) {
    if (socket !== this.socket) return;
    clearInterval(this.pacer);
    this.pacer = 0;
    if (this.openedAt && performance.now() - this.openedAt > HEALTHY_MS) this.attempts = 0;
    this.openedAt = 0;
    const longest = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.attempts++);
    const delay = (TRY_LATER.has(code) ? Math.max(longest, 2_000) : longest) * (0.5 + Math.random() / 2);
    this.retry = setTimeout(() => this.open(), delay);
    this.onState({ name: "waiting", retryAt: performance.now() + delay, code, reason });
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  subscribe(asset) {
    if (this.assets.has(asset)) return;
    this.assets.add(asset);
    if (this.isOpen) this.say(asset);
  }

  unsubscribe(asset) {
    if (this.assets.delete(asset) && this.isOpen) this.send({ type: "unsubscribe", asset });
  }

  say(asset) {
    this.send({ type: "subscribe", asset, ...this.subscription(asset) });
  }

  send(message) {
    if (!this.outbox.length && this.sendable > 0) {
      this.sendable -= 1;
      this.socket.send(JSON.stringify(message));
      return;
    }
    this.outbox.push(message);
    this.pacer ||= setInterval(() => this.sendNext(), PACE_MS);
  }

  sendNext() {
    const message = this.outbox.shift();
    if (message) this.socket.send(JSON.stringify(message));
    else this.sendable = Math.min(BURST, this.sendable + 1);
    if (this.sendable >= BURST) {
      clearInterval(this.pacer);
      this.pacer = 0;
    }
  }
}
