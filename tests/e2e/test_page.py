"""The page at `/` in a real browser, on a real relay: what a trader sees, also when something dies."""

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect
from support.browser import Watched
from support.paced_feed import PacedFeed
from support.redis_server import RedisServer
from support.servers import free_port
from support.tape import Rounds
from support.tickwire_process import Tickwire, clean_environment, count_stored, eventually, tickwire

pytestmark = pytest.mark.timeout(120)

RATE = 200
TWO = "simulated:?assets=EURUSD_otc,GBPUSD_otc&rate=5"
CRASHABLE = Path(__file__).parents[1] / "support" / "crashable_relay.py"
WAIT_MS = 30_000
FITS = "document.documentElement.scrollWidth <= innerWidth"

Open = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    contexts = []

    def build(url: str, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Watched:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        return Watched(context.new_page(), url)

    yield build
    for context in contexts:
        context.close()


@contextmanager
def crashable(folder: Path, feed: str) -> Iterator[tuple[Tickwire, Callable[[str], None]]]:
    """A relay, and how to crash one of its actors."""
    log = folder / "crashable.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", str(CRASHABLE), str(folder / "data"), feed],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, env=clean_environment(),
        )  # fmt: skip
    assert process.stdin is not None
    app = None
    try:
        app = Tickwire(process, log, folder / "data")

        def crash(actor: str) -> None:
            assert process.stdin is not None
            process.stdin.write(f"crash {actor}\n")
            process.stdin.flush()

        yield app, crash
        process.stdin.close()
        assert process.wait(30) == 0, app.logged()
    finally:
        process.stdin.close()
        if app is not None:
            app.end()
        elif process.poll() is None:
            process.kill()
            process.wait()


def test_prices_move_the_chart_draws_and_the_browser_has_no_complaint(open_page: Open, tmp_path: Path) -> None:
    with tickwire("run", "--feed", TWO, folder=tmp_path) as app:
        seen = open_page(app.http)
        seen.moves("EURUSD_otc")
        seen.moves("GBPUSD_otc")
        eventually(lambda: seen.pill("feed") == "live" and seen.pill("redis") == "up", "feed live, redis up")
        eventually(lambda: seen.pill("store") == "up", "store up")
        eventually(lambda: seen.colours("--up") + seen.colours("--down") > 100, "candles in the chart")
        assert seen.text("#asset-name") == "EURUSD_otc"
        assert seen.page.locator("#overlay").is_hidden()
        assert seen.page.locator("#banner").is_hidden()
        before = seen.text("#legend")
        eventually(lambda: seen.text("#legend") != before, "the forming candle follows")
        seen.page.get_by_role("button", name="System").click()
        eventually(lambda: seen.restarts("publisher") == "0", "the actors are listed")
        assert seen.page.locator("[data-actor]").count() >= 7
        assert seen.complaints == []


def test_the_page_may_load_and_run_nothing_but_its_own(tmp_path: Path) -> None:
    with (
        tickwire("run", "--feed", TWO, folder=tmp_path) as app,
        urllib.request.urlopen(app.http + "/", timeout=10) as answer,
    ):
        policy = answer.headers["Content-Security-Policy"]
        page = answer.read().decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] in ("'none'", "'self'")
    assert [rules[name] for name in ("script-src", "style-src", "connect-src")] == ["'self'"] * 3
    assert "unsafe" not in policy
    assert "<style" not in page
    assert "style=" not in page
    assert "//" not in page.replace("https://www.tradingview.com/", "")


