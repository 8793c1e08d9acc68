import { TickwireProvider, useFeedStatus, useLastTick } from "tickwire-react";

function Price({ asset }: { asset: string }) {
  const { data: tick, isStale } = useLastTick(asset);
  return (
    <p style={{ opacity: isStale ? 0.5 : 1 }}>
      {asset} {tick ? tick.price : "…"}
    </p>
  );
}

function Feed() {
  const { data, status } = useFeedStatus();
  return <p>The feed is {status === "live" ? data?.feed : "not known"}.</p>;
}

export function Prices() {
  return (
    <TickwireProvider url="http://127.0.0.1:3001">
      <Feed />
      <Price asset="EURUSD_otc" />
      <Price asset="GBPUSD_otc" />
    </TickwireProvider>
  );
}
