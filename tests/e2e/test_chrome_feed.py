"""`chrome+ws://` with a real Chromium, whose page talks to the simulated broker: tick by tick against the store."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.chrome_browser import Chrome, chrome, page_server
from support.servers import free_port
from support.socketio_client import browsers
from support.tickwire_process import Tickwire, clean_environment, eventually, stored, tickwire

pytestmark = pytest.mark.timeout(120)

EUR, GBP = "EURUSD_otc", "GBPUSD_otc"
AHEAD_US = 7_200_000_000
"""The broker's clock ahead of UTC."""


@pytest.fixture(scope="module")
def everybodys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chrome(tmp_path_factory.mktemp("chrome") / "profile") as made:
        yield made


@pytest.fixture
def browser(everybodys: Chrome) -> Iterator[Chrome]:
    """Without a page of a trader's."""
    yield everybodys
    everybodys.close_tabs()


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    command = [sys.executable, "-m", "tickwire.runtime.cli", "simulate", "--assets", f"{EUR},{GBP}", "--rate", "50"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment())
    assert process.stdout is not None
    try:
        yield re.findall(r"ws://\S+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with page_server() as url:
        yield url


@pytest.fixture
def trading(site: str, broker: str) -> str:
    """The page's URL, but for its assets."""
    return f"{site}?broker={quote(broker, safe='')}&assets="


@contextmanager
def watching(browser: Chrome, folder: Path, options: str = "") -> Iterator[Tickwire]:
    feed = f"chrome+ws://127.0.0.1:{browser.port}{options}"
    with tickwire("run", "--feed", feed, "--batch-interval", "1", folder=folder) as running:
        eventually(lambda: feed_state(running) != "connecting", "Chrome is attached")
        yield running


def feed_of(running: Tickwire) -> dict[str, Any]:
    (feed,) = running.get("/api/v1/status")["feeds"].values()
    return dict(feed)


def feed_state(running: Tickwire) -> str:
    return str(feed_of(running)["state"])


def misses_the_page(running: Tickwire) -> bool:
    return "open the broker's page" in feed_of(running)["detail"]


def seen_by_pages(browser: Chrome) -> tuple[list[tuple[str, int, float]], list[tuple[str, int, float]]]:
    """(live, past) of all tabs: (asset, µs UTC, price)."""
    live: list[Any] = []
    past: list[Any] = []
    for page in browser.traders():
        for known, more in zip(
            (live, past), browser.evaluate(page, "[window.live ?? [], window.past ?? []]"), strict=True
        ):
            known += more
    as_ticks = [[(asset, round(at * 1e6) - AHEAD_US, price) for asset, at, price in each] for each in (live, past)]
    return as_ticks[0], as_ticks[1]


def position(running: Tickwire, asset: str) -> tuple[str, int]:
    """(epoch, seq) of its last tick."""
    assets = running.get("/api/v1/assets")["assets"]
    return next(((str(each["epoch"]), int(each["seq"] or 0)) for each in assets if each["asset"] == asset), ("", 0))


def ticks_of(running: Tickwire, asset: str) -> int:
    """In its present epoch."""
    return position(running, asset)[1]


def begins_anew(running: Tickwire, asset: str, epoch: str) -> None:
    """Wait for ticks of an epoch that is not this one."""

    def later() -> bool:
        now, seq = position(running, asset)
        return now != epoch and seq > 20

    eventually(later, f"{asset} ticks in a new epoch")


def rows_after(running: Tickwire) -> list[tuple[str, int, float]]:
    """All that is stored once it has stopped."""
    running.process.terminate()
    assert running.wait(20) == 0, running.logged()
    rows = [(pair, ts_us, float(price)) for _, pair, price, ts_us, _, _ in stored(running.database)]
    assert max(Counter(rows).values()) == 1
    return rows


def test_every_tick_that_a_page_is_sent_is_stored_once(browser: Chrome, trading: str, tmp_path: Path) -> None:
    with watching(browser, tmp_path) as running:
        browser.open_tab(f"{trading}{EUR},{GBP}")
        eventually(lambda: ticks_of(running, GBP) > 60, "ticks of both assets")
        live, past = seen_by_pages(browser)
        rows = rows_after(running)
    assert len(live) > 100
    assert not set(live) - set(rows)
    assert not set(past) - set(rows)
    last = max(at for _, at, _ in live)
    assert not {row for row in rows if row[1] <= last} - set(live) - set(past)


def test_new_tabs_reloads_and_two_tabs_of_one_asset_are_followed_without_a_repeat(
    browser: Chrome, trading: str, tmp_path: Path
) -> None:
    with watching(browser, tmp_path, f"?match={quote('127.0.0.1')}") as running:
        first = browser.open_tab(f"{trading}{EUR}")
        second = browser.open_tab(f"{trading}{EUR}")
        eventually(lambda: ticks_of(running, EUR) > 40, "ticks through two tabs")
        live, _ = seen_by_pages(browser)
        epoch, reached = position(running, EUR)
        browser.close_tab(first)
        eventually(lambda: ticks_of(running, EUR) > reached + 40, "ticks through the other tab")
        assert position(running, EUR)[0] == epoch
        browser.evaluate(second, "location.reload()")
        begins_anew(running, EUR, epoch)
        again, _ = seen_by_pages(browser)
        rows = rows_after(running)
    assert not set(live) - set(rows)
    assert not set(again) - set(rows)


def test_a_page_in_a_frame_of_another_site_is_heard(browser: Chrome, trading: str, tmp_path: Path) -> None:
    with watching(browser, tmp_path) as running:
        browser.open_tab(f"{trading}{EUR}".replace("?", "framed?", 1))
        eventually(lambda: ticks_of(running, EUR) > 20, "ticks from the frame")
        live, past = seen_by_pages(browser)
        epoch = position(running, EUR)[0]
        (frame,) = browser.traders()
        browser.evaluate(frame, "location.reload()")
        begins_anew(running, EUR, epoch)
        rows = rows_after(running)
    assert len(live) > 10
    assert not (set(live) | set(past)) - set(rows)


def test_a_page_that_was_open_before_is_heard(browser: Chrome, trading: str, tmp_path: Path) -> None:
    browser.open_tab(f"{trading}{EUR}")
    eventually(lambda: len(seen_by_pages(browser)[0]) > 5, "the page has its ticks")
    with watching(browser, tmp_path) as running:
        eventually(lambda: ticks_of(running, EUR) > 10, "ticks of a page that was there already")


def test_pages_whose_socket_does_not_match_are_left_alone(browser: Chrome, trading: str, tmp_path: Path) -> None:
    with watching(browser, tmp_path, "?match=po.market") as running:
        browser.open_tab(f"{trading}{EUR}")
        eventually(lambda: len(seen_by_pages(browser)[0]) > 20, "the page has its ticks")
        eventually(lambda: misses_the_page(running), "what is missing is said")
        assert feed_state(running) == "stale"
        assert running.get("/api/v1/assets")["assets"] == []


def test_when_chrome_dies_the_feed_says_so_and_comes_back_with_it(trading: str, tmp_path: Path) -> None:
    with chrome(tmp_path / "profile") as browser, watching(browser, tmp_path) as running:
        browser.open_tab(f"{trading}{EUR}")
        eventually(lambda: ticks_of(running, EUR) > 20, "ticks")
        before, _ = seen_by_pages(browser)
        epoch = position(running, EUR)[0]
        browser.kill()
        eventually(lambda: feed_state(running) == "down", "the feed is down")
        remedy = f"--remote-debugging-port={browser.port}"
        eventually(lambda: remedy in feed_of(running)["detail"], "the remedy is named")
        browser.start()
        eventually(lambda: feed_state(running) in ("live", "stale"), "it is attached again")
        browser.open_tab(f"{trading}{EUR}")
        begins_anew(running, EUR, epoch)
        after, _ = seen_by_pages(browser)
        rows = rows_after(running)
    assert not set(before) - set(rows)
    assert not set(after) - set(rows)


def test_a_page_that_comes_back_to_an_asset_begins_an_epoch(browser: Chrome, trading: str, tmp_path: Path) -> None:
    with watching(browser, tmp_path) as running:
        page = browser.open_tab(f"{trading}{EUR}")
        eventually(lambda: ticks_of(running, EUR) > 20, "ticks")
        epoch = position(running, EUR)[0]
        browser.evaluate(page, f"window.hide('{EUR}'); window.show('{GBP}')")
        eventually(lambda: ticks_of(running, GBP) > 5, "the other asset ticks")
        browser.evaluate(page, f"window.show('{EUR}')")
        begins_anew(running, EUR, epoch)
        live, past = seen_by_pages(browser)
        rows = rows_after(running)
    assert not (set(live) | set(past)) - set(rows)


def test_the_asset_on_the_page_is_known_and_a_page_that_is_gone_is_missed(
    browser: Chrome, trading: str, tmp_path: Path
) -> None:
    with watching(browser, tmp_path) as running, browsers(running.http) as clients:
        client = clients.connect("trader")
        tab = browser.open_tab(f"{trading}{EUR}")
        eventually(lambda: ticks_of(running, EUR) > 20, "ticks")
        assert client.asked("detect_asset", answer="asset_detected") == {"asset": EUR}
        browser.evaluate(tab, f"window.show('{GBP}')")

        def moved() -> bool:
            return bool(client.asked("detect_asset", answer="asset_detected") == {"asset": GBP})

        eventually(moved, "the page's new asset")
        epoch = position(running, EUR)[0]
        browser.crash_tab(tab)
        eventually(lambda: misses_the_page(running), "the page is missed")
        assert "chrome+ws" in client.asked("detect_asset", answer="asset_detection_failed")["error"]
        newcomer = clients.attempt("newcomer")
        assert newcomer.until("connection_status")["chrome"] == "connected"
        browser.open_tab(f"{trading}{EUR}")
        begins_anew(running, EUR, epoch)
        eventually(lambda: feed_state(running) == "live", "it is live again")


def test_doctor_says_whether_chrome_answers(browser: Chrome, tmp_path: Path) -> None:
    def doctor(port: int) -> str:
        feed = f"chrome+ws://127.0.0.1:{port}"
        command = [sys.executable, "-m", "tickwire.runtime.cli", "doctor", "--feeds", "--feed", feed]
        ran = subprocess.run(
            [*command, "--data-dir", str(tmp_path / "data")],
            capture_output=True, text=True, timeout=60, env=clean_environment(), check=False,
        )  # fmt: skip
        return ran.stdout + ran.stderr

    assert "DevTools answer" in doctor(browser.port)
    port = free_port()
    assert f"--remote-debugging-port={port}" in doctor(port)
