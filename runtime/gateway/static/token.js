// A relay that asks for a token gets the one that stood in the page's address as `#token=…`. It is kept for this tab and
// taken out of the address, where history and bookmarks would keep it.

const NAME = "tickwire.token";
const given = new URLSearchParams(location.hash.slice(1));
if (given.has("token")) {
  sessionStorage.setItem(NAME, given.get("token"));
  given.delete("token");
  history.replaceState(null, "", `#${given}`);
}

export const token = sessionStorage.getItem(NAME);
