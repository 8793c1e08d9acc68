"""Silence is judged by each asset's own pace."""

import pytest

from tickwire.market.staleness import LEAST_S, MOST_S, UNKNOWN_PACE_S, Staleness, is_otc


def watched(asset: str, pauses: list[float], **limits: float) -> tuple[Staleness, float]:
    """An asset that ticked with these pauses between; and when it last did."""
    one, now = Staleness(**limits), 1000.0
    one.observe(asset, now, 1)
    for pause in pauses:
        now += pause
        one.observe(asset, now, 1)
    return one, now


@pytest.mark.parametrize("asset", ["EURUSD_otc", "#AAPL_otc", "EURUSDOTC", "EURUSD_OTC"])
def test_an_otc_asset_is_stale_after_five_seconds_whatever_its_pace(asset: str) -> None:
    one, last = watched(asset, [0.5] * 100)
    assert is_otc(asset)
    assert one.stale(last + 5.0) == ()
    assert one.stale(last + 5.01) == (asset,)
    assert one.limit_s(asset) == 5.0


def test_an_otc_assets_limit_can_be_set() -> None:
    one, last = watched("A_otc", [0.5], otc_s=2.0)
    assert one.stale(last + 2.01) == ("A_otc",)


def test_an_asset_of_unknown_pace_has_a_minute() -> None:
    one, last = watched("EURUSD", [0.1] * 3)
    assert one.limit_s("EURUSD") == UNKNOWN_PACE_S
    assert one.stale(last + 60.0) == ()
    assert one.stale(last + 60.1) == ("EURUSD",)


def test_a_quick_asset_is_stale_after_the_shortest_silence() -> None:
    one, last = watched("EURUSD", [0.1] * 100)
    assert one.stale(last + LEAST_S) == ()
    assert one.stale(last + LEAST_S + 0.1) == ("EURUSD",)


def test_the_shortest_silence_can_be_set() -> None:
    one, last = watched("EURUSD", [0.1] * 100, least_s=3.0)
    assert one.stale(last + 3.1) == ("EURUSD",)
    long, last = watched("EURUSD", [0.1] * 100, least_s=900.0)
    assert long.stale(last + 899) == ()
    assert long.stale(last + 901) == ("EURUSD",)


def test_a_slow_asset_is_given_twenty_of_its_pauses() -> None:
    one, last = watched("XAUUSD", [3.0] * 50)
    assert one.limit_s("XAUUSD") == pytest.approx(60.0)
    assert one.stale(last + 59) == ()
    assert one.stale(last + 61) == ("XAUUSD",)


def test_an_asset_that_is_sometimes_silent_is_given_three_of_its_longest_silences() -> None:
    one, _ = watched("XAUUSD", [0.5] * 20 + [9.0])
    limit = one.limit_s("XAUUSD")
    assert limit is not None
    assert limit == pytest.approx(27.0)


def test_no_asset_may_be_silent_for_over_ten_minutes() -> None:
    one, last = watched("SLOW", [50.0] * 20)
    assert one.limit_s("SLOW") == MOST_S
    assert one.stale(last + MOST_S + 1) == ("SLOW",)


def test_an_outage_teaches_nothing_about_the_pace() -> None:
    one, last = watched("EURUSD", [0.1] * 100)
    before = one.limit_s("EURUSD")
    one.observe("EURUSD", last + 3600, 1)
    assert one.limit_s("EURUSD") == before


def test_many_ticks_of_one_arrival_are_a_quicker_pace() -> None:
    one = Staleness(least_s=0.001)
    for second in range(100):
        one.observe("A", 1000.0 + second, 10)
    assert one.limit_s("A") == pytest.approx(3.0)  # three of its silences of a second, over 20 pauses of 0.1 s


def test_a_stale_asset_is_fresh_with_its_next_tick_and_the_order_is_the_first_sight() -> None:
    one = Staleness()
    for asset in ("B_otc", "A_otc"):
        one.observe(asset, 1000.0, 1)
    assert one.stale(1006.0) == ("B_otc", "A_otc")
    one.observe("B_otc", 1006.0, 1)
    assert one.stale(1006.0) == ("A_otc",)


def test_a_forgotten_asset_is_watched_no_more() -> None:
    one, last = watched("A_otc", [])
    assert one.watched == 1
    one.forget("A_otc")
    one.forget("never seen")
    assert (one.watched, one.stale(last + 99), one.limit_s("A_otc")) == (0, (), None)
