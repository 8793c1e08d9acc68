"""The system's Chromium, and the page in it with everything that it complained about."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright
from support.servers import need
from support.tickwire_process import eventually

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; a named skip where there is none, a failure in CI."""
    binary = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """The page at `/` of a relay. `complaints`: console errors and warnings, exceptions, answers of 400 and more."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("response", self._on_response)
        page.goto(url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def text(self, selector: str) -> str:
        """What the first such element says; empty where there is none."""
        found = self.page.locator(selector)
        return (found.first.text_content() or "").strip() if found.count() else ""

    def price(self, asset: str) -> str:
        return self.text(f'[data-asset="{asset}"] [data-price]')

    def restarts(self, actor: str) -> str:
        return self.text(f'[data-actor="{actor}"] [data-restarts]')

    def pill(self, part: str) -> str:
        return self.text(f'[data-part="{part}"] b')

    def moves(self, asset: str, times: int = 3) -> None:
        """Wait until the asset's price has changed so often from now on."""
        seen = [self.price(asset)]

        def changed() -> bool:
            now = self.price(asset)
            if now not in ("", "–") and now != seen[-1]:
                seen.append(now)
            return len(seen) > times

        eventually(changed, f"the price of {asset} changes {times} times on the page (seen: {seen})")

    def colours(self, colour: str) -> int:
        """How many of the chart's pixels have the colour of a CSS variable (antialiasing aside)."""
        count: int = self.page.evaluate(COUNT_PIXELS, colour)
        return count


COUNT_PIXELS = """
(name) => {
  const style = getComputedStyle(document.documentElement);
  const wanted = style.getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi).map((pair) => parseInt(pair, 16));
  let count = 0;
  for (const canvas of document.querySelectorAll("#chart canvas")) {
    if (!canvas.width || !canvas.height) continue;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] === 255 && wanted.every((value, channel) => data[i + channel] === value)) count += 1;
    }
  }
  return count;
}
"""
