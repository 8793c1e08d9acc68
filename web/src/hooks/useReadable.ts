// A cell of the core as React reads it.

import { useSyncExternalStore } from "react";
import type { Readable } from "../core/cell.js";
import type { Query } from "../core/types.js";

const nothing = () => () => {};

export function useReadable<T>(cell: Readable<T> | undefined, idle: T, onServer: T = idle): T {
  return useSyncExternalStore(
    cell ? cell.subscribe : nothing,
    cell ? cell.get : () => idle,
    () => (cell ? onServer : idle),
  );
}

/** What is said on a server, and in the first render that must equal it. */
export function loading<Q extends Query<unknown>>(idle: Q): Q {
  return { ...idle, status: "loading" };
}
