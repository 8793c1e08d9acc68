"""The React hooks in a real browser, on a real relay, at a rate that no screen can follow."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.fault_proxy import FaultProxy
from support.paced_feed import PacedFeed
from support.tape import Rounds
from support.tickwire_process import Tickwire, eventually, tickwire

pytestmark = pytest.mark.timeout(240)

PAGE = "bench"
ASSETS = [f"PAIR{number:02}_otc" for number in range(20)]
RATE = 200
"""Ticks a second of each asset; a hundred messages a second carry them."""
CUT_RATE = 100
WAIT_MS = 30_000
CUTS = 3

Say = Callable[[object], None]
Open = Callable[[str, bool], "Bench"]


@dataclass(frozen=True)
class Bench:
    page: Page

    def figures(self, *names: str) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate("(names) => names.map((name) => [name, window.bench[name]])", names)
        return dict(found)

    def begin(self) -> None:
        self.page.evaluate("window.bench.begin()")

    def live(self) -> bool:
        return self.page.locator('[data-status="live"]').count() == len(ASSETS)

    def taken(self) -> int:
        """Ticks seen of the asset of which fewest were seen."""
        counts: list[int] = self.page.evaluate("Object.values(window.bench.seen).map(({ seq }) => seq.length)")
        return min(counts) if len(counts) == len(ASSETS) else 0


@pytest.fixture
def open_bench(browser: Browser, address: str) -> Iterator[Open]:
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)

    def build_page(relay: str, chart: bool) -> Bench:
        page = context.new_page()
        page.goto(f"{address}/?relay={relay}&assets={','.join(ASSETS)}&chart={int(chart)}")
        return Bench(page)

    yield build_page
    context.close()


@contextmanager
def relay_of(rate: int, folder: Path) -> Iterator[Tickwire]:
    with (
        PacedFeed(Rounds(ASSETS, rate * len(ASSETS)), rate * len(ASSETS)) as feed,
        tickwire("run", "--feed", feed.url, "--batch-interval", "1", folder=folder) as app,
    ):
        feed.run()
        yield app


@pytest.mark.parametrize("chart", [False, True], ids=["without a chart", "with a chart"])
def test_each_asset_is_committed_at_most_once_a_frame(
    chart: bool, tmp_path: Path, open_bench: Open, report: Say, request: pytest.FixtureRequest
) -> None:
    seconds = 60 if request.config.getoption("--long") else 10
    with relay_of(RATE, tmp_path) as relay:
        bench = open_bench(relay.http, chart)
        eventually(bench.live, "every asset is live")
        before = bench.taken()
        bench.begin()
        begun = time.monotonic()
        wanted = before + RATE * seconds * 9 // 10
        eventually(lambda: bench.taken() >= wanted, f"{seconds} s of ticks", timeout_s=seconds * 3 + 30)
        took = time.monotonic() - begun
        seen = bench.figures("frames", "commits", "mostInAFrame", "longTasks", "longScripts", "longestRender")
        report(_told(seen, chart, took, bench.taken() - before))
        assert set(seen["commits"]) == set(ASSETS)
        assert seen["mostInAFrame"] == 1
        assert max(seen["commits"].values()) <= seen["frames"]
        assert bench.live()


def _told(seen: dict[str, Any], chart: bool, took: float, each: int) -> str:
    tasks = seen["longTasks"]
    scripts = ", ".join(f"{name} {ms} ms" for name, ms in seen["longScripts"].items())
    return (
        f"hooks, {len(ASSETS)} assets of {each / took:.0f} ticks/s, {'with' if chart else 'without'} a chart: "
        f"{seen['frames'] / took:.0f} frames/s, {max(seen['commits'].values()) / took:.0f} commits/s an asset, "
        f"rendering of all at most {seen['longestRender']:.1f} ms a frame, {len(tasks)} tasks over 50 ms in "
        f"{took:.0f} s (longest {max(tasks, default=0):.0f} ms; longest scripts in long frames: {scripts or 'none'})"
    )


def test_after_cuts_of_the_network_every_tick_is_there_once(tmp_path: Path, open_bench: Open) -> None:
    with relay_of(CUT_RATE, tmp_path) as relay, FaultProxy(int(relay.http.rpartition(":")[2])) as proxy:
        bench = open_bench(f"http://127.0.0.1:{proxy.port}", False)
        eventually(bench.live, "every asset is live")
        for _ in range(CUTS):
            count = bench.taken()
            eventually(lambda count=count: bench.taken() > count + CUT_RATE, "ticks come")  # type: ignore[misc]
            proxy.refuse()
            eventually(lambda: bench.page.locator('[data-status="stale"]').count() == len(ASSETS), "all are stale")
            proxy.normal()
            eventually(bench.live, "every asset is live again")
        count = bench.taken()
        eventually(lambda: bench.taken() > count + CUT_RATE, "ticks come")
        assert bench.page.locator('[data-gaps="0"]').count() == len(ASSETS)
        seen = bench.figures("seen")["seen"]
        assert sum(columns["conflated"] for columns in seen.values()) == 0
        for asset in ASSETS:
            _all_there(relay, asset, seen[asset])


def _all_there(relay: Tickwire, asset: str, columns: dict[str, list[Any]]) -> None:
    """The page has shown each tick from its first to its last, as the store has them."""
    first, count = columns["seq"][0], len(columns["seq"])
    assert len(set(columns["epoch"])) == 1
    assert columns["seq"] == list(range(first, first + count))
    stamps = [round(seconds * 1_000_000) for seconds in columns["timestamp"]]
    shown = zip(stamps, columns["price"], strict=True)
    assert Counter(shown) == Counter(_stored(relay, asset, stamps[0], stamps[-1]))


def _stored(relay: Tickwire, asset: str, first_us: int, last_us: int) -> list[tuple[int, float]]:
    """The store's ticks of that time, once it has all of it."""

    def rows() -> list[tuple[int, float]] | None:
        with sqlite3.connect(relay.database) as db:
            (newest,) = db.execute("select max(ts_us) from historical_ticks where pair = ?", [asset]).fetchone()
            found = db.execute(
                "select ts_us, price from historical_ticks where pair = ? and ts_us between ? and ?",
                [asset, first_us, last_us],
            ).fetchall()
        db.close()
        return [(ts_us, float(price)) for ts_us, price in found] if newest and newest > last_us else None

    return eventually(rows, f"{asset} is stored")
