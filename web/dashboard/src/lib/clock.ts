// The time, told to whoever shows it with each full second: one timer for all of them.

import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;
let now = Date.now();

function plan(): void {
  now = Date.now();
  timer = setTimeout(() => {
    plan();
    for (const each of [...listeners]) each();
  }, 1000 - (now % 1000));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) plan();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };
}

/** Milliseconds, renewed once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
