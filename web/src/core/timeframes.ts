// Timeframes as the relay spells them: `1M`, `1H` of QuFLX and whole minutes are taken, too.

export const TIMEFRAMES = { "15s": 15, "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "1d": 86_400 } as const;

export type Timeframe = keyof typeof TIMEFRAMES;

const MINUTES: Readonly<Record<string, Timeframe>> = Object.fromEntries(
  Object.entries(TIMEFRAMES)
    .filter(([, seconds]) => seconds % 60 === 0)
    .map(([name, seconds]) => [`${seconds / 60}`, name as Timeframe]),
);

/** The relay's spelling; undefined where it is no timeframe. */
export function canonicalTimeframe(written: string): Timeframe | undefined {
  const lower = written.trim().toLowerCase();
  if (Object.hasOwn(TIMEFRAMES, lower)) return lower as Timeframe;
  return Object.hasOwn(MINUTES, lower) ? MINUTES[lower] : undefined;
}
