// The live ticks of an asset.

import { Channel, type Line } from "./channel.js";
import type { ClientMessage, GapMessage, Ohlc, Subscribed, Ticks } from "./protocol.js";
import { isAsset } from "./protocol.js";
import { TickSeries } from "./tickSeries.js";
import { type TickWindow, TickwireError } from "./types.js";

export const TICKS_KEPT = 1000;

export class TickChannel extends Channel<TickWindow> {
  private series = new TickSeries(TICKS_KEPT);

  constructor(line: Line, asset: string) {
    super(line, asset);
    if (!isAsset(asset)) this.error = new TickwireError("bad_asset", `${asset.slice(0, 40)} is no asset`);
  }

  /** Somebody wants so many ticks kept. */
  reserve(limit: number): void {
    this.series.capacity = Math.max(this.series.capacity, limit);
  }

  override onSubscribed(message: Subscribed): void {
    this.series.subscribed(message);
    super.onSubscribed(message);
  }

  onTicks(message: Ticks | Ohlc | GapMessage): void {
    if (!this.joined) return; // of an earlier subscription: the snapshot to come holds them
    if (message.type === "ticks") this.series.came(message);
    else if (message.type === "ohlc") this.series.summed(message);
    else this.series.missed(message);
    this.changed();
  }

  protected request(): ClientMessage {
    const since = this.series.position;
    return { type: "subscribe", asset: this.asset, ...(since ? { since } : {}) };
  }

  protected data(): TickWindow {
    return this.series.window();
  }

  protected get hasData(): boolean {
    return this.series.position !== undefined;
  }

  protected forget(): void {
    this.series = new TickSeries(TICKS_KEPT);
  }
}
