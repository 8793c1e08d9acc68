import { expect, test, vi } from "vitest";
import { Http, TIMEFRAMES, assetPath, canonicalTimeframe } from "../src/index.js";

function http(fetch: typeof globalThis.fetch, token?: string): Http {
  return new Http({ base: () => "http://relay.test/behind/", token: () => token, fetch });
}

test("an asset's name stands in a path as docs/http.md says", () => {
  expect(["EURUSD_otc", "#AAPL_otc", "XBT/USD", "a b?"].map(assetPath)).toEqual(["EURUSD_otc", "%23AAPL_otc", "XBT/USD", "a%20b%3F"]);
});

test("a timeframe may be written as QuFLX does", () => {
  expect(["1M", "1m", "60", "4H", " 1D", "15s", "1440"].map(canonicalTimeframe)).toEqual(["1m", "1m", "1h", "4h", "1d", "15s", "1d"]);
  expect(["", "2m", "1w", "toString", "0"].map(canonicalTimeframe)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(Object.keys(TIMEFRAMES)).toHaveLength(8);
});

test("a token goes along as a bearer's", async () => {
  const fetch = vi.fn(async () => new Response("{}"));
  await http(fetch, "t").json("api/v1/status");
  expect(fetch).toHaveBeenCalledWith("http://relay.test/behind/api/v1/status", expect.objectContaining({ headers: { Authorization: "Bearer t" } }));
});

test("an error says what the relay says, or what stands between", async () => {
  const refuse = (body: string, status: number) => http(async () => new Response(body, { status })).json("x");
  await expect(refuse('{"ok":false,"error_code":"unknown_asset","error_message":"m","user_message":"u"}', 404)).rejects.toMatchObject({
    code: "unknown_asset", message: "u", httpStatus: 404,
  });
  await expect(refuse("<html>", 502)).rejects.toMatchObject({ code: "refused", message: "the relay answered 502", httpStatus: 502 });
  await expect(refuse("null", 500)).rejects.toMatchObject({ code: "refused", httpStatus: 500 });
});

test("a request that is broken off is no error of the relay's", async () => {
  const asking = new AbortController();
  const never: typeof globalThis.fetch = (_, init) =>
    new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
  const asked = http(never).json("x", asking.signal);
  asking.abort(new Error("no longer wanted"));
  await expect(asked).rejects.toThrow("no longer wanted");
});
