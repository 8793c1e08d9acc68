"""The React hooks' candles in a real browser, across cuts of the network, against those of the ticks that were sent."""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.fault_proxy import FaultProxy
from support.tickwire_process import Tickwire, eventually, tickwire

pytestmark = pytest.mark.timeout(240)

PAGE = "bench/candles"
ASSETS = ["EURUSD_otc", "GBPUSD_otc"]
BUCKET_S = 15
BEGIN = 1_767_614_400
MINUTES = 40
SPEED = 60
CUTS = 3

Row = tuple[float, str, float]
Bar = tuple[int, float, float, float, float, int]


def rows() -> list[Row]:
    """Two ticks a second of each asset, in turns, with prices that go up and down."""
    ticks = []
    for number in range(MINUTES * 60 * 2):
        for place, asset in enumerate(ASSETS):
            price = round(1.1 + (number * 7919 + place * 104_729) % 9973 / 100_000, 5)
            ticks.append((BEGIN + number / 2 + place / 8, asset, price))
    return ticks


def bars(asset: str) -> list[Bar]:
    """(second, open, high, low, close, ticks) of each bucket, counted here."""
    found = []
    own = [(stamp, price) for stamp, name, price in rows() if name == asset]
    for second, ticks in groupby(own, key=lambda tick: int(tick[0]) // BUCKET_S * BUCKET_S):
        prices = [price for _, price in ticks]
        found.append((second, prices[0], max(prices), min(prices), prices[-1], len(prices)))
    return found


def bars_of(candles: list[dict[str, Any]]) -> list[Bar]:
    return [(c["timestamp"], c["open"], c["high"], c["low"], c["close"], c["ticks"]) for c in candles]


@pytest.fixture
def open_page(browser: Browser, address: str) -> Callable[[str], Page]:
    def open_it(relay: str) -> Page:
        page = browser.new_page()
        page.goto(f"{address}/?relay={relay}&assets={','.join(ASSETS)}&timeframe={BUCKET_S}s&seconds={BUCKET_S}")
        return page

    return open_it


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Tickwire]:
    path = tmp_path / "made.csv"
    lines = [f"{stamp:.3f},{asset},{price:.5f}\n" for stamp, asset, price in rows()]
    path.write_text("timestamp,asset,price\n" + "".join(lines), encoding="utf-8")
    with tickwire("run", "--feed", f"replay:{path}?speed={SPEED}", folder=tmp_path) as app:
        yield app


def test_candles_across_cuts_are_those_of_the_ticks(relay: Tickwire, open_page: Callable[[str], Page]) -> None:
    def newest() -> int:
        """The second of the relay's newest candle; 0 before the first."""
        candles = relay.get(f"/api/v1/candles/{ASSETS[0]}?timeframe={BUCKET_S}s&limit=1").get("candles")
        return int(candles[-1]["timestamp"]) if candles else 0

    def all_are(status: str) -> bool:
        return page.locator(f'[data-status="{status}"]').count() == len(ASSETS)

    def shown(what: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = page.evaluate(f"window.candles.{what}")
        return found

    with FaultProxy(int(relay.http.rpartition(":")[2])) as proxy:
        page = open_page(f"http://127.0.0.1:{proxy.port}")
        for _ in range(CUTS):
            eventually(lambda: all_are("live"), "candles are live")
            proxy.refuse()
            eventually(lambda: all_are("stale"), "candles are stale")
            then = newest()
            eventually(lambda then=then: newest() >= then + 4 * BUCKET_S, "candles close unseen")  # type: ignore[misc]
            proxy.normal()
        eventually(lambda: newest() >= bars(ASSETS[0])[-1][0], "all was sent", 120.0)
        ends = {asset: bars(asset)[-1][0] for asset in ASSETS}
        eventually(
            lambda: all_are("live") and {a: c[-1]["timestamp"] for a, c in shown("live").items()} == ends,
            "all is shown",
        )
        for asset in ASSETS:
            live = shown("live")[asset][:-1]
            assert bars_of(live) == bars(asset)[:-1]
            assert all(candle["is_closed"] for candle in live)
        page.locator("#past").click()
        eventually(lambda: page.locator('[data-complete="true"]').count() == len(ASSETS), "the past is complete")
        for asset in ASSETS:
            assert bars_of(shown("past")[asset])[:-1] == bars(asset)[:-1]
        assert page.evaluate("window.candles.faults") == []
