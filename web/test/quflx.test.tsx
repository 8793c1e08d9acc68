import { act, cleanup, renderHook } from "@testing-library/react";
import { io } from "socket.io-client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type CsvDataOptions, useCsvData, useDataStream } from "../src/quflx/index.js";
import { below, clientOf } from "./support/react.js";
import { FakeQuflxSocket, update } from "./support/quflx.js";
import { FakeRelay, candleOf } from "./support/relay.js";

let socket: FakeQuflxSocket;

beforeEach(() => {
  vi.useFakeTimers();
  socket = new FakeQuflxSocket(true);
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const say = (event: string, payload?: unknown) => act(() => socket.say(event, payload));

describe("useDataStream", () => {
  test("has QuFLX's results before anything has come", () => {
    const { result } = renderHook(() => useDataStream(null));
    const { subscribeToRedis, unsubscribeFromRedis, getRedisStatus, clearBuffer, ...state } = result.current;
    expect(state).toEqual({
      chartData: [], isConnected: false, redisConnected: false, error: null, bufferStats: { size: 0, processed: 0, dropped: 0 },
    });
    for (const act_ of [subscribeToRedis, unsubscribeFromRedis, getRedisStatus, clearBuffer]) expect(act_()).toBeUndefined();
  });

  test("subscribes once connected, and again after a reconnect", () => {
    socket.connected = false;
    const { result } = renderHook(() => useDataStream(socket, { asset: "A" }));
    expect(socket.sent).toEqual([]);
    say("connect");
    expect(socket.sent).toEqual([["subscribe_redis_updates", { asset: "A" }]]);
    say("redis_subscribed", { asset: "B" });
    expect([result.current.isConnected, result.current.redisConnected]).toEqual([true, false]);
    say("redis_subscribed", { asset: "A" });
    expect(result.current.redisConnected).toBe(true);
    say("disconnect");
    expect([result.current.isConnected, result.current.redisConnected]).toEqual([false, false]);
    say("connect");
    expect(socket.events()).toEqual(["subscribe_redis_updates", "subscribe_redis_updates"]);
  });

  test("finds a socket that is connected already, of EURUSD_otc unless told otherwise", () => {
    renderHook(() => useDataStream(socket));
    expect(socket.sent).toEqual([["subscribe_redis_updates", { asset: "EURUSD_otc" }]]);
  });

  test("renders what came once an interval, by time, each time once", async () => {
    let renders = 0;
    const { result } = renderHook(() => { renders += 1; return useDataStream(socket, { asset: "A", processInterval: 100 }); });
    const before = renders;
    say("redis_update", update("A", 2, 20));
    say("redis_update", update("A", 1, 10));
    say("redis_update", update("A", 2, 21));
    say("redis_update", update("B", 3, 30));
    expect(renders).toBe(before);
    await pass(100);
    expect(renders).toBe(before + 1);
    const shape = { open: 1, high: 9, low: 0.5, volume: 0 };
    expect(result.current.chartData).toEqual([
      { time: 1, timestamp: 1, close: 10, ...shape }, { time: 2, timestamp: 2, close: 21, ...shape },
    ]);
    say("redis_update", update("A", 3, 30));
    say("redis_update", update("A", 1, 11));
    await pass(100);
    expect(result.current.chartData.map(({ time, close }) => [time, close])).toEqual([[1, 11], [2, 21], [3, 30]]);
    expect(result.current.bufferStats).toEqual({ size: 0, processed: 4, dropped: 0 });
  });

  test("keeps the newest up to its size, and counts what it dropped", async () => {
    const { result } = renderHook(() => useDataStream(socket, { asset: "A", maxBufferSize: 3 }));
    for (let time = 1; time <= 5; time++) say("redis_update", update("A", time, time));
    await pass(100);
    expect(result.current.chartData.map(({ time }) => time)).toEqual([3, 4, 5]);
    expect(result.current.bufferStats).toEqual({ size: 0, processed: 3, dropped: 2 });
    for (let time = 6; time <= 7; time++) say("redis_update", update("A", time, time));
    await pass(100);
    expect(result.current.chartData.map(({ time }) => time)).toEqual([5, 6, 7]);
  });

  test("takes no notice of what is no update", async () => {
    const { result } = renderHook(() => useDataStream(socket, { asset: "A" }));
    for (const message of [undefined, {}, { data: null }, { data: "x" }, { data: { asset: "A" } }, { data: { asset: "A", timestamp: 1, close: NaN } }]) {
      say("redis_update", message);
    }
    await pass(500);
    expect(result.current.chartData).toEqual([]);
  });

  test("says what went wrong", () => {
    const { result } = renderHook(() => useDataStream(socket, { asset: "A" }));
    say("redis_error", { message: "Redis is away" });
    expect(result.current.error).toBe("Redis is away");
    act(() => result.current.getRedisStatus());
    expect(socket.sent.at(-1)?.[0]).toBe("get_redis_status");
    say("redis_status", { connected: false, error: { message: "down" } });
    expect([result.current.redisConnected, result.current.error]).toEqual([false, "down"]);
    say("redis_status", { connected: true });
    expect([result.current.redisConnected, result.current.error]).toEqual([true, null]);
    say("connect_error", new Error("refused"));
    expect([result.current.isConnected, result.current.error]).toEqual([false, "Socket error: refused"]);
  });

  test("begins anew with another asset, and leaves nothing behind", async () => {
    const { result, rerender, unmount } = renderHook(({ asset }) => useDataStream(socket, { asset }), { initialProps: { asset: "A" } });
    say("redis_update", update("A", 1, 1));
    await pass(100);
    say("redis_update", update("A", 2, 1));
    rerender({ asset: "B" });
    expect(result.current.chartData).toEqual([]);
    await pass(200);
    expect(result.current.chartData).toEqual([]);
    say("redis_update", update("B", 3, 1));
    unmount();
    expect(socket.sent.slice(1)).toEqual([
      ["unsubscribe_redis_updates", { asset: "A" }], ["subscribe_redis_updates", { asset: "B" }], ["unsubscribe_redis_updates", { asset: "B" }],
    ]);
    expect(socket.listening).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("does not end what another one on the same socket watches, nor others' listeners", () => {
    const heard = vi.fn();
    socket.on("redis_error", heard);
    const one = renderHook(() => useDataStream(socket, { asset: "A" }));
    const other = renderHook(() => useDataStream(socket, { asset: "A" }));
    one.unmount();
    expect(socket.events()).not.toContain("unsubscribe_redis_updates");
    say("redis_error", { message: "x" });
    expect(heard).toHaveBeenCalledOnce();
    other.unmount();
    expect(socket.events()).toContain("unsubscribe_redis_updates");
  });

  test("forgets what waits when it is told to", async () => {
    const { result } = renderHook(() => useDataStream(socket, { asset: "A" }));
    say("redis_update", update("A", 1, 1));
    act(() => result.current.clearBuffer());
    await pass(200);
    expect(result.current.chartData).toEqual([]);
  });

  test("takes a stock socket of socket.io-client", () => {
    const stock = io("http://relay.test:3001", { autoConnect: false });
    const { result, unmount } = renderHook(() => useDataStream(stock, { asset: "A" }));
    expect(result.current.isConnected).toBe(false);
    unmount();
    expect(stock.listeners("redis_update")).toEqual([]);
  });
});

describe("useCsvData", () => {
  const wanted: CsvDataOptions = { dataSource: "csv", selectedAsset: "A", timeframe: "1M", isConnected: true };

  test("takes the relay's cache first", async () => {
    const data = [candleOf(60), candleOf(120)];
    socket.answer = (event, { asset, timeframe }) =>
      event === "get_cached_historical_data" ? ["cached_historical_data", { asset, timeframe, data, source: "redis_cache" }] : undefined;
    const { result } = renderHook(() => useCsvData({ ...wanted, socket }));
    expect(result.current).toMatchObject({ data: [], loading: true, source: "unknown" });
    await pass(0);
    const { loadData, clearCache, refreshCache, storeInBackend, ...state } = result.current;
    expect(state).toEqual({ data, loading: false, error: null, source: "redis_cache", cacheHit: true });
    expect(socket.sent).toEqual([["get_cached_historical_data", { asset: "A", timeframe: "1M" }]]);
    await act(() => refreshCache());
    await act(() => loadData());
    expect(socket.sent).toHaveLength(3);
    expect(socket.listening).toBe(0);
    expect([typeof clearCache, typeof storeInBackend]).toEqual(["function", "function"]);
  });

  test("finds the socket where QuFLX keeps it, and the store where the cache has none", async () => {
    vi.stubGlobal("socket", socket);
    socket.answer = (event, { asset }) =>
      event === "get_cached_historical_data" ? ["cached_historical_data", { asset, data: null, source: "cache_miss" }] : undefined;
    const relay = new FakeRelay();
    relay.json("/api/v1/history/A", { ok: true, candles: [candleOf(60)] });
    const { result } = renderHook(() => useCsvData(wanted), { wrapper: below(clientOf(relay)) });
    await pass(0);
    expect(result.current).toMatchObject({ loading: false, error: null, source: "supabase", cacheHit: false });
    expect(result.current.data).toEqual([{ timestamp: 60, open: 1, high: 1, low: 1, close: 1, volume: 0, date: "1970-01-01T00:01:00.000Z" }]);
    expect(relay.requests).toEqual(["/api/v1/history/A?timeframe=1M&limit=200"]);
  });

  test("asks the store of the relay that the socket speaks to, where there is no provider", async () => {
    const asked: [string, RequestInit | undefined][] = [];
    vi.stubGlobal("fetch", async (url: string, init?: RequestInit) => {
      asked.push([url, init]);
      return new Response(JSON.stringify({ candles: [] }));
    });
    const stock = io("http://relay.test:3001", { autoConnect: false, auth: { token: "t" } });
    renderHook(() => useCsvData({ ...wanted, selectedAsset: "#AAPL_otc", socket: stock }));
    await pass(1_100);
    expect(asked.map(([url, init]) => [url, init?.headers])).toEqual([
      ["http://relay.test:3001/api/v1/history/%23AAPL_otc?timeframe=1M&limit=200", { Authorization: "Bearer t" }],
    ]);
  });

  test("goes to the store when the cache does not answer, and says when that fails, too", async () => {
    const { result } = renderHook(() => useCsvData({ ...wanted, socket }), { wrapper: below(clientOf(new FakeRelay())) });
    await pass(999);
    expect(result.current.loading).toBe(true);
    await pass(1);
    expect(result.current).toMatchObject({
      data: [], loading: false, error: "Failed to load data: the relay is not reached", source: "error", cacheHit: false,
    });
    expect(socket.listening).toBe(0);
  });

  test("loads nothing of itself from other sources, nor while not connected", async () => {
    const { result, rerender } = renderHook((options: CsvDataOptions) => useCsvData({ ...options, socket }), {
      initialProps: { ...wanted, dataSource: "platform" } as CsvDataOptions,
    });
    rerender({ ...wanted, isConnected: false });
    await pass(5_000);
    expect([socket.sent, result.current.source]).toEqual([[], "unknown"]);
  });

  test("shows no answer of an asset that was left", async () => {
    const { result, rerender } = renderHook((options: CsvDataOptions) => useCsvData({ ...options, socket }), { initialProps: wanted });
    rerender({ ...wanted, selectedAsset: "B" });
    const told = (asset: string, close: number) => ({ asset, timeframe: "1M", data: [candleOf(60, { close })], source: "redis_cache" });
    say("cached_historical_data", told("B", 2));
    say("cached_historical_data", told("A", 1));
    await pass(0);
    expect(result.current.data.map(({ close }) => close)).toEqual([2]);
  });

  test("clears the cache, and says whether it was done", async () => {
    const { result } = renderHook(() => useCsvData({ ...wanted, dataSource: "platform", socket }));
    socket.answer = (event, { asset, timeframe }) =>
      event === "clear_cached_historical_data" ? ["historical_data_cache_cleared", { asset, timeframe }] : undefined;
    await expect(result.current.clearCache("A", "1M")).resolves.toBe(true);
    socket.answer = () => undefined;
    const unanswered = result.current.clearCache("A", "1M");
    await pass(1_000);
    await expect(unanswered).resolves.toBe(false);
  });

  test("hands candles to the backend, and says when that fails", async () => {
    const storeCsvCandles = vi.fn();
    const { result } = renderHook(() => useCsvData({ ...wanted, dataSource: "platform", socket, storeCsvCandles }));
    await act(() => result.current.storeInBackend([]));
    await act(() => result.current.storeInBackend([candleOf(60)]));
    expect(storeCsvCandles.mock.calls).toEqual([["A", [candleOf(60)]]]);
    storeCsvCandles.mockRejectedValue(new Error("full"));
    await act(() => result.current.storeInBackend([candleOf(60)]));
    expect(result.current.error).toBe("Failed to store data: full");
  });
});
