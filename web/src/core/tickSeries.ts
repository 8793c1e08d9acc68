// An asset's last ticks: in order, each once, holes noted. Pure: no clock, no socket.

import type { GapMessage, Ohlc, Position, Subscribed, Ticks } from "./protocol.js";
import type { Conflated, Gap, Tick, TickWindow } from "./types.js";

const GAPS_KEPT = 20;

export class TickSeries {
  private ticks: Tick[] = [];
  private gaps: readonly Gap[] = [];
  private epoch: string | undefined;
  private seq = 0;
  private taken = 0;

  /** At most `capacity` ticks are kept. */
  constructor(public capacity: number) {}

  /** Where it stands: what to resume from. */
  get position(): Position | undefined {
    return this.epoch === undefined ? undefined : { epoch: this.epoch, seq: this.seq };
  }

  subscribed({ epoch, seq, snapshot }: Subscribed): void {
    if (epoch === null) return; // no tick of it yet
    for (const [rowSeq, timestamp, price] of snapshot) this.append(epoch, rowSeq, rowSeq, timestamp, price);
    this.moveTo(epoch, seq);
  }

  came({ epoch, ticks }: Ticks): void {
    for (const [seq, timestamp, price] of ticks) this.append(epoch, seq, seq, timestamp, price);
  }

  summed({ epoch, from, to, timestamp, o, h, l, c, n }: Ohlc): void {
    const fresh = epoch === this.epoch ? Math.max(from, this.seq + 1) : from;
    const count = Math.min(n, to - fresh + 1);
    this.append(epoch, fresh, to, timestamp, c, { from: fresh, count, open: o, high: h, low: l });
  }

  missed({ from, to }: GapMessage): void {
    if (this.epoch === undefined || to <= this.seq) return;
    this.note({ epoch: this.epoch, from: Math.max(from, this.seq + 1), to });
    this.seq = to;
  }

  window(): TickWindow {
    const ticks = this.ticks.slice(-this.capacity);
    return { ticks, last: ticks.at(-1), gaps: this.gaps, epoch: this.epoch, taken: this.taken };
  }

  private append(epoch: string, from: number, to: number, timestamp: number, price: number, conflated?: Conflated): void {
    if (epoch === this.epoch && to <= this.seq) return;
    this.moveTo(epoch, from - 1);
    this.seq = to;
    this.taken += 1;
    this.ticks.push(conflated ? { epoch, seq: to, timestamp, price, conflated } : { epoch, seq: to, timestamp, price });
    if (this.ticks.length > 2 * this.capacity) this.ticks = this.ticks.slice(-this.capacity);
  }

  /** All up to `seq` of `epoch` is behind us; what of it was not seen is a hole. */
  private moveTo(epoch: string, seq: number): void {
    if (epoch !== this.epoch) {
      if (this.epoch !== undefined) this.note({ epoch: this.epoch, from: this.seq + 1, to: undefined });
      this.epoch = epoch;
      this.seq = seq;
    } else if (seq > this.seq) {
      this.note({ epoch, from: this.seq + 1, to: seq });
      this.seq = seq;
    }
  }

  private note(gap: Gap): void {
    this.gaps = [...this.gaps, gap].slice(-GAPS_KEPT);
  }
}
