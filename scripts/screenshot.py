"""Make `docs/images/page.png`: the page of a relay on a simulated feed, in the system's Chromium.

python scripts/screenshot.py [PATH] [--dark] [--phone]
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tickwire.config.settings import HttpSettings, Settings
from tickwire.runtime.relay import Relay

DEFAULT = Path(__file__).resolve().parent.parent / "docs" / "images" / "page.png"
ASSETS = "AUDUSD_otc,EURGBP_otc,EURUSD_otc,GBPUSD_otc,USDCAD_otc,USDJPY_otc"
FEED = f"simulated:?assets={ASSETS}&rate=3"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
LIVE_MS = 20_000
"""Long enough for rates, lines of last prices and a forming candle."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--phone", action="store_true")
    chosen = parser.parse_args()
    size = (390, 844) if chosen.phone else (1360, 820)
    chosen.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), feeds=(FEED,), http=HttpSettings(address="127.0.0.1:0"))
        with Relay(settings) as relay, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            page = browser.new_page(
                viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if chosen.dark else "light"
            )
            page.goto(f"{relay.http_url}/#asset=EURUSD_otc&timeframe=15s")
            take(page, chosen.path, whole=chosen.phone)
            browser.close()
    print(f"{chosen.path}: {chosen.path.stat().st_size // 1000} kB")


def take(page: Page, path: Path, *, whole: bool) -> None:
    page.locator('[data-asset="EURUSD_otc"] [data-price]:not(:empty)').wait_for()
    page.wait_for_timeout(LIVE_MS)
    page.screenshot(path=path, full_page=whole)


if __name__ == "__main__":
    main()
