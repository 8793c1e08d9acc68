import { useMemo } from "react";
import type { TickChannel } from "../core/tickChannel.js";
import { TICKS_KEPT } from "../core/tickChannel.js";
import type { Gap, Query, Tick, TickWindow } from "../core/types.js";
import { useTickwire } from "./provider.js";
import { loading, useReadable } from "./useReadable.js";

export interface UseTicksOptions {
  /** Most ticks, the newest. */
  readonly limit?: number | undefined;
}

export interface TicksQuery extends Query<readonly Tick[]> {
  /** The latest holes. */
  readonly gaps: readonly Gap[];
  readonly epoch: string | undefined;
}

const NO_TICKS: TickWindow = { ticks: [], last: undefined, gaps: [], epoch: undefined, taken: 0 };
const IDLE: Query<TickWindow> = { data: NO_TICKS, error: null, status: "idle", isStale: false };
const LOADING = loading(IDLE);

function useWindow(asset: string | null | undefined, limit: number): Query<TickWindow> {
  const client = useTickwire();
  const channel = useMemo(() => (asset ? reserving(client.ticks(asset), limit) : undefined), [client, asset, limit]);
  return useReadable(channel, IDLE, LOADING);
}

/** Whoever subscribes says how many ticks it wants. */
function reserving(channel: TickChannel, limit: number) {
  const subscribe = (listener: () => void) => {
    channel.reserve(limit);
    return channel.subscribe(listener);
  };
  return { subscribe, get: channel.get };
}

/** An asset's last ticks, oldest first, and then each as it comes. Nothing is asked for while `asset` is empty. */
export function useTicks(asset: string | null | undefined, { limit = TICKS_KEPT }: UseTicksOptions = {}): TicksQuery {
  const { data: window, error, status, isStale } = useWindow(asset, limit);
  return useMemo(() => {
    const data = window.ticks.length > limit ? window.ticks.slice(window.ticks.length - limit) : window.ticks;
    return { data, error, status, isStale, gaps: window.gaps, epoch: window.epoch };
  }, [window, limit, error, status, isStale]);
}

const NO_LAST: Query<Tick | undefined> = { data: undefined, error: null, status: "idle", isStale: false };
const LOADING_LAST = loading(NO_LAST);

/** An asset's last tick. Shares the subscription of `useTicks`. */
export function useLastTick(asset: string | null | undefined): Query<Tick | undefined> {
  const client = useTickwire();
  const channel = useMemo(() => (asset ? lastOf(client.ticks(asset)) : undefined), [client, asset]);
  return useReadable(channel, NO_LAST, LOADING_LAST);
}

/** The same object while the last tick and its state are the same. */
function lastOf(channel: TickChannel) {
  let before: Query<Tick | undefined> = NO_LAST;
  const get = () => {
    const { data, error, status, isStale } = channel.get();
    const same = before.data === data.last && before.error === error && before.status === status;
    return same ? before : (before = { data: data.last, error, status, isStale });
  };
  return { subscribe: channel.subscribe, get };
}
