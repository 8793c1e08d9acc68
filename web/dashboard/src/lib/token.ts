// A relay that asks for a token gets the one that stood in the page's address as `#token=…`, or that was typed in. It is
// kept for this tab only, and taken out of the address, where history and bookmarks would keep it.

const NAME = "tickwire.token";

export function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token");
  if (token !== null) {
    keepToken(token);
    given.delete("token");
    history.replaceState(null, "", `#${given}`);
  }
  return sessionStorage.getItem(NAME);
}

export function keepToken(token: string): void {
  sessionStorage.setItem(NAME, token);
}
