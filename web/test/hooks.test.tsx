import { act, cleanup, render, renderHook } from "@testing-library/react";
import { Profiler, StrictMode } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  TickwireProvider, metricValue, useActors, useAssets, useAudit, useCandles, useConnection, useFeedStatus, useHistory, useLastTick,
  useMetrics, useRelayStatus, useTicks,
} from "../src/index.js";
import { below, clientOf } from "./support/react.js";
import { FakeRelay, candleOf } from "./support/relay.js";

let relay: FakeRelay;

beforeEach(() => {
  vi.useFakeTimers();
  relay = new FakeRelay();
  relay.json("/api/v1/candles/A", { candles: [candleOf(60), candleOf(120)] });
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const frame = () => pass(20);

describe("useTicks", () => {
  test("is loading, then live with the snapshot, then with each tick as it comes", async () => {
    relay.tick("A", 1, 2);
    const { result } = renderHook(() => useTicks("A"), { wrapper: below(clientOf(relay)) });
    expect(result.current).toEqual({ data: [], error: null, status: "loading", isStale: false, gaps: [], epoch: undefined });
    await frame();
    expect(result.current).toMatchObject({ status: "live", isStale: false, epoch: "E1" });
    relay.tick("A", 3);
    await frame();
    expect(result.current.data.map(({ seq, price }) => [seq, price])).toEqual([[1, 1], [2, 2], [3, 3]]);
  });

  test("gives each hook its own limit, of one subscription", async () => {
    for (let i = 1; i <= 1500; i++) relay.tick("A", i);
    const many = renderHook(
      () => [useTicks("A", { limit: 3 }), useTicks("A", { limit: 1200 }), useTicks("A"), useTicks("A", { limit: 0 })] as const,
      { wrapper: below(clientOf(relay)) },
    );
    await frame();
    for (let i = 1501; i <= 1800; i++) relay.tick("A", i);
    await frame();
    expect(many.result.current.map(({ data }) => [data.length, data.at(-1)?.seq])).toEqual([[3, 1800], [1200, 1800], [1000, 1800], [0, undefined]]);
    expect(relay.subscriptions("A")).toHaveLength(1);
  });

  test("asks for nothing while there is no asset, and for another one when it changes", async () => {
    relay.tick("A", 1);
    relay.tick("B", 2);
    const { result, rerender } = renderHook(({ asset }: { asset: string | null }) => useTicks(asset), {
      wrapper: below(clientOf(relay)), initialProps: { asset: null as string | null },
    });
    await pass(5_000);
    expect(relay.sockets).toHaveLength(0);
    expect(result.current).toMatchObject({ status: "idle", data: [] });
    rerender({ asset: "A" });
    await frame();
    expect(result.current.data.at(-1)?.price).toBe(1);
    rerender({ asset: "B" });
    expect(result.current.data).toEqual([]);
    await frame();
    expect(result.current.data.at(-1)?.price).toBe(2);
    await pass(3_000);
    expect(relay.asked.at(-1)).toEqual({ type: "unsubscribe", asset: "A" });
  });

  test("keeps its data and says stale while the relay is away", async () => {
    relay.tick("A", 1);
    const { result } = renderHook(() => [useTicks("A"), useFeedStatus(), useConnection()] as const, { wrapper: below(clientOf(relay)) });
    await frame();
    relay.cut(1001, "the relay's gateway is going away");
    await frame();
    const [ticks, feed, connection] = result.current;
    expect(ticks).toMatchObject({ status: "stale", isStale: true, error: { code: "unreachable" } });
    expect(ticks.data).toHaveLength(1);
    expect(feed).toMatchObject({ status: "stale", data: { feed: "live" } });
    expect(connection).toMatchObject({ name: "waiting", code: 1001 });
    await pass(1_000);
    expect(result.current[0]).toMatchObject({ status: "live", error: null });
    expect(result.current[2]).toEqual({ name: "open" });
  });

  test("in StrictMode subscribes once", async () => {
    relay.tick("A", 1);
    const { result, unmount } = renderHook(() => [useTicks("A"), useCandles("A", "1m"), useLastTick("A")] as const, {
      wrapper: below(clientOf(relay), { strict: true }),
    });
    await pass(5_000);
    expect(result.current.map(({ status }) => status)).toEqual(["live", "live", "live"]);
    expect(relay.sockets).toHaveLength(1);
    expect(relay.asked.map(({ type, mode = "ticks" }) => `${type} ${mode}`)).toEqual(["subscribe ticks", "subscribe candles"]);
    unmount();
    await pass(3_000);
    expect(relay.open.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("rendering", () => {
  test("commits once a frame for all assets, however fast ticks come", async () => {
    const assets = Array.from({ length: 20 }, (_, i) => `A${i}`);
    const client = clientOf(relay);
    let commits = 0;
    const Row = ({ asset }: { readonly asset: string }) => <i>{useTicks(asset).data.at(-1)?.price}</i>;
    render(
      <TickwireProvider client={client}>
        <Profiler id="all" onRender={() => (commits += 1)}>
          {assets.map((asset) => <Row key={asset} asset={asset} />)}
        </Profiler>
      </TickwireProvider>,
    );
    await frame();
    commits = 0;
    let frames = 0;
    const count = () => {
      frames += 1;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
    for (let ms = 0; ms < 500; ms += 5) {
      for (const asset of assets) relay.tick(asset, ms);
      await pass(5);
    }
    expect(frames).toBeGreaterThan(20);
    expect(commits).toBeGreaterThan(20);
    expect(commits).toBeLessThanOrEqual(frames);
  });

  test("of one asset is not caused by another's ticks", async () => {
    const renders: Record<string, number> = { A: 0, B: 0 };
    const Row = ({ asset }: { readonly asset: string }) => {
      renders[asset] = (renders[asset] ?? 0) + 1;
      return <i>{useTicks(asset).data.length}</i>;
    };
    const view = render(<TickwireProvider client={clientOf(relay)}><Row asset="A" /><Row asset="B" /></TickwireProvider>);
    await frame();
    const before = { ...renders };
    for (let i = 0; i < 10; i++) {
      relay.tick("A", i);
      await frame();
    }
    expect(renders.B).toBe(before.B);
    expect(renders.A).toBe((before.A ?? 0) + 10);
    expect(view.container.textContent).toBe("100");
  });

  test("of the last tick happens only where that changed", async () => {
    let renders = 0;
    renderHook(() => { renders += 1; return useLastTick("A"); }, { wrapper: below(clientOf(relay)) });
    relay.tick("A", 1);
    await frame();
    const before = renders;
    relay.say("ticks A", { type: "gap", asset: "A", from: 2, to: 3 });
    relay.say("ticks A", { type: "ticks", asset: "A", epoch: "E1", ticks: [[1, 1, 1]] });
    await frame();
    expect(renders).toBe(before);
  });
});

describe("useCandles", () => {
  test("is history with the live candles after it", async () => {
    const { result } = renderHook(() => useCandles("A", "1M", { limit: 3 }), { wrapper: below(clientOf(relay)) });
    await frame();
    relay.candle("A", candleOf(180, { is_closed: false }));
    relay.candle("A", candleOf(180, { close: 2 }));
    relay.candle("A", candleOf(240, { is_closed: false }));
    await frame();
    expect(result.current.data.map(({ timestamp, close, is_closed }) => [timestamp, close, is_closed])).toEqual([
      [120, 1, true], [180, 2, true], [240, 1, false],
    ]);
    expect(relay.requests).toEqual(["/api/v1/candles/A?timeframe=1m&limit=200"]);
  });
});

describe("useHistory", () => {
  test("goes back a page at a time, to the first candle", async () => {
    const all = Array.from({ length: 7 }, (_, i) => candleOf(60 * (i + 1)));
    relay.answers.set("/api/v1/candles/A", () => {
      const query = new URL(relay.requests.at(-1) ?? "", "http://x").searchParams;
      const to = Number(query.get("to") ?? Infinity);
      const before = all.filter(({ timestamp }) => timestamp < to);
      const candles = before.slice(-Number(query.get("limit")));
      const older = candles.length < before.length ? candles[0]?.timestamp : null;
      return new Response(JSON.stringify({ candles, older, stale: false }));
    });
    const { result } = renderHook(() => useHistory("A", "1m", { limit: 3 }), { wrapper: below(clientOf(relay)) });
    expect(result.current).toMatchObject({ status: "loading", hasOlder: false });
    await frame();
    expect(result.current).toMatchObject({ status: "live", hasOlder: true, isLoadingOlder: false });
    await act(() => result.current.loadOlder());
    await frame();
    await act(() => Promise.all([result.current.loadOlder(), result.current.loadOlder()]));
    await frame();
    expect(result.current.data).toEqual(all);
    expect(result.current.hasOlder).toBe(false);
    await act(() => result.current.loadOlder());
    expect(relay.requests.map((each) => each.split("&").at(-1))).toEqual(["limit=3", "to=300", "to=120"]);
    expect(relay.sockets).toHaveLength(0);
  });

  test("keeps what it has where a page fails, and goes on from there", async () => {
    relay.json("/api/v1/candles/A", { candles: [candleOf(60), candleOf(120)], older: 60 });
    const { result } = renderHook(() => useHistory("A", "1m", { from: 0, to: 600, limit: 2 }), { wrapper: below(clientOf(relay)) });
    await frame();
    expect(relay.requests).toEqual(["/api/v1/candles/A?timeframe=1m&limit=2&from=0&to=600"]);
    relay.json("/api/v1/candles/A", { ok: false, error_code: "history_unavailable" }, 503);
    await act(() => result.current.loadOlder());
    await frame();
    expect(result.current).toMatchObject({ status: "stale", error: { code: "history_unavailable" }, hasOlder: true });
    relay.json("/api/v1/candles/A", { candles: [candleOf(0)], older: null });
    await act(() => result.current.loadOlder());
    await frame();
    expect(result.current).toMatchObject({ status: "live", error: null, hasOlder: false });
    expect(result.current.data.map(({ timestamp }) => timestamp)).toEqual([0, 60, 120]);
  });
});

describe("candles that the relay is still reading", () => {
  test("are asked for again, a few times, shown meanwhile by useCandles and awaited by useHistory", async () => {
    relay.json("/api/v1/candles/A", { candles: [candleOf(60)], older: null, stale: true });
    const wrapper = below(clientOf(relay));
    const { result } = renderHook(() => [useCandles("A", "1m"), useHistory("A", "1m")] as const, { wrapper });
    await frame();
    expect(result.current.map(({ status, data }) => `${status} ${data.length}`)).toEqual(["live 1", "loading 0"]);
    relay.json("/api/v1/candles/A", { candles: [candleOf(60), candleOf(120)], older: null, stale: false });
    await pass(1_100);
    expect(result.current.map(({ status, data }) => `${status} ${data.length}`)).toEqual(["live 2", "live 2"]);
    const asked = relay.requests.length;
    await pass(10_000);
    expect(relay.requests).toHaveLength(asked);
  });

  test("are taken as they are where it does not come to an end", async () => {
    relay.json("/api/v1/candles/A", { candles: [candleOf(60)], older: null, stale: true });
    const { result } = renderHook(() => [useCandles("A", "1m"), useHistory("A", "1m")] as const, { wrapper: below(clientOf(relay)) });
    await pass(10_000);
    expect(result.current.map(({ status, data }) => `${status} ${data.length}`)).toEqual(["live 1", "live 1"]);
    expect(relay.requests).toHaveLength(6);
  });
});

describe("what is asked for again and again", () => {
  test("is asked for once for all who want it, and not after the last", async () => {
    relay.json("/api/v1/assets", { assets: [{ asset: "A" }] });
    const wrapper = below(clientOf(relay), { strict: true });
    const { result, unmount } = renderHook(() => [useAssets(), useAssets(), useAssets({ enabled: false })] as const, { wrapper });
    await frame();
    expect(result.current.map(({ status }) => status)).toEqual(["live", "live", "idle"]);
    expect(result.current[0].data).toEqual([{ asset: "A" }]);
    const asked = relay.requests.length;
    expect(asked).toBeLessThanOrEqual(2); // StrictMode's first one is broken off
    await pass(3_000);
    expect(relay.requests).toHaveLength(asked + 1);
    unmount();
    await pass(30_000);
    expect(relay.requests).toHaveLength(asked + 1);
  });

  test("is kept and stale where it fails, an error where there never was any", async () => {
    relay.json("/api/v1/status", { ok: true });
    relay.json("/api/v1/actors", "not what was asked for", 500);
    const { result } = renderHook(() => [useRelayStatus(), useActors(), useAudit({ since: 5, asset: "A" })] as const, {
      wrapper: below(clientOf(relay)),
    });
    await frame();
    expect(result.current.map(({ status, error }) => `${status} ${error?.code}`)).toEqual(["live undefined", "error refused", "error unreachable"]);
    expect(relay.requests).toContain("/api/v1/audit?since=5&asset=A");
    relay.answers.delete("/api/v1/status");
    await pass(2_000);
    expect(result.current[0]).toMatchObject({ status: "stale", isStale: true, data: { ok: true }, error: { code: "unreachable" } });
    relay.json("/api/v1/status", { ok: true });
    await act(() => result.current[0].refetch());
    await frame();
    expect(result.current[0]).toMatchObject({ status: "live", error: null });
  });

  test("rests while the page is hidden", async () => {
    relay.answers.set("/metrics", () => new Response('# TYPE a gauge\na{b="c"} 4\n'));
    const { result } = renderHook(() => useMetrics({ intervalMs: 500 }), { wrapper: below(clientOf(relay)) });
    await frame();
    expect(result.current.data && metricValue(result.current.data, "a", { b: "c" })).toBe(4);
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    await pass(10_000);
    const asked = relay.requests.length;
    expect(asked).toBeLessThanOrEqual(2);
    hidden.mockReturnValue(false);
    document.dispatchEvent(new Event("visibilitychange"));
    await pass(600);
    expect(relay.requests.length).toBeGreaterThan(asked);
  });

  test("may fail to be JSON", async () => {
    relay.answers.set("/api/v1/assets", () => new Response("<html>"));
    const { result } = renderHook(() => useAssets(), { wrapper: below(clientOf(relay)) });
    await frame();
    expect(result.current).toMatchObject({ status: "error", error: { code: "malformed" } });
  });
});

describe("the provider", () => {
  test("is needed, and said to be", () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    expect(() => renderHook(() => useTicks("A"))).toThrow(/TickwireProvider/);
  });

  test("takes a relay's address and a token, which may change, without losing what it has", async () => {
    vi.stubGlobal("WebSocket", function (url: string, protocol: string) {
      return relay.makeSocket(url, protocol);
    });
    relay.tick("A", 1);
    const Price = () => <b>{useLastTick("A").data?.price}</b>;
    const page = (token: string, url = "http://relay.test:3001") => (
      <StrictMode><TickwireProvider url={url} token={token}><Price /></TickwireProvider></StrictMode>
    );
    const view = render(page("one"));
    await frame();
    expect(relay.sockets.map(({ url }) => url)).toEqual(["ws://relay.test:3001/ws?token=one"]);
    view.rerender(page("two"));
    await frame();
    relay.cut(1008, "the token has expired");
    await pass(3_000);
    expect(relay.sockets.at(-1)?.url).toBe("ws://relay.test:3001/ws?token=two");
    expect(view.container.textContent).toBe("1");
    view.rerender(page("two", "http://other.test:3001"));
    await frame();
    expect(relay.sockets.at(-1)?.url).toBe("ws://other.test:3001/ws?token=two");
    await pass(3_000);
    expect(relay.open.size).toBe(1);
    vi.unstubAllGlobals();
  });
});
