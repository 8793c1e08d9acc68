// A value that is watched: what `useSyncExternalStore` reads.

import type { Frames, Shown } from "./frames.js";

export interface Readable<T> {
  subscribe(listener: () => void): () => void;
  /** The same object until it changes. */
  get(): T;
}

/** Subclasses build the value; changes are told once a frame. */
export abstract class Cell<T> implements Readable<T>, Shown {
  private readonly listeners = new Set<() => void>();
  private shown: T | undefined;

  constructor(protected readonly frames: Frames) {}

  protected abstract build(): T;

  /** The first watcher has come, the last one has gone. */
  protected onWatched(): void {}
  protected onLeft(): void {}

  get watched(): boolean {
    return this.listeners.size > 0;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const own = () => listener(); // the same function may subscribe twice
    this.listeners.add(own);
    if (this.listeners.size === 1) this.onWatched();
    return () => {
      if (this.listeners.delete(own) && this.listeners.size === 0) this.onLeft();
    };
  };

  readonly get = (): T => (this.shown ??= this.build());

  show(): void {
    this.shown = this.build();
    for (const listener of [...this.listeners]) listener();
  }

  protected changed(): void {
    this.frames.mark(this);
  }
}
