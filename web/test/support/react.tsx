// Components for tests, below a provider of one's own.

import { type ReactNode, StrictMode, createElement } from "react";
import { TickwireClient, type TickwireOptions } from "../../src/core/client.js";
import { TickwireProvider } from "../../src/index.js";
import type { FakeRelay } from "./relay.js";

export const URL_OF_RELAY = "http://relay.test:3001";

export function clientOf(relay: FakeRelay, options: TickwireOptions = {}): TickwireClient {
  return new TickwireClient({ url: URL_OF_RELAY, makeSocket: relay.makeSocket, fetch: relay.fetch, ...options });
}

export function below(client: TickwireClient, { strict = false } = {}) {
  return function Wrapper({ children }: { readonly children: ReactNode }) {
    const provider = <TickwireProvider client={client}>{children}</TickwireProvider>;
    return strict ? createElement(StrictMode, null, provider) : provider;
  };
}
