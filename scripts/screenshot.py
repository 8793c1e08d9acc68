"""Make the pictures of README: the page of a relay on a simulated feed, in the system's Chromium.

    python scripts/screenshot.py [FOLDER]

`page.png` is the market in dark colours, `page-light.png` in light ones; then `system.png` and `phone.png`. FOLDER is
`docs/images`.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from tickwire.config.settings import HttpSettings, Settings
from tickwire.runtime.relay import Relay

DEFAULT = Path(__file__).resolve().parent.parent / "docs" / "images"
ASSETS = "AUDUSD_otc,BTCUSD_otc,EURGBP_otc,EURJPY_otc,EURUSD_otc,GBPUSD_otc,NZDUSD_otc,USDCAD_otc,USDCHF_otc,USDJPY_otc"
FEED = f"simulated:?assets={ASSETS}&rate=4"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
LIVE_MS = 75_000
"""Long enough for rates, series over time, the store's first batches and a candle that was heard from its beginning."""
MOST_BYTES = 300_000


class Shot(NamedTuple):
    file: str
    width: int
    height: int
    colours: Literal["light", "dark"]
    place: str
    whole: bool = False


SHOTS = (
    Shot("page.png", 1360, 820, "dark", "#asset=EURUSD_otc&timeframe=1m"),
    Shot("page-light.png", 1360, 820, "light", "#asset=GBPUSD_otc&timeframe=5m"),
    Shot("system.png", 1360, 900, "dark", "#view=system", whole=True),
    Shot("phone.png", 390, 844, "dark", "#asset=EURUSD_otc&timeframe=1m"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_dir=Path(data), feeds=(FEED,), http=HttpSettings(address="127.0.0.1:0"))
        with Relay(settings) as relay, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            assert relay.http_url is not None
            pages = [(shot, open_page(browser, relay.http_url, shot)) for shot in SHOTS]
            pages[0][1].wait_for_timeout(LIVE_MS)
            for shot, page in pages:
                take(page, folder / shot.file, shot)
            browser.close()


def open_page(browser: Browser, url: str, shot: Shot) -> Page:
    page = browser.new_page(viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.colours)
    page.goto(f"{url}/{shot.place}")
    page.locator("[data-price], [data-actor]").first.wait_for()
    return page


def take(page: Page, path: Path, shot: Shot) -> None:
    page.screenshot(path=path, full_page=shot.whole)
    size = path.stat().st_size
    print(f"{path}: {size // 1000} kB")
    if size > MOST_BYTES:
        raise SystemExit(f"{path} has over {MOST_BYTES} bytes")


if __name__ == "__main__":
    main()
