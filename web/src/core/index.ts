export { TickwireClient, type TickwireOptions } from "./client.js";
export type { Readable } from "./cell.js";
export type { MakeSocket, Socket } from "./connection.js";
export type { BackoffOptions } from "./backoff.js";
export { TickChannel, TICKS_KEPT } from "./tickChannel.js";
export { CandleChannel, CANDLES_KEPT } from "./candleChannel.js";
export { HistoryPages, type HistoryOptions, type HistoryView } from "./historyPages.js";
export { TickSeries } from "./tickSeries.js";
export { CandleSeries } from "./candleSeries.js";
export { Http, assetPath } from "./http.js";
export {
  metricQuantile,
  metricSum,
  metricValue,
  parseMetrics,
  type Labels,
  type MetricFamily,
  type Metrics,
  type Sample,
} from "./prometheus.js";
export { TIMEFRAMES, canonicalTimeframe, type Timeframe } from "./timeframes.js";
export * from "./types.js";
