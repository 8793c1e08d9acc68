import { useCandles, useHistory } from "tickwire-react";

export function Last({ asset }: { asset: string }) {
  const { data: candles } = useCandles(asset, "1m", { limit: 60 });
  const highest = Math.max(...candles.map(({ high }) => high));
  return <p>{candles.length ? `The highest of ${candles.length} minutes is ${highest}` : "…"}</p>;
}

export function Past({ asset, day }: { asset: string; day: number }) {
  const { data, hasOlder, isLoadingOlder, loadOlder } = useHistory(asset, "1h", { from: day, to: day + 86_400, limit: 12 });
  return (
    <>
      <p>{data.length} hours</p>
      <button disabled={!hasOlder || isLoadingOlder} onClick={() => void loadOlder()}>
        earlier
      </button>
    </>
  );
}
