// What the hooks of QuFLX's first generation use of a socket.io-client socket, which they are given.

export interface QuflxSocket {
  readonly connected?: boolean;
  on(event: string, listener: (...args: any[]) => void): unknown;
  off(event: string, listener: (...args: any[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
}

type Handlers = Readonly<Record<string, (payload: any) => void>>;

/** Listens; returns how to stop. Only these listeners go: others may listen to the same events. */
export function listen(socket: QuflxSocket, handlers: Handlers): () => void {
  const all = Object.entries(handlers);
  for (const [event, handler] of all) socket.on(event, handler);
  return () => {
    for (const [event, handler] of all) socket.off(event, handler);
  };
}

const users = new WeakMap<QuflxSocket, Map<string, number>>();

/** One more user of an asset's updates on this socket; returns how to go, which is true for the last one. */
export function use(socket: QuflxSocket, asset: string): () => boolean {
  const counts = users.get(socket) ?? new Map<string, number>();
  users.set(socket, counts);
  counts.set(asset, (counts.get(asset) ?? 0) + 1);
  return () => {
    const left = (counts.get(asset) ?? 1) - 1;
    if (left > 0) counts.set(asset, left);
    else counts.delete(asset);
    return left <= 0;
  };
}

/** The answer to one request: the first `event` that `isIt`. Undefined after `withinMs`. */
export function answer<T>(
  socket: QuflxSocket,
  request: readonly [event: string, payload: unknown],
  event: string,
  isIt: (payload: T) => boolean,
  withinMs: number,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const end = (payload: T | undefined) => {
      clearTimeout(timer);
      stop();
      resolve(payload);
    };
    const timer = setTimeout(() => end(undefined), withinMs);
    const stop = listen(socket, { [event]: (payload: T) => isIt(payload) && end(payload) });
    socket.emit(...request);
  });
}

export const messageOf = (error: unknown): string => {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? message : String(error);
};
