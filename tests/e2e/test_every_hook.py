"""Every React hook on one page, on a real relay: what it shows, with a token and without, and what it leaves behind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.browser import Watched
from support.commands import succeed
from support.tickwire_process import eventually, tickwire

pytestmark = pytest.mark.timeout(240)

PAGE = "bench/all"
ASSET = "EURUSD_otc"
FEED = f"simulated:?assets={ASSET}&rate=5"
HOOKS = ("useTicks", "useLastTick", "useCandles", "useHistory", "useFeedStatus", "useRelayStatus", "useMetrics",
         "useAssets", "useActors", "useAudit")  # fmt: skip
ASKING = {"TICKWIRE_HTTP__TOKEN_SECRET": "a-secret-of-tokens-that-is-long-enough"}

Open = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    context = browser.new_context()
    context.set_default_timeout(30_000)

    def build_page(relay: str, token: str = "") -> Watched:
        return Watched(
            context.new_page(), f"{address}/?relay={relay}&asset={ASSET}" + (f"&token={token}" if token else "")
        )

    yield build_page
    context.close()


def shown(page: Page, hook: str) -> str:
    return (page.locator(f'[data-hook="{hook}"] b').text_content() or "").strip()


def statuses(page: Page) -> dict[str, str]:
    lines = page.locator("[data-hook][data-status]")
    found: list[tuple[str, str]] = lines.evaluate_all(
        "(all) => all.map(({ dataset }) => [dataset.hook, dataset.status])"
    )
    return dict(found)


def all_live(page: Page) -> bool:
    return statuses(page) == dict.fromkeys(HOOKS, "live")


def quflx_is_live(page: Page) -> bool:
    connected = page.locator('[data-hook="useDataStream"]').get_attribute("data-connected")
    source = page.locator('[data-hook="useCsvData"]').get_attribute("data-source")
    return connected == "true" and source == "redis_cache" and int(shown(page, "useDataStream")) > 3


def test_every_hook_shows_what_the_relay_has(open_page: Open, tmp_path: Path) -> None:
    with tickwire("run", "--feed", FEED, "--batch-interval", "1", folder=tmp_path) as app:
        seen = open_page(app.http)
        page = seen.page
        eventually(lambda: all_live(page), "every hook is live")
        eventually(lambda: quflx_is_live(page), "QuFLX's hooks, too")
        before = int(shown(page, "useTicks"))
        eventually(lambda: int(shown(page, "useTicks")) > before, "ticks come")
        assert int(shown(page, "useCandles")) > 3
        assert shown(page, "useFeedStatus") == "live"
        eventually(lambda: shown(page, "useRelayStatus") == "up", "the store is up")
        eventually(lambda: shown(page, "useAssets") == ASSET, "the relay's assets were asked for again")
        assert int(shown(page, "useActors")) == len(app.get("/api/v1/actors")["actors"])
        eventually(lambda: float(shown(page, "useMetrics")) > 0, "metrics are read")
        eventually(lambda: shown(page, "useAudit") == "1", "the ledger has the asset's account")
        assert int(shown(page, "useCsvData")) > 3
        assert seen.complaints == []


def test_history_goes_back_a_page_at_a_time(open_page: Open, tmp_path: Path) -> None:
    with tickwire("run", "--feed", FEED, folder=tmp_path) as app:
        page = open_page(app.http).page
        eventually(lambda: len(shown(page, "useHistory").split()) == 3, "the first page")
        first = shown(page, "useHistory").split()
        page.get_by_role("button", name="older").click()
        eventually(lambda: len(shown(page, "useHistory").split()) == 6, "the page before it")
        pages = shown(page, "useHistory").split()
        assert pages[3:] == first
        assert pages == [str(int(first[0]) + 60 * place) for place in range(-3, 3)]


def test_without_a_token_hooks_say_what_is_missing_and_with_one_they_are_live(open_page: Open, tmp_path: Path) -> None:
    with tickwire("run", "--feed", FEED, folder=tmp_path, environment=ASKING) as app:
        stranger = open_page(app.http).page
        refused = '[data-status="error"][data-error="unauthorized"]'
        eventually(lambda: stranger.locator(refused).count() == len(HOOKS), "every hook says that it may not")
        token = succeed("token", "--ttl", "10m", folder=tmp_path, environment=ASKING).strip()
        page = open_page(app.http, token).page
        eventually(lambda: all_live(page), "every hook is live")
        eventually(lambda: quflx_is_live(page), "QuFLX's hooks, too")


def test_a_page_that_is_left_leaves_no_connection_of_the_hooks(open_page: Open, tmp_path: Path) -> None:
    with tickwire("run", "--feed", FEED, folder=tmp_path) as app:

        def clients() -> int:
            lines = app.text("/metrics").splitlines()
            return next(int(float(line.split()[1])) for line in lines if line.startswith("tickwire_gateway_clients "))

        page = open_page(app.http).page
        eventually(lambda: all_live(page), "every hook is live")
        eventually(lambda: clients() == 2, "one connection of the hooks, one of Socket.IO")
        page.locator("#leave").click()
        eventually(lambda: clients() == 1, "the hooks' is closed")