def test_an_asset_is_chosen_by_click_and_by_key_and_a_timeframe_by_its_button(open_page: Open, tmp_path: Path) -> None:
    with tickwire("run", "--feed", TWO, folder=tmp_path) as app:
        seen = open_page(app.http)
        page = seen.page
        row = page.locator('[data-asset="GBPUSD_otc"]')
        row.click()
        expect(row).to_have_attribute("aria-selected", "true", timeout=WAIT_MS)
        expect(page.locator("#asset-name")).to_have_text("GBPUSD_otc")
        page.keyboard.press("Tab")
        page.locator("#assets").press("ArrowUp")
        expect(page.locator("#asset-name")).to_have_text("EURUSD_otc")
        with page.expect_response(lambda answer: "/candles/EURUSD_otc?timeframe=15s" in answer.url) as answered:
            page.get_by_role("button", name="15s").click()
        assert answered.value.status == 200
        expect(page.get_by_role("button", name="15s")).to_have_attribute("aria-pressed", "true")
        eventually(lambda: seen.colours("--up") + seen.colours("--down") > 20, "candles of 15 s")
        page.get_by_role("searchbox").fill("gbp")
        expect(page.locator('[data-asset="EURUSD_otc"]')).to_be_hidden()
        expect(row).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="15s")).to_have_attribute("aria-pressed", "true", timeout=WAIT_MS)
        assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    scheme: Literal["light", "dark"], open_page: Open, tmp_path: Path
) -> None:
    with tickwire("run", "--feed", TWO, folder=tmp_path) as app:
        seen = open_page(app.http, width=390, scheme=scheme)
        seen.moves("EURUSD_otc", 1)
        eventually(lambda: seen.colours("--up") + seen.colours("--down") > 20, "candles in the chart")
        assert seen.page.evaluate(FITS)
        seen.page.get_by_role("button", name="System").click()
        eventually(lambda: seen.restarts("publisher"), "the actors are listed")
        assert seen.page.evaluate(FITS)
        lightness = seen.page.evaluate("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
        assert (lightness < 128) is (scheme == "dark")
        assert seen.complaints == []


def test_a_killed_actors_restart_shows_while_prices_go_on(open_page: Open, tmp_path: Path) -> None:
    with crashable(tmp_path, TWO) as (app, crash):
        seen = open_page(app.http)
        system = Watched(seen.page.context.new_page(), f"{app.http}/#view=system")
        seen.moves("EURUSD_otc")
        eventually(lambda: system.restarts("publisher") == "0", "the actors are listed")
        crash("publisher")
        eventually(lambda: system.restarts("publisher") == "1", "the restart shows")
        seen.moves("EURUSD_otc")
        for actor in ("tick_ingestor", "buffer_keeper", "gateway", "batch_writer"):
            assert system.restarts(actor) == "0"
        assert seen.complaints == system.complaints == []


def test_prices_go_on_while_redis_is_dead_and_nothing_read_is_lost(open_page: Open, tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "redis") as server,
        PacedFeed(Rounds(["AUDCAD_otc"], RATE), RATE) as feed,
        tickwire("run", "--feed", feed.url, "--redis", server.url, "--batch-interval", "2", folder=tmp_path) as app,
    ):
        feed.run()
        seen = open_page(app.http)
        seen.moves("AUDCAD_otc")
        eventually(lambda: seen.pill("redis") == "up", "redis is up on the page")
        server.kill()
        back_at = time.monotonic() + 5.0
        eventually(lambda: seen.pill("redis") == "degraded", "the page says so")
        unready = app.get("/readyz")
        assert not unready["ready"]
        assert "redis" in str(unready)
        assert "Redis is degraded" in seen.text("#banner")
        while time.monotonic() < back_at:
            seen.moves("AUDCAD_otc", 1)
        server.start()
        eventually(lambda: seen.pill("redis") == "up", "redis is up again")
        eventually(lambda: app.get("/readyz")["ready"], "ready")
        seen.moves("AUDCAD_otc", 1)
        assert {actor["id"]: actor["restarts"] for actor in app.get("/api/v1/actors")["actors"]
                if actor["restarts"]} == {}  # fmt: skip
        sent = feed.pause()
        eventually(lambda: app.get("/api/v1/audit")["accounts"][0]["received"] == sent, "all that was sent is read")
        app.signal(signal.SIGTERM)
        assert app.wait() == 0, app.logged()
        assert count_stored(app.database) == sent


def test_the_page_comes_back_by_itself_when_the_relay_does(open_page: Open, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with tickwire("run", "--feed", TWO, "--http", address, folder=tmp_path) as app:
        seen = open_page(app.http)
        seen.moves("EURUSD_otc")
        app.signal(signal.SIGTERM)
        assert app.wait() == 0, app.logged()
        eventually(lambda: "Connection to the relay lost" in seen.text("#banner"), "the page says that it is alone")
        assert seen.pill("page") in ("reconnecting", "connecting")
    with tickwire("run", "--feed", TWO, "--http", address, folder=tmp_path):
        eventually(lambda: seen.pill("page") == "connected", "the page is connected again")
        seen.moves("EURUSD_otc")
        assert seen.page.locator("#banner").is_hidden()
