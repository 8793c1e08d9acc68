// @vitest-environment node
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import {
  TickwireProvider, useActors, useAssets, useAudit, useCandles, useConnection, useCsvData, useDataStream, useFeedStatus, useHistory,
  useLastTick, useMetrics, useRelayStatus, useTicks,
} from "../src/index.js";

function All() {
  const states = [
    useTicks("A"), useLastTick("A"), useCandles("A", "1m"), useHistory("A", "1m"), useFeedStatus(), useRelayStatus(), useMetrics(),
    useAssets(), useActors(), useAudit(), useTicks(null),
  ].map(({ status }) => status);
  const quflx = [useDataStream(null).chartData.length, useCsvData({ selectedAsset: "A", timeframe: "1M" }).loading];
  return <p>{[...states, useConnection().name, ...quflx].join(" ")}</p>;
}

test("on a server every hook is loading, and nothing is asked for", () => {
  expect(typeof globalThis.document).toBe("undefined");
  const page = renderToString(<TickwireProvider url="http://relay.test:3001"><All /></TickwireProvider>);
  expect(page).toBe(`<p>${"loading ".repeat(10)}idle idle 0 false</p>`);
});
