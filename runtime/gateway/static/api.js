// The relay's HTTP, read only.

import { token } from "./token.js";

const HEADERS = token ? { Authorization: `Bearer ${token}` } : {};
const DEADLINE_MS = 10_000;

export class ApiError extends Error {}

export async function getJson(path, signal) {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let answer;
  let body;
  try {
    answer = await fetch(new URL(path, document.baseURI), {
      headers: HEADERS,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    body = await answer.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(error.name === "TimeoutError" ? "the relay did not answer in time" : "the relay is not reached");
  }
  if (!answer.ok) throw new ApiError(body.user_message ?? body.error_message ?? `the relay answered ${answer.status}`);
  return body;
}

// `XBT/USD` keeps its slash, `#AAPL_otc` becomes %23AAPL_otc.
export function assetPath(asset) {
  return asset.split("/").map(encodeURIComponent).join("/");
}

// Calls `act` now and `everyMs` after each end of it, while `wanted()`.
export function poll(act, everyMs, wanted) {
  const turn = async () => {
    if (wanted()) await act();
    setTimeout(turn, everyMs);
  };
  turn();
}
