export const SECONDS: Readonly<Record<string, number>> = {
  "15s": 15, "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "1d": 86_400,
};

/** In the order of the keys 1 … 8. */
export const TIMEFRAMES: readonly string[] = Object.keys(SECONDS);
export const DEFAULT_TIMEFRAME = "1m";
