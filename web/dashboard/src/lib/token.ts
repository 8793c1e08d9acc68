// A relay that asks for a token gets the one that stood in the page's address as `#token=…`, or that was typed in. It is
// kept for this tab only, and taken out of the address, where history and bookmarks would keep it.

import { keep, recall } from "./choice";

const NAME = "tickwire.token";
const ofTab = (): Storage => sessionStorage;

export function takeToken(): string | null {
  const told = new URLSearchParams(location.hash.slice(1));
  const token = told.get("token");
  if (token === null) return recall(NAME, ofTab);
  keepToken(token);
  told.delete("token");
  history.replaceState(null, "", `#${told}`);
  return token;
}

export function keepToken(token: string): void {
  keep(NAME, token, ofTab);
}
