// Where the trader is, kept in the address: a reload or a bookmark leads back to the same asset, timeframe and view.

import { useCallback, useSyncExternalStore } from "react";
import { DEFAULT_TIMEFRAME, SECONDS } from "./timeframes";

export type View = "market" | "system";

export interface Place {
  readonly view: View;
  readonly asset: string | null;
  readonly timeframe: string;
}

const MOVED = "tickwire:moved";

export function readPlace(hash: string): Place {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  const timeframe = told.get("timeframe") ?? "";
  return {
    view: told.get("view") === "system" ? "system" : "market",
    asset: told.get("asset"),
    timeframe: Object.hasOwn(SECONDS, timeframe) ? timeframe : DEFAULT_TIMEFRAME,
  };
}

export function writePlace({ view, asset, timeframe }: Place): string {
  const told = new URLSearchParams();
  if (view !== "market") told.set("view", view);
  if (asset) told.set("asset", asset);
  told.set("timeframe", timeframe);
  return `#${told}`;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  addEventListener(MOVED, listener);
  return () => {
    removeEventListener("hashchange", listener);
    removeEventListener(MOVED, listener);
  };
}

const hash = (): string => location.hash;

export function usePlace(): readonly [Place, (change: Partial<Place>) => void] {
  const place = readPlace(useSyncExternalStore(subscribe, hash));
  const go = useCallback((change: Partial<Place>) => {
    const before = readPlace(location.hash);
    const next = writePlace({ ...before, ...change });
    if (next === location.hash) return;
    // Going to another view is a step that the back button takes back; choosing an asset is none.
    if (change.view !== undefined && change.view !== before.view) history.pushState(null, "", next);
    else history.replaceState(null, "", next);
    dispatchEvent(new Event(MOVED));
  }, []);
  return [place, go];
}
