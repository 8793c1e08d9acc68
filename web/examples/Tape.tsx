import { useTicks } from "tickwire-react";

export function Tape({ asset }: { asset: string }) {
  const { data: ticks, gaps, status, error } = useTicks(asset, { limit: 20 });
  if (status === "loading") return <p>…</p>;
  if (status === "error") return <p role="alert">{error?.message}</p>;
  return (
    <ol>
      {gaps.length > 0 && <li>{gaps.length} holes</li>}
      {ticks.map(({ epoch, seq, timestamp, price }) => (
        <li key={`${epoch} ${seq}`}>
          {new Date(timestamp * 1000).toISOString().slice(11, 23)} {price}
        </li>
      ))}
    </ol>
  );
}
