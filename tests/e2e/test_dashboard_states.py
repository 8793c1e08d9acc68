"""Each part of the page has an empty, a loading, a stale and an error state; what is wrong shows by word and sign."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.axe import axe_source, faults
from support.dashboard_backend import (
    EPOCH,
    HANG,
    NOON,
    URL,
    FakeRelay,
    account,
    actor,
    asset,
    candle,
    status,
    whole,
)
from support.tickwire_process import eventually

pytestmark = pytest.mark.timeout(90)

WAIT_MS = 20_000
MARKET, SYSTEM = "#view=market", "#view=system"
CANDLES = "api/v1/candles/EURUSD_otc"
STALE = "not of now"

Start = Callable[..., tuple[Page, FakeRelay]]


@pytest.fixture
def start(browser: Browser) -> Iterator[Start]:
    contexts = []

    def build(place: str = MARKET, **relay: Any) -> tuple[Page, FakeRelay]:
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        backend = FakeRelay(page, **{name: value for name, value in relay.items() if name != "answers"})
        backend.answers.update(relay.get("answers", {}))
        page.goto(URL + place)
        return page, backend

    yield build
    for context in contexts:
        context.close()


def panel(page: Page, name: str) -> Any:
    return page.locator(f"section.{name}")


def says(page: Page, name: str, text: str) -> None:
    expect(panel(page, name)).to_contain_text(text, timeout=WAIT_MS)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (HANG, "Asking for the assets…"),
        ({"assets": []}, "No tick yet. Assets appear with their first one."),
        (503, "The assets are not known: it is restarting."),
    ],
)
def test_a_watchlist_without_assets_says_why(answer: Any, text: str, start: Start) -> None:
    page, _ = start(answers={"api/v1/assets": answer})
    says(page, "watch", text)
    says(page, "chart", "Choose an asset.")
    says(page, "tape", "Choose an asset.")


def test_a_watchlist_that_is_not_renewed_keeps_its_rows_and_says_so(start: Start) -> None:
    page, relay = start()
    expect(page.locator("[data-price]")).to_have_text("1.0845", timeout=WAIT_MS)
    relay.set(503, "api/v1/assets")
    says(page, "watch", STALE)
    expect(page.locator("[data-price]")).to_have_text("1.0845")


def test_a_search_without_a_match_says_what_it_looked_for(start: Start) -> None:
    page, _ = start()
    page.get_by_role("searchbox").fill("gold")
    says(page, "watch", "No asset is called like “gold”.")
    page.get_by_role("searchbox").press("Escape")
    expect(page.locator('[data-asset="EURUSD_otc"]')).to_be_visible()


def test_the_watchlist_is_put_in_order_by_its_columns_and_stays_so(start: Start) -> None:
    def candles(open_price: float) -> Any:
        return {"candles": [candle(NOON - 43_200, open=open_price, timeframe="1d")]}

    rates = {"AAA": 1.0, "BBB": 9.0, "CCC": 5.0}
    page, _ = start(
        answers={"api/v1/assets": {"assets": [asset(name, rate=rate) for name, rate in rates.items()]}}
        | {f"api/v1/candles/{name}": candles(1.0 + place / 10) for place, name in enumerate(rates)}
    )
    names = page.locator("#assets [data-asset] b")
    columns = page.get_by_role("group", name="Sort by")
    expect(names).to_have_text(["AAA", "BBB", "CCC"], timeout=WAIT_MS)
    columns.get_by_role("button", name="Rate").press("Enter")
    expect(names).to_have_text(["BBB", "CCC", "AAA"])
    columns.get_by_role("button", name="Rate descending").press("Enter")
    expect(names).to_have_text(["AAA", "CCC", "BBB"])
    columns.get_by_role("button", name="Day").click()
    columns.get_by_role("button", name="Day descending").click()
    expect(names).to_have_text(["CCC", "BBB", "AAA"], timeout=WAIT_MS)
    page.locator("#assets").press("Home")
    expect(page.locator("#asset-name")).to_have_text("CCC")
    page.reload()
    expect(names).to_have_text(["CCC", "BBB", "AAA"], timeout=WAIT_MS)
    expect(columns.get_by_role("button", name="Day ascending")).to_have_attribute("aria-pressed", "true")


def test_a_stale_asset_is_marked_in_words(start: Start) -> None:
    page, _ = start(answers={"api/v1/assets": {"assets": [asset(stale=True)]}})
    expect(page.locator('[data-asset="EURUSD_otc"]')).to_contain_text("stale", timeout=WAIT_MS)


def test_the_change_is_measured_from_the_open_of_todays_candle(start: Start) -> None:
    def candles(query: dict[str, list[str]]) -> Any:
        return {"candles": [candle(NOON - 43_200, open=1.0, timeframe="1d")] if query["timeframe"] == ["1d"] else []}

    page, _ = start(answers={CANDLES: candles})
    expect(page.locator("[data-change]")).to_have_text("+8.45 %", timeout=WAIT_MS)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (HANG, "Loading candles…"),
        ({"candles": []}, "No candles yet: they appear with the first tick."),
        (503, "No candles: it is restarting."),
    ],
)
def test_a_chart_without_candles_says_why(answer: Any, text: str, start: Start) -> None:
    page, _ = start(answers={CANDLES: answer})
    says(page, "chart", text)


def test_what_the_feed_no_longer_renews_is_marked_as_not_of_now(start: Start) -> None:
    page, relay = start()
    expect(page.locator("[data-bars='2']")).to_be_visible(timeout=WAIT_MS)
    relay.say(type="status", feed="stale", redis="up")
    says(page, "chart", STALE)
    says(page, "tape", STALE)
    expect(page.locator("#banner")).to_contain_text("The feed is stale")
    expect(page.locator('[data-asset="EURUSD_otc"]')).to_contain_text("stale")


def test_all_that_is_wrong_is_said_the_gravest_first(start: Start) -> None:
    page, relay = start(feed="stale", redis="degraded")
    banner = page.locator("#banner")
    expect(banner).to_have_text(
        re.compile(r"^The feed is stale: .* Redis is degraded: its other readers get none"), timeout=WAIT_MS
    )
    relay.say(type="status", feed="live", redis="degraded")
    expect(banner).to_have_text(re.compile(r"^Redis is degraded: prices here go on"))


def test_the_chart_counts_the_qualities_of_its_candles(start: Start) -> None:
    qualities = ("backfilled", "backfilled", "backfilled", "partial", "gap", "live")
    candles = [candle(NOON + 60 * i, quality) for i, quality in enumerate(qualities)]
    page, _ = start(answers={CANDLES: {"candles": candles}})
    for quality, count in (("live", 1), ("backfilled", 3), ("partial", 1), ("gap", 1)):
        expect(page.locator(f'.qualities [data-quality="{quality}"]')).to_have_text(
            f"{quality} {count}", timeout=WAIT_MS
        )


def test_scrolling_back_adds_each_older_candle_once_until_there_is_none(start: Start) -> None:
    first = NOON - 60 * 1100
    everything = [candle(first + 60 * i) for i in range(1101)]

    def candles(query: dict[str, list[str]]) -> Any:
        if query["timeframe"] != ["1m"]:
            return {"candles": []}
        before = int(query.get("to", [f"{NOON + 60}"])[0])
        page = [each for each in everything if each["timestamp"] < before][-int(query["limit"][0]) :]
        return {"candles": page, "older": page[0]["timestamp"] if page[0]["timestamp"] > first else None}

    page, relay = start(answers={CANDLES: candles})
    expect(page.locator("[data-bars='300']")).to_be_visible(timeout=WAIT_MS)
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 200)

    def scrolled() -> bool:
        page.mouse.wheel(-600, 0)
        return page.locator("[data-bars='1101']").count() == 1

    eventually(scrolled, "all candles are there, none twice")
    tos = [int(query["to"][0]) for path, query, _ in relay.asked if path == CANDLES and "to" in query]
    assert tos == [NOON - 60 * 299, NOON - 60 * 799]


def test_older_candles_that_fail_can_be_asked_for_again(start: Start) -> None:
    def candles(query: dict[str, list[str]]) -> Any:
        return 503 if "to" in query else {"candles": [candle(NOON - 60 * i) for i in range(299, -1, -1)]}

    page, relay = start(answers={CANDLES: candles})
    expect(page.locator("[data-bars='300']")).to_be_visible(timeout=WAIT_MS)
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 200)

    def failed() -> bool:
        page.mouse.wheel(-600, 0)
        return "Older candles: it is restarting." in (panel(page, "chart").text_content() or "")

    eventually(failed, "it says that older candles failed")
    relay.set({"candles": [candle(NOON - 60 * i) for i in range(309, 299, -1)]}, CANDLES)
    panel(page, "chart").get_by_role("button", name="Try again").click()
    expect(page.locator("[data-bars='310']")).to_be_visible(timeout=WAIT_MS)


@pytest.mark.parametrize(
    ("relay", "text"),
    [
        ({"snapshot": None}, "Waiting for ticks…"),
        ({"snapshot": ()}, "No tick yet."),
        ({"refusal": "nobody announced it"}, "No ticks: nobody announced it."),
    ],
)
def test_a_tape_without_ticks_says_why(relay: dict[str, Any], text: str, start: Start) -> None:
    page, _ = start(**relay)
    says(page, "tape", text)


def test_the_tape_shows_each_tick_newest_first_and_where_some_are_missing(start: Start) -> None:
    page, relay = start()
    expect(page.locator("[data-tick]")).to_have_count(3, timeout=WAIT_MS)
    relay.say(type="gap", asset="EURUSD_otc", **{"from": 4, "to": 9})
    relay.say(type="ticks", asset="EURUSD_otc", epoch=EPOCH, ticks=[[10, NOON + 9, 1.08512]])
    newest = page.locator("[data-tick]").first
    expect(newest).to_contain_text("1.08512", timeout=WAIT_MS)
    expect(newest).to_contain_text("⚠ 10")
    expect(page.locator("[data-price]")).to_have_text("1.08512")


def test_a_held_tape_stands_still_until_it_is_let_go(start: Start) -> None:
    page, relay = start()
    expect(page.locator("[data-tick]")).to_have_count(3, timeout=WAIT_MS)
    page.keyboard.press("p")
    expect(panel(page, "tape")).to_contain_text("held")
    relay.say(type="ticks", asset="EURUSD_otc", epoch=EPOCH, ticks=[[4, NOON + 3, 1.0850]])
    expect(page.locator("[data-price]")).to_have_text("1.0850", timeout=WAIT_MS)
    expect(page.locator("[data-tick]")).to_have_count(3)
    panel(page, "tape").get_by_role("button", name="Go on").click()
    expect(page.locator("[data-tick]")).to_have_count(4)


PARTS = {
    "way": (HANG, "Asking for the relay's state…", 503, "The relay's state is not known: it is restarting."),
    "health": (HANG, "Asking for the relay's state…", 503, "The relay's state is not known: it is restarting."),
    "actors": (HANG, "Asking for the actors' states…", 503, "The actors' states are not known: it is restarting."),
    "ledger": (HANG, "Reading the ledger…", 503, "The ledger is not known: it is restarting."),
    "over-time": (HANG, "Gathering a first interval…", 503, "The metrics are not known: it is restarting."),
}
ASKED = ("api/v1/status", "api/v1/actors", "api/v1/audit", "metrics")


def test_the_system_view_says_that_it_waits_for_each_part(start: Start) -> None:
    page, _ = start(SYSTEM, answers=dict.fromkeys(ASKED, HANG))
    for name, (_, waiting, _, _) in PARTS.items():
        says(page, name, waiting)


def test_the_system_view_says_why_each_part_is_not_known(start: Start) -> None:
    page, _ = start(SYSTEM, answers=dict.fromkeys(ASKED, 503))
    for name, (_, _, _, failed) in PARTS.items():
        says(page, name, failed)


def test_the_system_view_of_a_relay_that_has_nothing_yet(start: Start) -> None:
    page, _ = start(
        SYSTEM,
        answers={
            "api/v1/status": status(feeds={}),
            "api/v1/actors": {"actors": []},
            "api/v1/audit": {"balanced": True, "unreadable_entries": 0, "accounts": [], "holes": []},
        },
    )
    says(page, "health", "No feed has said anything yet.")
    says(page, "actors", "No actor runs.")
    says(page, "ledger", "Nothing has been received yet.")


def test_the_system_view_keeps_what_it_knew_and_marks_it(start: Start) -> None:
    page, relay = start(SYSTEM)
    expect(page.locator(".series").first).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("[data-actor='publisher']")).to_be_visible(timeout=WAIT_MS)
    says(page, "ledger", "balanced")
    relay.set(503, *ASKED)
    for name in PARTS:
        says(page, name, STALE)
    expect(page.locator("[data-actor='publisher']")).to_be_visible()


def test_what_is_wrong_shows_in_words_and_numbers(start: Start) -> None:
    good = status()
    hole = {"asset": "EURUSD_otc", "from_us": NOON * 10**6, "to_us": (NOON + 9) * 10**6, "reason": "outage"}
    page, _ = start(
        SYSTEM,
        answers={
            "api/v1/status": status(
                redis={"state": "degraded", "detail": "connection refused", "owners": {}},
                store=good["store"] | {"quarantined": 5, "pending": 1_234, "catching_up": True, "eta_s": 90},
            ),
            "api/v1/actors": {"actors": [actor(state="restarting", restarts=3, last_error="ValueError: no")]},
            "api/v1/audit": {
                "balanced": False,
                "unreadable_entries": 0,
                "accounts": [account(balanced=False, unexplained_after=3, lost={"spool": 2})],
                "holes": [hole],
            },
        },
    )  # fmt: skip
    says(page, "health", "connection refused")
    expect(page.locator("[data-figure='quarantined']")).to_have_text("⚠ 5")
    says(page, "health", "1 min")
    expect(page.locator("[data-station='outbox']")).to_contain_text("▲ degraded")
    says(page, "actors", "restarting")
    says(page, "actors", "last error: ValueError: no")
    expect(page.locator("[data-restarts]")).to_have_text("3")
    says(page, "ledger", "✕ off by 3 ticks")
    says(page, "ledger", "⚠ 2")
    says(page, "ledger", "outage")


def test_rates_and_latencies_are_those_between_two_readings(start: Start) -> None:
    readings = iter(range(1, 1000))

    def metrics(_query: dict[str, list[str]]) -> str:
        n = next(readings)
        return (
            f'tickwire_feed_ticks_total{{feed="a"}} {1000 * n}\ntickwire_publish_seconds_sum {0.25 * n}\n'
            f"tickwire_publish_seconds_count {100 * n}\ntickwire_gateway_clients 2\n"
        )

    page, _ = start(SYSTEM, answers={"metrics": metrics})
    hop = page.locator("[data-hop='publisher-channels']")
    expect(hop).to_contain_text("publish 2.50 ms", timeout=WAIT_MS)
    expect(page.locator("[data-hop='feed-ingestor']")).to_contain_text("ticks/s")
    expect(page.locator("[data-station='browsers']")).to_contain_text("2 connections")


def test_names_with_a_hash_or_a_slash_are_asked_for_as_http_wants_them(start: Start) -> None:
    names = ("#AAPL_otc", "XBT/USD")
    page, relay = start(
        answers={"api/v1/assets": {"assets": [asset(name) for name in names]}}
        | {f"api/v1/candles/{name}": {"candles": [candle(NOON)]} for name in names}
    )
    for name in names:
        page.locator(f'[data-asset="{name}"]').click()
        expect(page.locator("#asset-name")).to_have_text(name)
        expect(page.locator("[data-bars='1']")).to_be_visible(timeout=WAIT_MS)
    assert {"api/v1/candles/%23AAPL_otc", "api/v1/candles/XBT/USD"} <= {path for path, _, _ in relay.asked}
    page.reload()
    expect(page.locator("#asset-name")).to_have_text("XBT/USD", timeout=WAIT_MS)


def test_a_relay_that_asks_for_a_token_gets_the_one_that_is_typed_in(start: Start) -> None:
    page, relay = start(answers=dict.fromkeys(("api/v1/assets", *ASKED, CANDLES), 401))
    dialog = page.get_by_role("dialog", name="This relay asks for a token")
    expect(dialog).to_be_visible(timeout=WAIT_MS)
    dialog.get_by_label("Token").fill("wrong")
    dialog.get_by_role("button", name="Enter").click()
    expect(dialog).to_contain_text("did not take that token", timeout=WAIT_MS)
    relay.answers.update(whole())
    dialog.get_by_label("Token").fill("good")
    dialog.get_by_role("button", name="Enter").click()
    expect(page.locator("[data-price]")).to_have_text("1.0845", timeout=WAIT_MS)
    expect(dialog).to_be_hidden()
    assert [bearer for path, _, bearer in relay.asked if path == "api/v1/assets"][-1] == "Bearer good"
    assert "good" not in page.url


def test_a_page_that_lost_its_relay_says_so_and_counts_to_the_next_attempt(start: Start) -> None:
    page, relay = start()
    expect(page.locator("[data-price]")).to_have_text("1.0845", timeout=WAIT_MS)
    relay.sockets[-1].close(code=1013, reason="too many clients")
    expect(page.locator("#banner")).to_contain_text("Connection to the relay lost", timeout=WAIT_MS)
    expect(page.locator('[data-asset="EURUSD_otc"]')).to_contain_text("stale")
    expect(page.locator('[data-part="feed"] b')).to_have_text("–")
    expect(page.locator("#banner")).to_be_hidden(timeout=WAIT_MS)
    expect(page.locator('[data-part="feed"] b')).to_have_text("live")
    assert len(relay.sockets) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_is_empty_fails_or_asks(scheme: str, start: Start) -> None:
    source = axe_source()
    failing = dict.fromkeys(("api/v1/assets", *ASKED, CANDLES), 503)
    degraded = status(redis={"state": "degraded", "detail": "connection refused", "owners": {}})
    stale = {"api/v1/status": degraded, "api/v1/assets": {"assets": [asset(stale=True)]}}
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        (MARKET, failing, "The assets are not known"),
        (SYSTEM, failing, "The ledger is not known"),
        (MARKET, dict.fromkeys(failing, 401), "This relay asks for a token"),
        (MARKET, {"api/v1/assets": {"assets": []}}, "No tick yet"),
        (MARKET, stale, "Redis is degraded"),
        (SYSTEM, stale, "Redis is degraded"),
    )
    for place, answers, text in cases:
        links = {"feed": "stale", "redis": "degraded"} if answers is stale else {}
        page, _ = start(place, answers=answers, **links)
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        expect(page.locator("body")).to_contain_text(text, timeout=WAIT_MS)
        assert faults(page, source) == [], (place, text)


def test_an_asset_that_appears_later_is_shown_and_chosen(start: Start) -> None:
    page, relay = start(answers={"api/v1/assets": {"assets": []}})
    says(page, "watch", "No tick yet")
    relay.set({"assets": [asset()]}, "api/v1/assets")
    expect(page.locator("[data-price]")).to_have_text("1.0845", timeout=WAIT_MS)
    expect(page.locator("#asset-name")).to_have_text("EURUSD_otc")
    expect(page.locator("[data-tick]")).to_have_count(3, timeout=WAIT_MS)


def test_several_candles_that_begin_in_one_frame_are_all_drawn(start: Start) -> None:
    page, relay = start()
    expect(page.locator("[data-bars='2']")).to_be_visible(timeout=WAIT_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.evaluate("() => { window.requestAnimationFrame = (turn) => setTimeout(() => turn(performance.now()), 500); }")
    for i in range(1, 6):
        relay.say(type="candle", asset="EURUSD_otc", **candle(NOON + 60 * i))
    expect(page.locator("[data-bars='7']")).to_be_visible(timeout=WAIT_MS)
    assert faults == []
