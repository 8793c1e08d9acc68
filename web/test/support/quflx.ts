// The socket that QuFLX's hooks are given: an emitter, and what was emitted on it.

import type { QuflxSocket } from "../../src/quflx/socket.js";

type Listener = (payload?: unknown) => void;

export class FakeQuflxSocket implements QuflxSocket {
  readonly sent: [event: string, payload: unknown][] = [];
  private readonly listeners = new Map<string, Set<Listener>>();
  /** What is said, at once, in answer to an event. */
  answer: (event: string, payload: Readonly<Record<string, unknown>>) => readonly [string, unknown] | undefined = () => undefined;

  constructor(public connected = false) {}

  on(event: string, listener: Listener): this {
    const all = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, all.add(listener));
    return this;
  }

  off(event: string, listener: Listener): this {
    this.listeners.get(event)?.delete(listener);
    return this;
  }

  emit(event: string, payload?: unknown): this {
    this.sent.push([event, payload]);
    const answer = this.answer(event, (payload ?? {}) as Record<string, unknown>);
    if (answer) this.say(...answer);
    return this;
  }

  say(event: string, payload?: unknown): void {
    if (event === "connect") this.connected = true;
    if (event === "disconnect") this.connected = false;
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(payload);
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  events(): string[] {
    return this.sent.map(([event]) => event);
  }
}

export function update(asset: string, timestamp: number, close: number) {
  const candle = { open: 1, high: 9, low: 0.5, close, volume: 0 };
  return { data: { asset, timestamp, ...candle, date: "", price: close, seq: timestamp } };
}
