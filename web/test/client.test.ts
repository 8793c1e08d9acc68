import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TickwireClient, type TickwireOptions } from "../src/core/client.js";
import { HistoryPages } from "../src/core/historyPages.js";
import { FakeRelay, candleOf, dice } from "./support/relay.js";

const NO_JITTER = { firstMs: 500, longestMs: 15_000, random: () => 1 };
const nobody = () => {};

let relay: FakeRelay;

beforeEach(() => {
  vi.useFakeTimers();
  relay = new FakeRelay();
  relay.json("/api/v1/candles/A", { candles: [] });
});

afterEach(() => {
  vi.useRealTimers();
});

function connect(options: TickwireOptions = {}): TickwireClient {
  return new TickwireClient({
    url: "http://relay.test:3001", backoff: NO_JITTER, makeSocket: relay.makeSocket, fetch: relay.fetch, ...options,
  });
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const frame = () => pass(20);
const seqs = (client: TickwireClient, asset = "A") => client.ticks(asset).get().data.ticks.map(({ seq }) => seq);
const upTo = (to: number) => Array.from({ length: to }, (_, i) => i + 1);

describe("one socket", () => {
  test("is opened by the first subscription and shared by all", async () => {
    const client = connect();
    expect(relay.sockets).toHaveLength(0);
    client.ticks("A").subscribe(nobody);
    client.ticks("B").subscribe(nobody);
    client.candles("A", "1M").subscribe(nobody);
    client.feed.subscribe(nobody);
    await frame();
    expect(relay.sockets).toHaveLength(1);
    expect(relay.sockets[0]).toMatchObject({ url: "ws://relay.test:3001/ws", protocol: "tickwire.v1.json" });
    expect(relay.asked.map(({ asset, mode = "ticks", timeframe = "" }) => `${asset} ${mode} ${timeframe}`.trim())).toEqual([
      "A ticks", "B ticks", "A candles 1m",
    ]);
    expect(client.feed.get()).toEqual({ data: { feed: "live", redis: "up" }, error: null, status: "live", isStale: false });
  });

  test("carries a token in its address, and keeps a path before it", async () => {
    const client = connect({ url: "https://relay.test/behind?x=1", token: "a b" });
    client.ticks("A").subscribe(nobody);
    expect(relay.sockets[0]?.url).toBe("wss://relay.test/behind/ws?token=a+b");
  });

  test("is closed some time after the last subscription has ended", async () => {
    const client = connect();
    const stop = client.ticks("A").subscribe(nobody);
    await frame();
    stop();
    await pass(1_900);
    expect(relay.open.size).toBe(1);
    await pass(200);
    expect(relay.open.size).toBe(0);
    expect(client.connection.get()).toEqual({ name: "idle" });
    await pass(60_000);
    expect(relay.sockets).toHaveLength(1);
  });

  test("stays for the feed's state alone", async () => {
    const client = connect();
    const stop = client.feed.subscribe(nobody);
    client.ticks("A").subscribe(nobody)();
    await pass(10_000);
    expect(relay.open.size).toBe(1);
    stop();
    await pass(3_000);
    expect(relay.open.size).toBe(0);
  });

  test("comes back with a backoff that doubles to its end, and begins anew once a connection has held", async () => {
    const client = connect();
    relay.accepting = false;
    client.ticks("A").subscribe(nobody);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      relay.sockets.at(-1)?.end(1006);
      await frame();
      const state = client.connection.get();
      if (state.name !== "waiting") throw new Error(state.name);
      delays.push(Math.round((state.retryAt - Date.now() + 20) / 100) * 100);
      await pass(state.retryAt - Date.now());
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    relay.accept(relay.sockets.at(-1)!);
    await pass(11_000);
    relay.cut();
    await pass(500);
    expect(relay.sockets).toHaveLength(9);
  });

  test("does not hurry back to a relay that has too many clients", async () => {
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await frame();
    relay.cut(1013, "too many connections");
    await pass(1_900);
    expect(relay.sockets).toHaveLength(1);
    await pass(200);
    expect(relay.sockets).toHaveLength(2);
  });

  test("is tried at once when the network is back or there is a new token", async () => {
    const client = connect({ token: "old", backoff: { ...NO_JITTER, firstMs: 10_000 } });
    client.ticks("A").subscribe(nobody);
    await frame();
    relay.cut();
    globalThis.dispatchEvent(new Event("online"));
    expect(relay.sockets).toHaveLength(2);
    relay.cut();
    await frame();
    relay.cut();
    client.setToken("new");
    expect(relay.sockets.at(-1)?.url).toContain("token=new");
  });

  test("never sends more than the relay takes", async () => {
    const client = connect();
    const assets = Array.from({ length: 260 }, (_, i) => `A${i}`);
    for (const asset of assets) client.ticks(asset).subscribe(nobody);
    await frame();
    expect(relay.asked).toHaveLength(200);
    await pass(1_000);
    expect(relay.asked.length).toBeLessThanOrEqual(220);
    await pass(5_000);
    expect(relay.asked.map(({ asset }) => asset)).toEqual(assets);
  });

  test("asks once for what waits for its turn, however long that takes", async () => {
    const client = connect();
    const assets = Array.from({ length: 450 }, (_, i) => `A${i}`);
    for (const asset of assets) client.ticks(asset).subscribe(nobody);
    client.candles("A449", "1m").subscribe(nobody);
    await pass(40_000);
    expect(relay.asked.map(({ asset, mode = "ticks" }) => `${asset} ${mode}`)).toEqual([...assets.map((asset) => `${asset} ticks`), "A449 candles"]);
  });

  test.each(["ticks", "the feed's state"])("that has fallen silent is asked something, then given up: with %s on it", async (watched) => {
    const client = connect();
    (watched === "ticks" ? client.ticks("A") : client.feed).subscribe(nobody);
    await frame();
    await pass(25_000);
    expect(relay.probes).toBe(1);
    expect(relay.sockets).toHaveLength(1); // it answered
    relay.silent = true;
    await pass(45_000);
    expect(relay.sockets.length).toBeGreaterThan(1);
    expect(relay.sockets[0]?.readyState).toBe(3);
  });

  test("that was lost while the computer slept is missed soon after it wakes", async () => {
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await frame();
    relay.tick("A", 1);
    vi.setSystemTime(Date.now() + 3_600_000);
    relay.silent = true;
    await pass(15_000);
    expect(relay.sockets[0]?.readyState).toBe(3);
    expect(client.ticks("A").get()).toMatchObject({ status: "stale", error: { code: "unreachable" } });
  });

  test.each(["online", "visibilitychange"])("is asked at once whether it is still there: %s", async (event) => {
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await frame();
    (event === "online" ? globalThis : document).dispatchEvent(new Event(event));
    expect(relay.probes).toBe(1);
    await pass(15_000);
    expect(relay.sockets).toHaveLength(1); // it answered
    client.connection.subscribe(nobody);
    relay.silent = true;
    (event === "online" ? globalThis : document).dispatchEvent(new Event(event));
    await pass(10_100);
    expect(client.connection.get()).toMatchObject({ name: "waiting" });
  });

  test("that does not open in time is given up", async () => {
    relay.accepting = false;
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await pass(10_000);
    expect(relay.sockets[0]?.readyState).toBe(3);
    expect(client.ticks("A").get()).toMatchObject({ status: "error", error: { code: "unreachable" } });
    await pass(500);
    expect(relay.sockets).toHaveLength(2);
  });

  test("takes no notice of what it does not understand", async () => {
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await frame();
    const [socket] = relay.sockets;
    for (const text of ["", "null", "[]", "{", '{"type":"constructor"}', '{"type":"ticks","asset":"A"}', '{"type":"later"}']) socket?.say(text);
    socket?.say({ type: "ticks", asset: "A", epoch: "E1", ticks: [[1, "x", 2]] });
    socket?.say({ type: "ticks", asset: "never asked for", epoch: "E1", ticks: [] });
    relay.tick("A", 1);
    await frame();
    expect(seqs(client)).toEqual([1]);
  });
});

describe("a subscription", () => {
  test("is asked for once, however many watch, and ended after the last", async () => {
    const client = connect();
    client.ticks("B").subscribe(nobody);
    const stops = [1, 2, 3].map(() => client.ticks("A").subscribe(nobody));
    await frame();
    stops.forEach((stop) => stop());
    await pass(1_000);
    const again = client.ticks("A").subscribe(nobody); // a component moved
    await pass(5_000);
    expect(relay.subscriptions("A")).toHaveLength(1);
    again();
    await pass(3_000);
    expect(relay.asked.filter(({ type }) => type === "unsubscribe")).toEqual([{ type: "unsubscribe", asset: "A" }]);
    expect(client.ticks("A").get().data.ticks).toEqual([]);
    relay.tick("A", 1);
    client.ticks("A").subscribe(nobody);
    await frame();
    expect(seqs(client)).toEqual([1]);
  });

  test("that ends leaves the asset's others as they are", async () => {
    relay.json("/api/v1/candles/A", { candles: [candleOf(60)] });
    const client = connect();
    const stop = client.ticks("A").subscribe(nobody);
    client.candles("A", "1m").subscribe(nobody);
    await frame();
    stop();
    await pass(3_000);
    relay.candle("A", candleOf(120));
    await frame();
    expect(client.candles("A", "1m").get().data.map(({ timestamp }) => timestamp)).toEqual([60, 120]);
    expect(client.candles("A", "1m").get().status).toBe("live");
  });

  test("is refused, and asked for again until the relay knows the asset", async () => {
    relay.known = new Set();
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await frame();
    expect(client.ticks("A").get()).toMatchObject({ status: "error", error: { code: "unknown_asset" } });
    relay.known.add("A");
    relay.tick("A", 1);
    await pass(5_100);
    expect(client.ticks("A").get()).toMatchObject({ status: "live", error: null });
    expect(seqs(client)).toEqual([1]);
  });

  test("of too many says so, and is asked for again when there may be room", async () => {
    const client = connect();
    relay.silent = true;
    client.ticks("A").subscribe(nobody);
    await frame();
    relay.sockets[0]?.say({ type: "error", code: "too_many_channels", message: "512 channels a connection", asset: "A" });
    await frame();
    expect(client.ticks("A").get()).toMatchObject({ status: "error", error: { code: "too_many_channels" } });
    relay.silent = false;
    relay.tick("A", 1);
    await pass(6_000);
    expect(client.ticks("A").get()).toMatchObject({ status: "live", error: null });
  });

  test("without an answer is asked for again", async () => {
    relay.silent = true;
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await frame();
    relay.silent = false;
    await pass(10_000);
    expect(client.ticks("A").get().status).toBe("live");
  });

  test("of a name that can be no asset asks nothing", async () => {
    const client = connect();
    client.ticks("no asset").subscribe(nobody);
    client.candles("A", "1 fortnight").subscribe(nobody);
    await frame();
    expect(relay.sockets).toHaveLength(0);
    expect(client.ticks("no asset").get()).toMatchObject({ status: "error", error: { code: "bad_asset" } });
    expect(client.candles("A", "1 fortnight").get()).toMatchObject({ status: "error", error: { code: "bad_timeframe" } });
  });

  test("takes only its own snapshot where it was ended and asked for again at once", async () => {
    const client = connect();
    client.ticks("B").subscribe(nobody);
    relay.tick("A", 1, 2, 3);
    const stop = client.ticks("A").subscribe(nobody);
    await frame();
    stop();
    relay.silent = true; // its end is still under way
    await pass(2_500);
    client.ticks("A").subscribe(nobody);
    relay.tick("A", 4);
    await frame();
    relay.silent = false;
    await pass(10_000);
    expect(seqs(client)).toEqual([1, 2, 3, 4]);
  });
});

describe("a cut", () => {
  test("is resumed from where each asset stood, with every tick once", async () => {
    const client = connect();
    client.ticks("A").subscribe(nobody);
    await frame();
    relay.tick("A", 1, 2);
    await frame();
    relay.cut();
    relay.tick("A", 3, 4, 5);
    await frame();
    expect(client.ticks("A").get()).toMatchObject({ status: "stale", isStale: true, error: { code: "unreachable" } });
    expect(seqs(client)).toEqual([1, 2]);
    await pass(600);
    relay.tick("A", 6);
    await frame();
    expect(relay.subscriptions("A").at(-1)?.since).toEqual({ epoch: "E1", seq: 2 });
    expect(seqs(client)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(client.ticks("A").get()).toMatchObject({ status: "live", error: null, data: { gaps: [] } });
  });

  test("at any moment loses no tick and repeats none", async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const roll = dice(seed);
      relay = new FakeRelay();
      const client = connect();
      const stop = client.ticks("A").subscribe(nobody);
      let made = 0;
      for (let turn = 0; turn < 60; turn++) {
        const count = roll(4);
        if (count) relay.tick("A", ...Array.from({ length: count }, () => 1));
        made += count;
        if (roll(6) === 0) relay.cut([1001, 1006, 1008, 1013][roll(4)]);
        await pass(roll(400));
      }
      await pass(20_000);
      expect(seqs(client), `seed ${seed}`).toEqual(upTo(made));
      expect(client.ticks("A").get().data.gaps).toEqual([]);
      stop();
      await pass(3_000);
    }
  });

  test("longer than the relay remembers is shown as a hole", async () => {
    relay.kept = 3;
    const client = connect();
    client.ticks("A").subscribe(nobody);
    relay.tick("A", 1);
    await frame();
    relay.cut();
    for (let i = 0; i < 8; i++) relay.tick("A", i);
    await pass(600);
    expect(seqs(client)).toEqual([1, 7, 8, 9]);
    expect(client.ticks("A").get().data.gaps).toEqual([{ epoch: "E1", from: 2, to: 6 }]);
  });

  test("by a relay that was killed goes on in the new epoch, and says so", async () => {
    const client = connect();
    client.ticks("A").subscribe(nobody);
    relay.tick("A", 1, 2);
    await frame();
    relay.restart("E2");
    relay.tick("A", 3);
    await pass(600);
    expect(client.ticks("A").get().data.ticks.map(({ epoch, seq }) => `${epoch} ${seq}`)).toEqual(["E1 1", "E1 2", "E2 1"]);
    expect(client.ticks("A").get().data.gaps).toEqual([{ epoch: "E1", from: 3, to: undefined }]);
  });

  test("is closed up in candles, too: history is asked for again", async () => {
    relay.json("/api/v1/candles/A", { candles: [candleOf(60), candleOf(120, { is_closed: false })] });
    const client = connect();
    client.candles("A", "1m").subscribe(nobody);
    await frame();
    relay.cut();
    relay.json("/api/v1/candles/A", { candles: [120, 180, 240].map((timestamp) => candleOf(timestamp, { ticks: 2 })) });
    await pass(600);
    relay.candle("A", candleOf(300));
    await frame();
    expect(client.candles("A", "1m").get().data.map(({ timestamp, is_closed }) => [timestamp, is_closed])).toEqual([
      [60, true], [120, true], [180, true], [240, true], [300, true],
    ]);
  });

  test("for a token that the relay does not take says so", async () => {
    const refusal = { ok: false, error_code: "unauthorized", user_message: "a token is needed" };
    relay.json("/api/v1/status", refusal, 401);
    relay.accepting = false;
    const client = connect();
    client.ticks("A").subscribe(nobody);
    relay.sockets[0]?.end(1006);
    await frame();
    expect(client.ticks("A").get()).toMatchObject({ status: "error", error: { code: "unauthorized", message: "a token is needed" } });
  });
});

