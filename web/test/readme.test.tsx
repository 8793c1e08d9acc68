import { act, cleanup, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import readme from "../README.md?raw";
import { Health } from "../examples/Health.js";
import { Last, Past } from "../examples/History.js";
import { Prices } from "../examples/Prices.js";
import { Chart } from "../examples/quflx.js";
import { Tape } from "../examples/Tape.js";
import { watch } from "../examples/watch.js";
import { FakeQuflxSocket, update } from "./support/quflx.js";
import { below, clientOf } from "./support/react.js";
import { FakeRelay, candleOf } from "./support/relay.js";

const examples = import.meta.glob<string>("../examples/*", { query: "?raw", import: "default", eager: true });

test("the README shows the examples that are checked here, all of them, word for word", () => {
  const shown = [...readme.matchAll(/^```tsx?\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(shown.sort()).toEqual(Object.values(examples).sort());
});

describe("the examples", () => {
  let relay: FakeRelay;
  const shown = () => document.body.textContent;
  const show = (example: ReactNode) => render(example, { wrapper: below(clientOf(relay)) });
  const says = (text: string) => vi.waitFor(() => expect(shown()).toContain(text), { timeout: 10_000 });

  beforeEach(() => {
    relay = new FakeRelay();
  });

  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
  });

  test("of the beginning shows prices and the feed, at the relay's default address", async () => {
    relay.tick("EURUSD_otc", 1.0654);
    vi.stubGlobal("WebSocket", function (this: unknown, url: string, protocol: string) {
      return relay.makeSocket(url, protocol);
    });
    render(<Prices />);
    await says("EURUSD_otc 1.0654");
    await says("GBPUSD_otc …");
    await says("The feed is live.");
    expect(relay.sockets.map(({ url }) => url)).toEqual(["ws://127.0.0.1:3001/ws"]);
  });

  test("of ticks shows each with its time, and holes, and what is refused", async () => {
    relay.tick("A", 1, 2);
    show(<Tape asset="A" />);
    await says("22:13:22.000 2");
    relay.say("ticks A", { type: "gap", asset: "A", from: 3, to: 4 });
    await says("1 holes");
    relay.known = new Set();
    show(<Tape asset="B" />);
    await vi.waitFor(() => expect(screen.getByRole("alert").textContent).toBe("no feed has announced it"));
  });

  test("of candles shows the last ones and goes back by the page", async () => {
    relay.json("/api/v1/candles/A", { candles: [candleOf(60, { high: 3 }), candleOf(120, { high: 5 })] });
    show(<Last asset="A" />);
    await says("The highest of 2 minutes is 5");
    const page = (first: number) => Array.from({ length: 12 }, (_, hour) => candleOf(3_600 * (first + hour), { timeframe: "1h" }));
    relay.json("/api/v1/candles/B", { candles: page(12), older: 43_200 });
    show(<Past asset="B" day={0} />);
    await says("12 hours");
    relay.json("/api/v1/candles/B", { candles: page(0), older: null });
    act(() => screen.getByRole("button").click());
    await says("24 hours");
    expect(screen.getByRole("button").hasAttribute("disabled")).toBe(true);
  });

  test("of the relay shows how it is", async () => {
    relay.json("/api/v1/status", { ok: true, redis: { state: "up" }, store: { state: "down" } });
    relay.json("/api/v1/actors", { actors: [{ restarts: 0 }, { restarts: 2 }] });
    relay.json("/api/v1/audit", { balanced: true });
    relay.answers.set("/metrics", () => new Response("tickwire_ticks_accepted_total 42\n"));
    show(<Health />);
    await says("Redis up, store down");
    await says("1 actors have been restarted");
    await says("every tick is accounted for");
    await says("42 ticks are safe");
  });

  test("without React hands on each new last price until it is stopped", async () => {
    relay.tick("A", 1);
    vi.stubGlobal("WebSocket", function (this: unknown, url: string, protocol: string) {
      return relay.makeSocket(url, protocol);
    });
    const seen: number[] = [];
    const stop = watch("http://relay.test", "A", (price) => seen.push(price));
    await vi.waitFor(() => expect(seen.at(-1)).toBe(1), { timeout: 10_000 });
    relay.tick("A", 2);
    await vi.waitFor(() => expect(seen.at(-1)).toBe(2), { timeout: 10_000 });
    stop();
    await vi.waitFor(() => expect(relay.open.size).toBe(0), { timeout: 10_000 });
  });

  test("of QuFLX's hooks shows the chart's last price", async () => {
    const socket = new FakeQuflxSocket(true);
    render(<Chart socket={socket} asset="A" />);
    act(() => socket.say("redis_subscribed", { asset: "A" }));
    act(() => socket.say("redis_update", update("A", 1_700_000_000, 1.25)));
    await says("live: 1.25 (1 updates)");
  });
});
