// What the page saw: read by the test as `window.bench`.

import type { Tick } from "../src/index.js";

/** One asset's ticks as columns, in the order in which the hooks showed them. */
interface Seen {
  readonly epoch: string[];
  readonly seq: number[];
  readonly timestamp: number[];
  readonly price: number[];
  conflated: number;
}

export class Figures {
  frames = 0;
  /** Of each asset's component. */
  commits: Record<string, number> = {};
  /** Most commits of one component in one frame. */
  mostInAFrame = 0;
  longTasks: number[] = [];
  /** Of frames that took over 50 ms: what called scripts, and the longest that one took. */
  longScripts: Record<string, number> = {};
  /** Milliseconds of React's rendering in the frame with most of it. */
  longestRender = 0;
  readonly seen: Record<string, Seen> = {};
  private inThisFrame: Record<string, number> = {};
  private renderingInThisFrame = 0;

  constructor() {
    const frame = () => {
      this.frames += 1;
      this.inThisFrame = {};
      this.renderingInThisFrame = 0;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.longTasks.push(duration);
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
      for (const frame of list.getEntries()) this.tookLong(frame);
    }).observe({ type: "long-animation-frame" });
  }

  /** From now on. */
  begin(): void {
    this.frames = this.mostInAFrame = this.longestRender = 0;
    this.longTasks = [];
    this.longScripts = {};
    this.commits = {};
  }

  committed(asset: string, ms: number): void {
    this.commits[asset] = (this.commits[asset] ?? 0) + 1;
    const inThisFrame = (this.inThisFrame[asset] = (this.inThisFrame[asset] ?? 0) + 1);
    this.mostInAFrame = Math.max(this.mostInAFrame, inThisFrame);
    this.renderingInThisFrame += ms;
    this.longestRender = Math.max(this.longestRender, this.renderingInThisFrame);
  }

  /** What is new in what a hook gave. */
  took(asset: string, ticks: readonly Tick[]): void {
    const seen = (this.seen[asset] ??= { epoch: [], seq: [], timestamp: [], price: [], conflated: 0 });
    const [epoch, seq] = [seen.epoch.at(-1), seen.seq.at(-1)];
    let first = ticks.length;
    while (first > 0 && !(ticks[first - 1]?.epoch === epoch && ticks[first - 1]?.seq === seq)) first -= 1;
    for (const tick of ticks.slice(first)) {
      seen.epoch.push(tick.epoch);
      seen.seq.push(tick.seq);
      seen.timestamp.push(tick.timestamp);
      seen.price.push(tick.price);
      if (tick.conflated) seen.conflated += 1;
    }
  }

  private tookLong({ scripts = [] }: LongFrame): void {
    for (const { duration, invoker } of scripts) {
      this.longScripts[invoker] = Math.max(this.longScripts[invoker] ?? 0, Math.round(duration));
    }
  }
}

/** https://w3c.github.io/long-animation-frames */
interface LongFrame extends PerformanceEntry {
  readonly scripts?: readonly { readonly duration: number; readonly invoker: string }[];
}