describe("candles", () => {
  test("that came while history was asked for are laid over it", async () => {
    const answers: ((response: Response) => void)[] = [];
    relay.answers.set("/api/v1/candles/A", () => new Promise((resolve) => answers.push(resolve)));
    const client = connect();
    client.candles("A", "1m").subscribe(nobody);
    await frame();
    relay.candle("A", candleOf(120, { close: 7, ticks: 9 }));
    relay.candle("A", candleOf(180, { close: 8, is_closed: false }));
    await frame();
    expect(client.candles("A", "1m").get().status).toBe("loading");
    const old = { candles: [candleOf(60), candleOf(120, { close: 2, ticks: 2, is_closed: false })] };
    answers[0]?.(new Response(JSON.stringify(old)));
    await frame();
    expect(client.candles("A", "1m").get().status).toBe("live");
    expect(client.candles("A", "1m").get().data.map(({ timestamp, close }) => [timestamp, close])).toEqual([[60, 1], [120, 7], [180, 8]]);
  });

  test("are asked for again after a failure, and more of them where more are wanted", async () => {
    relay.json("/api/v1/candles/A", { ok: false, error_code: "history_unavailable", user_message: "try again" }, 503);
    const client = connect();
    const channel = client.candles("A", "1H");
    channel.subscribe(nobody);
    await frame();
    expect(channel.get()).toMatchObject({ status: "error", error: { code: "history_unavailable", httpStatus: 503 } });
    relay.json("/api/v1/candles/A", { candles: [candleOf(3600, { timeframe: "1h" })] });
    await pass(2_000);
    expect(channel.get()).toMatchObject({ status: "live", error: null });
    channel.reserve(900);
    await frame();
    expect(relay.requests.at(-1)).toBe("/api/v1/candles/A?timeframe=1h&limit=900");
    channel.reserve(100);
    await frame();
    expect(relay.requests).toHaveLength(3);
  });

  test("of a quiet feed are stale", async () => {
    const client = connect();
    client.candles("A", "1m").subscribe(nobody);
    await frame();
    relay.status("down");
    await frame();
    expect(client.candles("A", "1m").get()).toMatchObject({ status: "stale", isStale: true });
    relay.status("ended");
    await frame();
    expect(client.candles("A", "1m").get()).toMatchObject({ status: "live", isStale: false });
  });
});

