// The candles of the chart: the latest ones, live, and those before them, as far back as the trader has scrolled.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useCandles, useHistory, type Candle } from "../../../src";

const LATEST = 300;
const PAGE = 500;

export interface Bars {
  readonly candles: readonly Candle[];
  readonly isLoading: boolean;
  readonly isStale: boolean;
  readonly error: string | undefined;
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  readonly olderError: string | undefined;
  /** The trader comes near the first candle. */
  readonly onNearStart: () => void;
  readonly loadOlder: () => void;
}

interface Kept {
  readonly key: string;
  readonly candles: readonly Candle[];
}

const NONE: readonly Candle[] = [];

export function useBars(asset: string | null, timeframe: string): Bars {
  const key = `${timeframe} ${asset}`;
  const live = useCandles(asset, timeframe, { limit: LATEST });
  const [pivot, setPivot] = useState<{ readonly key: string; readonly to: number } | null>(null);
  const wanted = pivot?.key === key ? pivot : null;
  const older = useHistory(wanted ? asset : null, timeframe, { to: wanted?.to, limit: PAGE });
  const kept = useRef<Kept>({ key: "", candles: NONE });
  const candles = useMemo(() => {
    const before = kept.current.key === key ? kept.current.candles : NONE;
    return preceded(older.data, succeeded(before, live.data));
  }, [key, live.data, older.data]);
  useEffect(() => {
    kept.current = { key, candles };
  }, [key, candles]);

  const first = candles[0]?.timestamp;
  const { loadOlder: loadPage } = older;
  const loadOlder = useCallback(() => {
    if (wanted) void loadPage();
    else if (first !== undefined) setPivot({ key, to: first });
  }, [wanted, loadPage, first, key]);
  const idle = !wanted || (older.hasOlder && !older.isLoadingOlder && !older.error);
  const onNearStart = useCallback(() => {
    if (idle) loadOlder();
  }, [idle, loadOlder]);
  return {
    candles,
    isLoading: live.status === "loading",
    isStale: live.isStale,
    error: live.error?.message,
    hasOlder: wanted ? older.hasOlder : candles.length > 0,
    isLoadingOlder: wanted !== null && older.isLoadingOlder,
    olderError: wanted ? older.error?.message : undefined,
    onNearStart,
    loadOlder,
  };
}

/** `now` in place of the end of `before`. What came before a time that nobody has heard goes: a hole would look like silence. */
function succeeded(before: readonly Candle[], now: readonly Candle[]): readonly Candle[] {
  const first = now[0]?.timestamp;
  if (first === undefined || before.length === 0) return now;
  if ((before.at(-1)?.timestamp ?? 0) < first) return now;
  const place = before.findIndex(({ timestamp }) => timestamp >= first);
  return place > 0 ? [...before.slice(0, place), ...now] : now;
}

function preceded(older: readonly Candle[], candles: readonly Candle[]): readonly Candle[] {
  const first = candles[0]?.timestamp;
  if (first === undefined || (older[0]?.timestamp ?? first) >= first) return candles;
  return [...older.filter(({ timestamp }) => timestamp < first), ...candles];
}
