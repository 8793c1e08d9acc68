import { type QuflxSocket, useDataStream } from "tickwire-react/quflx";

/** `socket` is socket.io-client's: `io("http://127.0.0.1:3001")`. */
export function Chart({ socket, asset }: { socket: QuflxSocket; asset: string }) {
  const { chartData, redisConnected, error, bufferStats } = useDataStream(socket, { asset, processInterval: 100 });
  if (error) return <p role="alert">{error}</p>;
  return (
    <p>
      {redisConnected ? "live" : "waiting"}: {chartData.at(-1)?.close} ({bufferStats.processed} updates)
    </p>
  );
}
