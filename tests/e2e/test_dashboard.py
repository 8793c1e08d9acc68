"""What traders do with the page, in a real browser on a real relay: keys, timeframes, colours, widths, no eyes."""

import gzip
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from support.axe import axe_source, faults
from support.browser import Watched
from support.recordings import missing
from support.servers import need
from support.tickwire_process import Tickwire, eventually, tickwire

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
STATIC = ROOT / "runtime" / "gateway" / "static"
BUDGET_BYTES = 200_000
FEED = "simulated:?assets=AUDUSD_otc,EURUSD_otc,GBPUSD_otc&rate=5"
WAIT_MS = 30_000
FITS = "document.documentElement.scrollWidth <= innerWidth"

Scheme = Literal["light", "dark"]
Open = Callable[..., Watched]


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tickwire]:
    with tickwire("run", "--feed", FEED, folder=tmp_path_factory.mktemp("relay")) as app:
        yield app


@pytest.fixture
def open_page(browser: Browser, relay: Tickwire) -> Iterator[Open]:
    contexts = []

    def build(place: str = "", *, width: int = 1400, height: int = 900, scheme: Scheme = "light") -> Watched:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        return Watched(context.new_page(), f"{relay.http}/{place}")

    yield build
    for context in contexts:
        context.close()


@contextmanager
def nothing_to_complain(seen: Watched) -> Iterator[Page]:
    yield seen.page
    assert seen.complaints == []


def chosen(page: Page) -> Any:
    return page.locator('#assets [aria-selected="true"] b')


def settled(page: Page) -> None:
    """The view has all that it shows."""
    if page.locator(".market").count():
        expect(page.locator("[data-tick]").first).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("#overlay")).to_have_count(0, timeout=WAIT_MS)
    else:
        expect(page.locator(".series svg").first).to_be_visible(timeout=WAIT_MS)
        expect(page.locator(".ledger tbody tr").first).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("[data-actor]").first).to_be_visible(timeout=WAIT_MS)


def test_the_watchlist_is_walked_with_the_arrow_keys(open_page: Open) -> None:
    with nothing_to_complain(open_page()) as page:
        expect(chosen(page)).to_have_text("AUDUSD_otc", timeout=WAIT_MS)
        page.keyboard.press("ArrowDown")
        expect(chosen(page)).to_have_text("EURUSD_otc")
        page.keyboard.press("End")
        expect(chosen(page)).to_have_text("GBPUSD_otc")
        page.keyboard.press("ArrowDown")
        expect(chosen(page)).to_have_text("GBPUSD_otc")
        page.keyboard.press("Home")
        expect(chosen(page)).to_have_text("AUDUSD_otc")
        expect(page.locator("#asset-name")).to_have_text("AUDUSD_otc")
        page.get_by_role("button", name="5m", exact=True).click()
        page.keyboard.press("ArrowDown")
        expect(chosen(page)).to_have_text("EURUSD_otc")
        page.keyboard.press("ArrowUp")
        expect(chosen(page)).to_have_text("AUDUSD_otc")
        active = page.locator("#assets").get_attribute("aria-activedescendant")
        assert page.locator(f"#{active}").get_attribute("data-asset") == "AUDUSD_otc"


def test_a_slash_searches_and_keys_that_are_typed_do_nothing_else(open_page: Open) -> None:
    with nothing_to_complain(open_page()) as page:
        expect(chosen(page)).to_have_text("AUDUSD_otc", timeout=WAIT_MS)
        page.keyboard.press("/")
        page.keyboard.type("gbps")
        expect(page.locator("#assets [data-asset]")).to_have_count(0)
        expect(page.locator(".market")).to_be_visible()
        page.keyboard.press("Backspace")
        expect(page.locator("#assets [data-asset]")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(chosen(page)).to_have_text("GBPUSD_otc")


def test_digits_choose_the_timeframe_and_the_chart_draws_it(open_page: Open) -> None:
    seen = open_page()
    with nothing_to_complain(seen) as page:
        expect(chosen(page)).to_have_text("AUDUSD_otc", timeout=WAIT_MS)
        for key, timeframe in (("1", "15s"), ("3", "5m"), ("8", "1d"), ("2", "1m")):
            page.keyboard.press(key)
            expect(page.get_by_role("button", name=timeframe, exact=True)).to_have_attribute("aria-pressed", "true")
            expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile(f"AUDUSD_otc, {timeframe}: "))
            eventually(lambda: seen.colours("--up") + seen.colours("--down") > 20, f"candles of {timeframe}")


