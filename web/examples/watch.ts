import { TickwireClient } from "tickwire-react/core";

/** Without React: calls `show` with each new last price, once a frame. Returns how to stop. */
export function watch(url: string, asset: string, show: (price: number) => void): () => void {
  const channel = new TickwireClient({ url }).ticks(asset);
  return channel.subscribe(() => {
    const { last } = channel.get().data;
    if (last) show(last.price);
  });
}
