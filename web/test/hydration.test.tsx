import { act } from "@testing-library/react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { TickwireProvider, useLastTick } from "../src/index.js";
import { clientOf } from "./support/react.js";
import { FakeRelay } from "./support/relay.js";

test.each([
  ["a client of its own", false],
  ["a client that is live already", true],
])("a page that a server made is taken over by %s without a difference, then goes live", async (_whose, already) => {
  const relay = new FakeRelay();
  relay.tick("A", 4);
  const client = clientOf(relay, { lingerMs: 0 });
  const Price = () => {
    const { data, status } = useLastTick("A");
    return <p>{`${status} ${data?.price ?? "–"}`}</p>;
  };
  const page = <TickwireProvider client={client}><Price /></TickwireProvider>;
  const root = document.createElement("div");
  document.body.append(root);
  root.innerHTML = renderToString(page);
  expect(root.textContent).toBe("loading –");
  const stop = already ? client.ticks("A").subscribe(() => {}) : () => {};
  if (already) await vi.waitFor(() => expect(client.ticks("A").get().status).toBe("live"), { timeout: 10_000 });
  const onRecoverableError = vi.fn();
  const taken = await act(async () => hydrateRoot(root, page, { onRecoverableError }));
  await vi.waitFor(() => expect(root.textContent).toBe("live 4"), { timeout: 10_000 });
  expect(onRecoverableError).not.toHaveBeenCalled();
  await act(async () => taken.unmount());
  stop();
});