def test_letters_change_the_view_and_the_back_button_takes_it_back(open_page: Open) -> None:
    with nothing_to_complain(open_page()) as page:
        settled(page)
        page.keyboard.press("s")
        settled(page)
        assert "view=system" in page.url
        page.go_back()
        expect(page.locator(".market")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("s")
        expect(page.locator(".market")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_single_keys_can_be_switched_off_and_stay_so(open_page: Open) -> None:
    with nothing_to_complain(open_page()) as page:
        settled(page)
        page.keyboard.press("?")
        page.get_by_role("checkbox", name="Letters, digits and signs act by themselves").press("Space")
        page.keyboard.press("Escape")
        for _ in range(2):
            theme = page.locator("html").get_attribute("data-theme")
            for key in ("t", "s", "1", "p", "/", "?"):
                page.keyboard.press(key)
            page.keyboard.press("End")
            expect(chosen(page)).to_have_text("GBPUSD_otc")
            expect(page.locator(".market")).to_be_visible()
            expect(page.locator("html")).to_have_attribute("data-theme", str(theme))
            expect(page.get_by_role("button", name="1m", exact=True)).to_have_attribute("aria-pressed", "true")
            expect(page.get_by_role("button", name="Hold")).to_be_visible()
            expect(page.get_by_role("searchbox")).not_to_be_focused()
            page.keyboard.press("Home")
            page.reload()
            settled(page)
        page.get_by_role("button", name="Keys and help").click()
        page.get_by_role("checkbox").press("Space")
        page.keyboard.press("Escape")
        page.keyboard.press("s")
        expect(page.locator(".system")).to_be_visible()


def test_the_chosen_colours_stay_over_a_reload(open_page: Open) -> None:
    with nothing_to_complain(open_page(scheme="light")) as page:
        root = page.locator("html")
        expect(root).to_have_attribute("data-theme", "light")
        page.get_by_role("button", name="Dark colours").click()
        expect(root).to_have_attribute("data-theme", "dark")
        page.reload()
        expect(root).to_have_attribute("data-theme", "dark")
        page.emulate_media(color_scheme="dark")
        page.keyboard.press("t")
        expect(root).to_have_attribute("data-theme", "light")


def test_the_chart_follows_the_colours(open_page: Open) -> None:
    seen = open_page(scheme="dark")
    with nothing_to_complain(seen) as page:
        settled(page)
        page.keyboard.press("t")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        eventually(lambda: seen.colours("--panel") > 1000, "the chart's ground is that of the light panel")
        eventually(lambda: seen.colours("--up") + seen.colours("--down") > 20, "its candles have the light colours")


def test_each_tick_of_the_tape_is_there_once_in_order(open_page: Open) -> None:
    with nothing_to_complain(open_page()) as page:
        settled(page)
        eventually(lambda: page.locator("[data-tick]").count() >= 20, "twenty ticks")
        numbers = [
            int(text.replace(",", ""))
            for text in page.locator("[data-tick] td:last-child").all_text_contents()
            if text.replace(",", "").isdigit()
        ]
        assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))


