import { useRef } from "react";
import type { Tick } from "../../../src";

/**
 * When the tick was heard, by this machine's clock in ms: what is live counts from its arrival (a replay's stamps are of
 * another day), what was there before the page came counts from its stamp.
 */
export function useArrival(tick: Tick | undefined): number | undefined {
  const seen = useRef<{ key: string; at: number } | undefined>(undefined);
  if (tick) {
    const key = `${tick.epoch} ${tick.seq}`;
    if (seen.current?.key !== key) {
      const now = Date.now();
      seen.current = { key, at: seen.current ? now : Math.min(now, tick.timestamp * 1000) };
    }
  }
  return seen.current?.at;
}
