// QuFLX's hook for a live chart, with its signature and its results, on the Socket.IO events of the relay (docs/quflx-events.md).

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type QuflxSocket, listen, messageOf, use } from "./socket.js";

export interface DataStreamOptions {
  readonly maxBufferSize?: number;
  /** Milliseconds between two renders. */
  readonly processInterval?: number;
  readonly asset?: string;
}

export interface ChartPoint {
  /** Seconds UTC, as `timestamp`. */
  readonly time: number;
  readonly timestamp: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

export interface BufferStats {
  /** Waiting for the next render. */
  readonly size: number;
  readonly processed: number;
  /** Pushed out by newer ones before they were rendered. */
  readonly dropped: number;
}

export interface DataStream {
  /** Oldest first, each time once, at most `maxBufferSize`. */
  readonly chartData: readonly ChartPoint[];
  readonly isConnected: boolean;
  readonly redisConnected: boolean;
  readonly error: string | null;
  readonly bufferStats: BufferStats;
  readonly subscribeToRedis: () => void;
  readonly unsubscribeFromRedis: () => void;
  readonly getRedisStatus: () => void;
  readonly clearBuffer: () => void;
}

type State = Pick<DataStream, "chartData" | "isConnected" | "redisConnected" | "error" | "bufferStats">;

const EMPTY: State = {
  chartData: [],
  isConnected: false,
  redisConnected: false,
  error: null,
  bufferStats: { size: 0, processed: 0, dropped: 0 },
};

export function useDataStream(
  socket: QuflxSocket | null | undefined,
  { maxBufferSize = 1000, processInterval = 100, asset = "EURUSD_otc" }: DataStreamOptions = {},
): DataStream {
  const [state, setState] = useState<State>(EMPTY);
  const buffer = useRef(new Map<number, ChartPoint>());
  const dropped = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const put = useCallback((part: Partial<State>) => setState((before) => ({ ...before, ...part })), []);

  const process = useCallback(() => {
    timer.current = undefined;
    const fresh = [...buffer.current.values()];
    buffer.current.clear();
    setState((before) => ({
      ...before,
      chartData: merged(before.chartData, fresh).slice(-maxBufferSize),
      bufferStats: { size: 0, processed: before.bufferStats.processed + fresh.length, dropped: dropped.current },
    }));
  }, [maxBufferSize]);

  const onUpdate = useCallback(
    (message: { readonly data?: unknown } | undefined) => {
      const point = pointOf(message?.data, asset);
      if (!point) return;
      buffer.current.delete(point.time);
      buffer.current.set(point.time, point);
      if (buffer.current.size > maxBufferSize) {
        dropped.current += 1;
        for (const oldest of buffer.current.keys()) {
          buffer.current.delete(oldest);
          break;
        }
      }
      timer.current ??= setTimeout(process, processInterval);
    },
    [asset, maxBufferSize, processInterval, process],
  );

  const subscribeToRedis = useCallback(() => {
    if (socket && asset) socket.emit("subscribe_redis_updates", { asset });
  }, [socket, asset]);
  const unsubscribeFromRedis = useCallback(() => {
    if (socket && asset) socket.emit("unsubscribe_redis_updates", { asset });
    put({ redisConnected: false });
  }, [socket, asset, put]);
  const getRedisStatus = useCallback(() => {
    socket?.emit("get_redis_status");
  }, [socket]);
  const clearBuffer = useCallback(() => {
    buffer.current.clear();
    setState((before) => ({ ...before, bufferStats: { ...before.bufferStats, size: 0 } }));
  }, []);

  useEffect(() => {
    if (!socket) return undefined;
    const leave = use(socket, asset); // another hook on this socket may want the same updates
    const onConnect = () => {
      put({ isConnected: true, error: null });
      subscribeToRedis();
    };
    const stop = listen(socket, {
      connect: onConnect,
      disconnect: () => put({ isConnected: false, redisConnected: false }),
      connect_error: (error: unknown) => put({ isConnected: false, error: `Socket error: ${messageOf(error)}` }),
      redis_update: onUpdate,
      redis_subscribed: (told: { asset?: string } | undefined) => told?.asset === asset && put({ redisConnected: true, error: null }),
      redis_unsubscribed: (told: { asset?: string } | undefined) => told?.asset === asset && put({ redisConnected: false }),
      redis_error: (error: unknown) => put({ error: messageOf(error) }),
      redis_status: (status: { connected?: boolean; error?: unknown } | undefined) =>
        put({ redisConnected: status?.connected === true, error: status?.error ? messageOf(status.error) : null }),
    });
    if (socket.connected) onConnect();
    return () => {
      stop();
      if (leave()) unsubscribeFromRedis();
    };
  }, [socket, asset, onUpdate, put, subscribeToRedis, unsubscribeFromRedis]);

  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      buffer.current.clear();
      put({ chartData: [] }); // another asset's prices are not this one's
    },
    [socket, asset, put],
  );

  return useMemo(
    () => ({ ...state, subscribeToRedis, unsubscribeFromRedis, getRedisStatus, clearBuffer }),
    [state, subscribeToRedis, unsubscribeFromRedis, getRedisStatus, clearBuffer],
  );
}

function pointOf(data: unknown, asset: string): ChartPoint | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const update = data as Readonly<Record<string, unknown>>;
  const { timestamp, close, volume } = update;
  if (update.asset !== asset || !isNumber(timestamp) || !isNumber(close)) return undefined;
  const or = (value: unknown) => (isNumber(value) ? value : close);
  const { open, high, low } = update;
  return {
    time: timestamp, timestamp, open: or(open), high: or(high), low: or(low), close, volume: isNumber(volume) ? volume : 0,
  };
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** Both by time; of one time the fresh one. */
function merged(known: readonly ChartPoint[], fresh: readonly ChartPoint[]): readonly ChartPoint[] {
  const sorted = [...fresh].sort((a, b) => a.time - b.time);
  const first = sorted[0];
  const last = known.at(-1);
  if (!first) return known;
  if (!last || first.time > last.time) return [...known, ...sorted];
  const all = new Map([...known, ...sorted].map((point) => [point.time, point]));
  return [...all.values()].sort((a, b) => a.time - b.time);
}