def test_the_system_view_shows_what_flows_and_that_the_ledger_balances(open_page: Open) -> None:
    with nothing_to_complain(open_page("#view=system")) as page:
        settled(page)
        for hop in ("feed-ingestor", "ingestor-spool", "publisher-channels"):
            expect(page.locator(f"[data-hop='{hop}'][data-flows='true']")).to_have_count(1, timeout=WAIT_MS)
        expect(page.locator("[data-hop='ingestor-spool']")).to_contain_text(re.compile(r"commit \d"))
        expect(page.locator("[data-balanced]")).to_have_text("✓ balanced")
        expect(page.locator("[data-figure='quarantined']")).to_have_text("0")
        stations = page.locator("[data-station][data-level='good']")
        expect(stations).to_have_count(9, timeout=WAIT_MS)


def test_no_width_makes_a_view_scroll_sideways(open_page: Open) -> None:
    with nothing_to_complain(open_page(width=2560)) as page:
        for view in ("Market", "System"):
            page.get_by_role("button", name=view).click()
            settled(page)
            for width in (2560, 1280, 768, 360):
                page.set_viewport_size({"width": width, "height": 900})
                eventually(lambda: page.evaluate(FITS), f"{view} fits into {width} pixels")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(scheme: Scheme, open_page: Open) -> None:
    source = axe_source()
    with nothing_to_complain(open_page(scheme=scheme)) as page:
        for open_view in ("m", "s", "?"):
            page.keyboard.press(open_view)
            for width in (1400, 360):
                page.set_viewport_size({"width": width, "height": 900})
                settled(page)
                assert faults(page, source) == [], (open_view, width)


def test_who_wants_no_motion_gets_none(open_page: Open) -> None:
    with nothing_to_complain(open_page("#view=system")) as page:
        settled(page)
        expect(page.locator("[data-hop='feed-ingestor'][data-flows='true']")).to_have_count(1, timeout=WAIT_MS)
        moving = "document.getAnimations().filter((each) => each.playState === 'running').length"
        assert page.evaluate(moving) > 0
        page.emulate_media(reduced_motion="reduce")
        eventually(lambda: page.evaluate(moving) == 0, "nothing moves")


def test_the_page_is_small_and_travels_packed(relay: Tickwire) -> None:
    files = [file for file in STATIC.iterdir() if file.suffix in (".js", ".css")]
    assert {file.suffix for file in files} == {".js", ".css"}
    sizes = 0
    for file in files:
        request = urllib.request.Request(f"{relay.http}/static/{file.name}", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            packed = answer.read()
        assert gzip.decompress(packed) == file.read_bytes()
        sizes += len(packed)
        with urllib.request.urlopen(f"{relay.http}/static/{file.name}", timeout=10) as plain:
            assert plain.headers["Content-Encoding"] is None
            assert plain.read() == file.read_bytes()
    assert sizes <= BUDGET_BYTES


def test_the_licences_of_all_that_is_bundled_are_told() -> None:
    told = (STATIC / "LICENSES.txt").read_text(encoding="utf-8")
    for package in ("react", "react-dom", "scheduler", "lightweight-charts", "fancy-canvas"):
        assert re.search(rf"^{package} \d+\.\d+\.\d+ \((MIT|Apache-2\.0)\)$", told, re.MULTILINE), package
    assert "TradingView" in told
    assert "Permission is hereby granted" in told


def test_the_page_that_is_shipped_is_what_its_source_makes(tmp_path: Path) -> None:
    npm = need("npm")
    if not (WEB / "node_modules").is_dir():
        missing("web's packages are not installed: npm ci --prefix web")
    subprocess.run(
        [npm, "run", "build:dashboard", "--prefix", str(WEB), "--", "--outDir", str(tmp_path)],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    built = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    shipped = {file.name: file.read_bytes() for file in STATIC.iterdir() if file.name in built}
    assert {"index.html", "dashboard.js", "dashboard.css", "LICENSES.txt"} <= set(built)
    assert built == shipped, "npm run build:dashboard --prefix web, and commit what it made"
