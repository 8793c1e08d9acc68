// What the trader has chosen, kept by the browser. Where its storage is off, a choice lasts as long as the page.

import { useSyncExternalStore } from "react";

type Where = () => Storage;

const ofBrowser: Where = () => localStorage;

export function recall(name: string, where: Where = ofBrowser): string | null {
  try {
    return where().getItem(name);
  } catch {
    return null;
  }
}

export function keep(name: string, value: string, where: Where = ofBrowser): void {
  try {
    where().setItem(name, value);
  } catch {
    // the page goes on without
  }
}

export class Choice<T extends string | null> {
  private readonly listeners = new Set<() => void>();
  private value: T;

  /** `read` makes something of what was kept, and of nothing. */
  constructor(
    private readonly name: string,
    read: (kept: string | null) => T,
  ) {
    this.value = read(recall(name));
  }

  readonly get = (): T => this.value;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(value: T & string): void {
    this.value = value;
    keep(this.name, value);
    for (const listener of [...this.listeners]) listener();
  }
}

export function useChoice<T extends string | null>(choice: Choice<T>): T {
  return useSyncExternalStore(choice.subscribe, choice.get);
}
