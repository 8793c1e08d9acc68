export { TickwireProvider, useTickwire, type TickwireProviderProps } from "./hooks/provider.js";
export { useLastTick, useTicks, type TicksQuery, type UseTicksOptions } from "./hooks/useTicks.js";
export { useCandles, useHistory, type HistoryQuery, type UseCandlesOptions } from "./hooks/useCandles.js";
export {
  useActors,
  useAssets,
  useAudit,
  useConnection,
  useFeedStatus,
  useMetrics,
  useRelayStatus,
  type PollOptions,
  type PolledQuery,
  type UseAssetsOptions,
  type UseAuditOptions,
} from "./hooks/useRelay.js";
export * from "./core/index.js";
export * from "./quflx/index.js";
