// Every hook on one page, each with its state and what it has: `?relay=http://…&asset=A&token=…`.

import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { io } from "socket.io-client";
import {
  type Query, TickwireProvider, metricValue, useActors, useAssets, useAudit, useCandles, useCsvData, useDataStream, useFeedStatus, useHistory,
  useLastTick, useMetrics, useRelayStatus, useTicks,
} from "../../src/index.js";

const query = new URLSearchParams(location.search);
const asset = query.get("asset") ?? "";
const relay = query.get("relay") ?? location.origin;
const socket = io(relay, { auth: { token: query.get("token") ?? "" } });

function Line({ hook, state, has }: { readonly hook: string; readonly state: Query<unknown>; readonly has: string | number | undefined }) {
  return (
    <p data-hook={hook} data-status={state.status} data-error={state.error?.code}>
      {hook} <b>{has}</b>
    </p>
  );
}

function Hooks() {
  const [ticks, last, candles] = [useTicks(asset), useLastTick(asset), useCandles(asset, "1m")];
  const history = useHistory(asset, "1m", { limit: 3 });
  const [feed, relayStatus, metrics] = [useFeedStatus(), useRelayStatus(), useMetrics()];
  const [assets, actors, audit] = [useAssets(), useActors(), useAudit({ intervalMs: 1_000 })];
  return (
    <>
      <Line hook="useTicks" state={ticks} has={ticks.data.length} />
      <Line hook="useLastTick" state={last} has={last.data?.seq} />
      <Line hook="useCandles" state={candles} has={candles.data.length} />
      <Line hook="useHistory" state={history} has={history.data.map(({ timestamp }) => timestamp).join(" ")} />
      <button disabled={!history.hasOlder} onClick={() => void history.loadOlder()}>older</button>
      <Line hook="useFeedStatus" state={feed} has={feed.data?.feed} />
      <Line hook="useRelayStatus" state={relayStatus} has={relayStatus.data?.store.state} />
      <Line hook="useMetrics" state={metrics} has={metrics.data && metricValue(metrics.data, "tickwire_ticks_accepted_total")} />
      <Line hook="useAssets" state={assets} has={assets.data?.map((each) => each.asset).join(" ")} />
      <Line hook="useActors" state={actors} has={actors.data?.length} />
      <Line hook="useAudit" state={audit} has={audit.data?.accounts.length} />
    </>
  );
}

function Quflx() {
  const stream = useDataStream(socket, { asset });
  const csv = useCsvData({ dataSource: "csv", selectedAsset: asset, timeframe: "1M", isConnected: stream.isConnected, socket });
  return (
    <>
      <p data-hook="useDataStream" data-connected={stream.redisConnected} title={stream.error ?? ""}>
        useDataStream <b>{stream.chartData.length}</b>
      </p>
      <p data-hook="useCsvData" data-source={csv.source} title={csv.error ?? ""}>
        useCsvData <b>{csv.data.length}</b>
      </p>
    </>
  );
}

function Page() {
  const [shown, setShown] = useState(true);
  return (
    <TickwireProvider url={relay} token={query.get("token") ?? undefined}>
      <button id="leave" onClick={() => setShown(false)}>leave</button>
      {shown && <Hooks />}
      {shown && <Quflx />}
    </TickwireProvider>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(<StrictMode><Page /></StrictMode>);
