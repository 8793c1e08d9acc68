// What React and the browser did while it was counted: commits and frames are counted, times are only told.

import type { ProfilerOnRenderCallback } from "react";

export interface Counts {
  /** Frames that the browser drew. */
  readonly frames: number;
  /** Frames in which React committed. */
  readonly framesWithCommits: number;
  readonly commits: number;
  readonly mostCommitsInAFrame: number;
  /** Renders of a component an asset, most and least. */
  readonly renders: { readonly most: number; readonly least: number };
  readonly seconds: number;
  readonly longTasksMs: readonly number[];
  /** React's work in one commit. */
  readonly commitMs: { readonly mean: number; readonly longest: number };
}

export class Counter {
  private frame = 0;
  private firstFrame = 0;
  private startedAt = 0;
  private commitsOf = new Map<number, number>();
  private rendersOf = new Map<string, number>();
  private longTasks: number[] = [];
  private worked: number[] = [];

  constructor(assets: readonly string[]) {
    this.assets = assets;
    const next = () => {
      this.frame += 1; // asked for before anything of this frame, so it is the first of the next
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
    new PerformanceObserver((list) => {
      for (const { duration, startTime } of list.getEntries()) if (startTime >= this.startedAt) this.longTasks.push(duration);
    }).observe({ type: "longtask" });
    this.start();
  }

  private readonly assets: readonly string[];

  /** Forget what was; count from now on. */
  start(): void {
    this.startedAt = performance.now();
    this.firstFrame = this.frame;
    this.commitsOf = new Map();
    this.rendersOf = new Map(this.assets.map((asset) => [asset, 0]));
    this.longTasks = [];
    this.worked = [];
  }

  readonly onCommit: ProfilerOnRenderCallback = (_id, _phase, actualMs) => {
    this.commitsOf.set(this.frame, (this.commitsOf.get(this.frame) ?? 0) + 1);
    this.worked.push(actualMs);
  };

  onRender(asset: string): void {
    this.rendersOf.set(asset, (this.rendersOf.get(asset) ?? 0) + 1);
  }

  counts(): Counts {
    const commits = [...this.commitsOf.values()];
    const renders = [...this.rendersOf.values()];
    return {
      frames: this.frame - this.firstFrame + 1,
      framesWithCommits: commits.length,
      commits: sum(commits),
      mostCommitsInAFrame: Math.max(0, ...commits),
      renders: { most: Math.max(...renders), least: Math.min(...renders) },
      seconds: (performance.now() - this.startedAt) / 1000,
      longTasksMs: this.longTasks.map(Math.round),
      commitMs: { mean: sum(this.worked) / Math.max(1, this.worked.length), longest: Math.max(0, ...this.worked) },
    };
  }
}

const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);