describe("a hidden tab", () => {
  test("shows what has come by a timer, and goes back to frames", async () => {
    const client = connect();
    let shown = 0;
    client.ticks("A").subscribe(() => (shown += 1));
    await frame();
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    relay.tick("A", 1);
    document.dispatchEvent(new Event("visibilitychange")); // the frame that was awaited will not come
    const before = shown;
    await pass(249);
    expect(shown).toBe(before);
    await pass(1);
    expect([shown, seqs(client)]).toEqual([before + 1, [1]]);
    hidden.mockReturnValue(false);
    relay.tick("A", 2);
    await frame();
    expect(seqs(client)).toEqual([1, 2]);
  });
});

describe("what is shown", () => {
  test("is shown to all, also where one of them throws, and what it throws is heard of", async () => {
    const client = connect();
    relay.tick("A", 1);
    relay.tick("B", 1);
    let shown = 0;
    client.ticks("A").subscribe(() => {
      throw new Error("of the page");
    });
    client.ticks("B").subscribe(() => (shown += 1));
    await expect(frame()).rejects.toThrow("of the page");
    await frame();
    expect(shown).toBeGreaterThan(0);
  });

  test("works where there are frames and no document", async () => {
    vi.stubGlobal("document", undefined);
    const client = connect();
    relay.tick("A", 1);
    client.ticks("A").subscribe(nobody);
    await frame();
    expect(seqs(client)).toEqual([1]);
    vi.unstubAllGlobals();
  });
});

