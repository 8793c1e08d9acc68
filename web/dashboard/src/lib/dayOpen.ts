// What an asset's change is measured from: the open of its candle of today, UTC. Asked for once an asset and day, a few at
// a time, so that a long watchlist does not hold up the chart.

import { useSyncExternalStore } from "react";
import { assetPath } from "../../../src";

const AT_ONCE = 2;
const AGAIN_MS = 30_000;
const DAY_S = 86_400;

export interface DayOpen {
  readonly day: number;
  readonly open: number;
}

type Fetch = (path: string) => Promise<unknown>;

export class DayOpens {
  private readonly known = new Map<string, DayOpen>();
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly waiting: string[] = [];
  private readonly asked = new Set<string>();
  private running = 0;

  constructor(private readonly fetchJson: Fetch) {}

  get(asset: string): DayOpen | undefined {
    return this.known.get(asset);
  }

  subscribe(asset: string, listener: () => void): () => void {
    const heard = this.listeners.get(asset) ?? new Set();
    this.listeners.set(asset, heard.add(listener));
    this.want(asset);
    return () => {
      heard.delete(listener);
      if (heard.size === 0) this.listeners.delete(asset);
    };
  }

  /** Ask where today's open is not known. */
  want(asset: string): void {
    if (this.asked.has(asset) || (this.known.get(asset)?.day ?? -1) >= today()) return;
    this.asked.add(asset);
    this.waiting.push(asset);
    this.next();
  }

  private next(): void {
    const asset = this.running < AT_ONCE ? this.waiting.shift() : undefined;
    if (asset === undefined) return;
    this.running += 1;
    void this.ask(asset).finally(() => {
      this.running -= 1;
      this.next();
    });
    this.next();
  }

  private async ask(asset: string): Promise<void> {
    try {
      const found = lastCandle(await this.fetchJson(`api/v1/candles/${assetPath(asset)}?timeframe=1d&limit=1`));
      if (found) this.known.set(asset, found);
    } catch {
      // the change stays a dash; asked again later
    }
    for (const listener of this.listeners.get(asset) ?? []) listener();
    const isTodays = (this.known.get(asset)?.day ?? -1) >= today();
    setTimeout(() => {
      this.asked.delete(asset);
      if (this.listeners.has(asset)) this.want(asset);
    }, isTodays ? (today() + DAY_S) * 1000 - Date.now() : AGAIN_MS);
  }
}

/** In percent of today's open; undefined where one of both is not known. */
export function changeSince(day: DayOpen | undefined, price: number | null | undefined): number | undefined {
  return day?.open && typeof price === "number" ? ((price - day.open) / day.open) * 100 : undefined;
}

/** Its first second, UTC. */
function today(): number {
  return Math.floor(Date.now() / 1000 / DAY_S) * DAY_S;
}

function lastCandle(answer: unknown): DayOpen | undefined {
  const { candles } = answer as { candles?: readonly { timestamp: number; open: number }[] };
  const last = candles?.at(-1);
  return last && { day: last.timestamp, open: last.open };
}

export function useDayOpen(opens: DayOpens, asset: string): DayOpen | undefined {
  return useSyncExternalStore(
    (listener) => opens.subscribe(asset, listener),
    () => opens.get(asset),
  );
}
