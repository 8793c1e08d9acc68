// Candles as they come, and all of the past by the page: `?relay=http://…&assets=A,B&timeframe=15s&seconds=15`.

import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { type Candle, TickwireProvider, useCandles, useHistory } from "../../src/index.js";

interface Seen {
  readonly live: Record<string, readonly Candle[]>;
  readonly past: Record<string, readonly Candle[]>;
  /** What no commit may ever show. */
  readonly faults: string[];
}

declare global {
  interface Window {
    candles: Seen;
  }
}

const query = new URLSearchParams(location.search);
const assets = (query.get("assets") ?? "").split(",");
const timeframe = query.get("timeframe") ?? "";
const seconds = Number(query.get("seconds"));
const seen: Seen = (window.candles = { live: {}, past: {}, faults: [] });

/** Candles go up without a repeat; where they are said to be live, also without a hole. */
function check(asset: string, candles: readonly Candle[], isLive: boolean): void {
  candles.forEach(({ timestamp }, place) => {
    const next = candles[place + 1];
    if (!next) return;
    const step = next.timestamp - timestamp;
    if (step <= 0 || (isLive && step !== seconds)) seen.faults.push(`${asset}: ${next.timestamp} follows ${timestamp}`);
  });
}

function Live({ asset }: { readonly asset: string }) {
  const { data, status } = useCandles(asset, timeframe, { limit: 1000 });
  useEffect(() => {
    check(asset, data, status === "live");
    seen.live[asset] = data;
  }, [asset, data, status]);
  return <p data-asset={asset} data-status={status}>{data.length}</p>;
}

function Past({ asset }: { readonly asset: string }) {
  const { data, status, hasOlder, loadOlder } = useHistory(asset, timeframe, { limit: 7 });
  useEffect(() => {
    seen.past[asset] = data;
    if (hasOlder) void loadOlder();
  }, [asset, data, hasOlder, loadOlder]);
  return <p data-past={asset} data-complete={status === "live" && !hasOlder}>{data.length}</p>;
}

function Page() {
  const [past, setPast] = useState(false);
  return (
    <TickwireProvider url={query.get("relay") ?? undefined}>
      <button id="past" onClick={() => setPast(true)}>past</button>
      {assets.map((asset) => <Live key={asset} asset={asset} />)}
      {past && assets.map((asset) => <Past key={asset} asset={asset} />)}
    </TickwireProvider>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(<StrictMode><Page /></StrictMode>);