test("history that was left while a page was under way goes on when it is looked at again", async () => {
  const page = (older: number | null, candle: number) => relay.json("/api/v1/candles/A", { candles: [candleOf(candle)], older });
  const pages = new HistoryPages(connect(), "A", "1m");
  page(120, 120);
  const stop = pages.subscribe(nobody);
  await frame();
  relay.answers.set("/api/v1/candles/A", () => new Promise(nobody));
  void pages.loadOlder();
  await frame();
  expect(pages.get()).toMatchObject({ isLoadingOlder: true });
  stop();
  pages.subscribe(nobody);
  await frame();
  expect(pages.get()).toMatchObject({ isLoadingOlder: false, hasOlder: true });
  page(null, 60);
  await pages.loadOlder();
  await frame();
  expect(pages.get().data.map(({ timestamp }) => timestamp)).toEqual([60, 120]);
});

test("questions that nobody asks any more are forgotten, those that are asked are not", () => {
  const client = connect();
  const read = () => new Promise<number>(nobody);
  const asked = client.polled("audit 0", 1_000, read);
  const stop = asked.subscribe(nobody);
  const left = client.polled("audit 1", 1_000, read);
  for (let since = 2; since < 200; since++) client.polled(`audit ${since}`, 1_000, read);
  expect(client.polled("audit 0", 1_000, read)).toBe(asked);
  expect(client.polled("audit 1", 1_000, read)).not.toBe(left);
  stop();
});
