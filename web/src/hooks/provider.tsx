// The relay that hooks below it speak to.

import { type ReactNode, createContext, useContext, useEffect, useMemo, useRef } from "react";
import { TickwireClient } from "../core/client.js";

export interface TickwireProviderProps {
  /** Where the relay is: `http://127.0.0.1:3001`. Without one: where the page came from. */
  readonly url?: string | undefined;
  /** A token, where the relay asks for one. A new one is used from the next connection on. */
  readonly token?: string | undefined;
  /** A client of one's own, in place of `url` and `token`. */
  readonly client?: TickwireClient | undefined;
  readonly children?: ReactNode;
}

const Context = createContext<TickwireClient | undefined>(undefined);

export function TickwireProvider({ url, token, client: given, children }: TickwireProviderProps): ReactNode {
  const first = useRef(token); // a client has the token before its first hook subscribes
  const client = useMemo(() => given ?? new TickwireClient({ url, token: first.current }), [given, url]);
  useEffect(() => {
    first.current = token;
    if (client !== given) client.setToken(token);
  }, [client, given, token]);
  return <Context.Provider value={client}>{children}</Context.Provider>;
}

export function useTickwire(): TickwireClient {
  const client = useContext(Context);
  if (!client) throw new Error("hooks of tickwire-react need a <TickwireProvider> above them");
  return client;
}

export function useTickwireIfAny(): TickwireClient | undefined {
  return useContext(Context);
}
