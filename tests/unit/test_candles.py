"""Candles of one asset against a computation that knows nothing of them."""

import csv
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pocketoption_oracle import candles_of
from support.recordings import recording

from tickwire.market.candles import AssetCandles
from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle, Quality
from tickwire.messages.ticks import BrokerCandles, HistoryColumns, TickColumns

START_US = 1_756_866_780_000_000
Tick = tuple[int, str]


def live(ticks: Sequence[Tick], first_seq: int = 1, epoch: str = "e1") -> TickColumns:
    return TickColumns(
        asset="A", epoch=epoch, first_seq=first_seq, offset_us=0,
        ts_us=[us for us, _ in ticks], stamps=[str(us) for us, _ in ticks], prices=[price for _, price in ticks],
        ordinals=[0] * len(ticks), encoded=[b""] * len(ticks),
    )  # fmt: skip


def past(ticks: Sequence[Tick]) -> HistoryColumns:
    return HistoryColumns(
        asset="A", offset_us=0, ts_us=[us for us, _ in ticks], stamps=[str(us) for us, _ in ticks],
        prices=[price for _, price in ticks], ordinals=[0] * len(ticks),
    )  # fmt: skip


def ohlc(candles: AssetCandles, timeframe: str) -> dict[int, tuple[float, float, float, float]]:
    return {c.timestamp: (c.open, c.high, c.low, c.close) for c in candles.candles(timeframe, 100_000)}


def at(second: float, price: str) -> Tick:
    return START_US + round(second * 1e6), price


prices = st.integers(100_000, 199_999).map(lambda number: f"1.{number:06d}")
arrivals = st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 9_900), prices), min_size=1, max_size=120)


@settings(max_examples=80, deadline=None)
@given(steps=arrivals, cut=st.integers(1, 17))
def test_any_order_of_arrival_within_the_lateness_gives_the_same_candles(
    steps: list[tuple[int, int, str]], cut: int
) -> None:
    ticks: list[Tick] = []
    clock = START_US
    for pause_ms, late_ms, price in steps:
        clock += pause_ms * 1000
        ticks.append((clock - late_ms * 1000, price))
    candles = AssetCandles(100_000)
    for begin in range(0, len(ticks), cut):
        candles.live(live(ticks[begin : begin + cut], begin + 1), 0.0)
    for timeframe, seconds in SECONDS.items():
        assert ohlc(candles, timeframe) == candles_of([(us, float(price)) for us, price in ticks], seconds)
        assert sum(candle.ticks for candle in candles.candles(timeframe, 100_000)) == len(ticks)
    assert candles.order.late == 0


@settings(max_examples=60, deadline=None)
@given(steps=arrivals, split=st.integers(0, 120), overlap=st.integers(0, 40), live_first=st.booleans())
def test_ticks_that_come_live_and_as_history_count_once(
    steps: list[tuple[int, int, str]], split: int, overlap: int, live_first: bool
) -> None:
    ticks: list[Tick] = []
    clock = START_US
    for pause_ms, _, price in steps:
        clock += pause_ms * 1000 + 1
        ticks.append((clock, price))
    history, now = ticks[: split + overlap], ticks[split:]
    candles = AssetCandles(100_000)
    if live_first and now:
        candles.live(live(now), 0.0)
    candles.past(past(history)) if history else None
    if not live_first and now:
        candles.live(live(now), 0.0)
    for timeframe, seconds in SECONDS.items():
        assert ohlc(candles, timeframe) == candles_of([(us, float(price)) for us, price in ticks], seconds)
        assert sum(candle.ticks for candle in candles.candles(timeframe, 100_000)) == len(ticks)


@pytest.mark.parametrize("name", ["AUDCAD_otc_20251020.csv", "CADJPY_otc_20251013.csv", "EURUSD_otc_20251015.csv"])
def test_recorded_ticks_give_the_candles_that_an_independent_computation_gives(name: str) -> None:
    ticks: list[Tick] = []
    with recording(f"ticks/{name}").open(newline="") as file:
        for place, row in enumerate(row for row in csv.reader(file) if row and row[0] not in ("timestamp", "time")):
            ticks.append((START_US + place * 480_000, row[-1]))
    candles = AssetCandles(100_000)
    for begin in range(0, len(ticks), 500):
        candles.live(live(ticks[begin : begin + 500], begin + 1), 0.0)
    for timeframe, seconds in SECONDS.items():
        assert ohlc(candles, timeframe) == candles_of([(us, float(price)) for us, price in ticks], seconds)


events = st.one_of(
    st.tuples(st.just("live"), st.integers(0, 400_000), st.integers(1, 12), prices),
    st.tuples(st.just("late"), st.integers(0, 30_000), st.integers(1, 3), prices),
    st.tuples(st.just("wild"), st.integers(0, 10**7), st.integers(1, 1), prices),
    st.tuples(st.just("past"), st.integers(0, 2_000_000), st.integers(1, 40), prices),
    st.tuples(st.just("broker"), st.integers(0, 2_000_000), st.integers(1, 9), prices),
    st.tuples(st.just("silence"), st.integers(0, 900_000), st.integers(1, 1), prices),
)


@settings(max_examples=60)
@given(steps=st.lists(events, min_size=1, max_size=25), size=st.sampled_from([3, 1000]))
def test_candles_are_the_same_however_often_they_are_read(steps: list[tuple[str, int, int, str]], size: int) -> None:
    """Longer ones are worked out late: nobody may see that."""
    often, seldom = AssetCandles(size), AssetCandles(size)
    clock_us, seq, now = START_US, 1, 0.0
    for place, (kind, ms, count, price) in enumerate(steps):
        for candles in (often, seldom):
            if kind == "live":
                ticks = [(clock_us + ms * 1000 + i * 700_000, price) for i in range(count)]
                candles.live(live(ticks, seq, f"e{place // 7}"), now)
            elif kind in ("late", "wild"):
                us = clock_us + (10**10 + ms * 1000 if kind == "wild" else -ms * 1000)
                candles.live(live([(us, price)] * count, seq, f"e{place // 7}"), now)
            elif kind == "past":
                candles.past(past([(clock_us - ms * 1000 - i * 900_000, price) for i in range(count)]))
            elif kind == "broker":
                start = (clock_us // 1000 - ms) // 60_000 * 60
                rows = [(start + 60 * i, float(price), 2.0, 1.0, float(price)) for i in range(count)]
                candles.broker(BrokerCandles(asset="A", period_s=60, rows=rows))
            else:
                candles.elapse(now + ms / 1000, fed=place % 2 == 0)
        for timeframe in SECONDS:
            often.candles(timeframe, 100_000)
        seq += count
        now += ms / 1000 if kind in ("silence", "live") else 0.0
        clock_us += ms * 1000 if kind == "live" else 0
    assert often.closed == seldom.closed
    assert often.due() == seldom.due()
    for level, timeframe in enumerate(SECONDS):
        assert often.encoded(level, 100_000) == seldom.encoded(level, 100_000)
        assert often.candles(timeframe, 100_000) == seldom.candles(timeframe, 100_000)
    assert often.changed == seldom.changed


def test_a_bucket_closes_with_the_first_tick_after_it_and_a_late_one_amends_it() -> None:
    candles = AssetCandles(200)
    candles.live(live([at(0, "1.1"), at(14, "1.2")]), 0.0)
    assert candles.closed == []
    candles.live(live([at(16, "1.3")], 3), 0.0)
    assert [(c.timeframe, c.close, c.is_closed, c.quality) for c in candles.closed] == [("15s", 1.2, True, "live")]
    candles.closed.clear()
    candles.live(live([at(14.5, "1.9")], 4), 0.0)
    assert [(c.timeframe, c.close, c.high, c.ticks) for c in candles.closed] == [("15s", 1.9, 1.9, 3)]
    candles.live(live([at(40, "1.3"), at(14.6, "9")], 5), 0.0)
    assert candles.order.late == 1
    assert candles.candles("15s", 9)[0].close == 1.9


def test_a_silent_assets_bucket_closes_by_the_clock_and_no_flat_candle_is_invented() -> None:
    candles = AssetCandles(200)
    candles.live(live([at(0, "1.1"), at(10, "1.2")]), 100.0)
    assert candles.due() == 107.0
    candles.elapse(106.0, fed=True)
    assert candles.closed == []
    candles.elapse(170.0, fed=True)
    assert [(c.timeframe, c.quality) for c in candles.closed] == [("15s", "live"), ("1m", "live")]
    assert len(candles.candles("15s", 9)) == 1


def test_silence_before_a_doubt_covers_nothing_and_what_closed_by_it_is_told_anew() -> None:
    candles = AssetCandles(200)
    candles.live(live([at(0, "1.1"), at(10, "1.2")]), 100.0)
    candles.elapse(170.0, fed=True)
    assert {c.quality for c in candles.closed} == {"live"}
    candles.closed.clear()
    candles.doubt()
    assert [(c.timeframe, c.quality) for c in candles.closed] == [("15s", "partial"), ("1m", "partial")]
    candles.elapse(1000.0, fed=True)
    candles.live(live([at(910, "1.3"), at(915, "1.4")], 0, "e2"), 1010.0)
    assert candles.holes == [(at(10, "")[0], at(910, "")[0])]


def test_the_store_gets_what_silence_alone_makes_whole_once_a_tick_a_doubt_or_time_has_shown_it() -> None:
    def silent() -> AssetCandles:
        candles = AssetCandles(200)
        candles.live(live([at(0, "1.1"), at(10, "1.2")]), 100.0)
        candles.elapse(108.0, fed=True)
        assert [c.quality for c in candles.closed] == ["live"]
        assert candles.take_renewed() == []
        return candles

    def taken(candles: AssetCandles) -> list[tuple[str, str]]:
        return [(c.timeframe, c.quality) for c in candles.take_renewed()]

    spoken = silent()
    spoken.live(live([at(20, "1.3")], 3), 110.0)
    assert taken(spoken) == [("15s", "live")]
    doubted = silent()
    doubted.doubt()
    assert taken(doubted) == [("15s", "partial")]
    waited = silent()
    waited.elapse(167.0, fed=True)
    assert taken(waited) == [("15s", "live")]
    assert [c.timeframe for c in waited.closed] == ["15s", "1m"]


def test_a_new_epoch_takes_silence_back_without_a_doubt_and_never_what_history_has_covered() -> None:
    candles = AssetCandles(200)
    candles.live(live([at(0, "1.1"), at(10, "1.2")]), 100.0)
    candles.elapse(200.0, fed=True)
    candles.past(past([at(10, "1.2"), at(13, "1.2"), at(17, "1.3")]))
    candles.live(live([at(91, "1.3")], 0, "e2"), 210.0)
    assert candles.holes == [(at(17, "")[0], at(91, "")[0])]
    assert candles.candles("15s", 9)[0].quality == "backfilled"


@pytest.mark.parametrize("again", [6, 5])
def test_ticks_of_the_second_in_which_a_doubt_fell_prove_nothing_about_it(again: int) -> None:
    candles = AssetCandles(200)
    candles.live(live([at(0, "1.1"), at(6, "1.2")]), 100.0)
    candles.doubt()
    candles.live(live([at(again, "1.3"), at(7, "1.4"), at(16, "1.5"), at(31, "1.6")], 1, "e2"), 101.0)
    assert [c.quality for c in candles.candles("15s", 9)] == ["gap", "live", "live"]
    candles.past(past([at(0, "1.1"), at(6, "1.2"), at(6.5, "1.9"), at(7, "1.4")]))
    assert candles.candles("15s", 9)[0].quality == "backfilled"


def test_a_bucket_entered_in_its_middle_is_partial_and_an_outage_is_a_gap_until_history_fills_it() -> None:
    candles = AssetCandles(200)
    candles.live(live([at(5, "1.1"), at(16, "1.2"), at(18, "1.3")]), 0.0)
    candles.live(live([at(26, "1.4"), at(31, "1.5")], 1, "e2"), 0.0)
    assert [c.quality for c in candles.candles("15s", 9)] == ["partial", "gap", "live"]
    candles.past(past([at(-1, "1.0"), at(5, "1.1"), at(16, "1.2"), at(18, "1.3"), at(22, "1.9"), at(26, "1.4")]))
    shown = {c.timestamp * 1_000_000 - START_US: c for c in candles.candles("15s", 9)}
    assert shown[15_000_000].quality == "backfilled"
    assert (shown[15_000_000].high, shown[15_000_000].ticks) == (1.9, 4)


def test_a_tick_that_is_left_out_closes_no_gap_and_one_that_came_first_opens_no_earlier_one() -> None:
    candles = AssetCandles(200)
    candles.live(live([at(0, "1.1"), at(31, "1.2")]), 0.0)
    candles.live(live([at(1, "1.3")], 1, "e2"), 0.0)
    candles.live(live([at(44, "1.4"), at(61, "1.5")], 2, "e2"), 0.0)
    assert [c.quality for c in candles.candles("15s", 9)] == ["live", "gap", "live"]
    other = AssetCandles(200)
    other.live(live([at(14, "1.1"), at(2, "1.2"), at(31, "1.3")]), 0.0)
    assert [c.quality for c in other.candles("15s", 9)] == ["partial", "live"]


def stored(quality: Quality, ticks: int) -> Candle:
    return Candle(
        timestamp=START_US // 1_000_000, open=1.0, high=1.9, low=0.9, close=1.5, volume=0, is_closed=True,
        timeframe="15s", ticks=ticks, quality=quality,
    )  # fmt: skip


def test_a_candle_that_the_stored_ticks_make_is_not_whole_where_ticks_were_missed() -> None:
    candles = AssetCandles(200)
    candles.live(live([at(5, "1.1"), at(16, "1.2")]), 0.0)
    candles.take_renewed()
    candles.adopt("15s", [stored("backfilled", 40)])
    (candle,) = [c for c in candles.take_renewed() if c.timeframe == "15s"]
    assert (candle.open, candle.high, candle.low, candle.ticks, candle.quality) == (1.0, 1.9, 0.9, 40, "partial")


@pytest.mark.parametrize(("quality", "ticks"), [("live", 40), ("backfilled", 0)])
def test_a_candle_that_somebody_saw_whole_counts_where_ticks_were_missed_here(quality: Quality, ticks: int) -> None:
    candles = AssetCandles(200)
    candles.live(live([at(5, "1.1"), at(16, "1.2")]), 0.0)
    candles.adopt("15s", [stored("backfilled", 40)])
    candles.adopt("15s", [stored(quality, ticks)])
    assert candles.candles("15s", 9)[0].quality == quality


def test_a_candle_that_an_earlier_run_saw_whole_stays_though_history_begins_in_its_middle() -> None:
    candles = AssetCandles(200)
    candles.adopt("15s", [stored("live", 40)], ours=True)
    candles.past(past([at(8, "1.1"), at(12, "1.5"), at(14.9, "2.1"), at(16, "1.3"), at(31, "1.4")]))
    candles.live(live([at(32, "1.1"), at(46, "1.2")]), 0.0)
    first = candles.candles("15s", 9)[0]
    assert (first.open, first.high, first.close, first.ticks, first.quality) == (1.0, 2.1, 2.1, 40, "backfilled")
    minute = candles.candles("1m", 9)[0]
    assert (minute.open, minute.high, minute.ticks) == (1.0, 2.1, 44)


def test_a_candle_that_the_stored_ticks_make_is_backfilled_where_there_is_nothing_else_and_better_once_proven() -> None:
    candles = AssetCandles(200)
    candles.adopt("15s", [stored("backfilled", 40)])
    assert candles.candles("15s", 9)[0].quality == "backfilled"
    candles.live(live([at(5, "1.1"), at(16, "1.2")]), 0.0)
    assert candles.candles("15s", 9)[0].quality == "partial"
    candles.adopt("15s", [stored("backfilled", 40)], ours=True)
    assert candles.candles("15s", 9)[0].quality == "backfilled"


def test_the_brokers_candle_counts_where_ticks_do_not_cover_the_bucket() -> None:
    candles = AssetCandles(200)
    start = START_US // 1_000_000
    candles.past(past([at(30, "1.1"), at(60, "1.2"), at(90, "1.3"), at(121, "1.4")]))
    candles.broker(BrokerCandles(asset="A", period_s=60, rows=[(start, 1.0, 2.0, 0.5, 1.5), (start + 60, 9, 9, 9, 9)]))
    first, second, *_ = candles.candles("1m", 9)
    assert (first.open, first.high, first.low, first.close, first.quality) == (1.0, 2.0, 0.5, 1.5, "backfilled")
    assert (second.open, second.high, second.low, second.close) == (1.2, 1.3, 1.2, 1.3)


def test_memory_is_bounded_and_columns_that_come_again_change_nothing() -> None:
    candles = AssetCandles(10)
    for minute in range(500):
        column = live([at(minute * 15, "1.1")], minute + 1)
        candles.live(column, 0.0)
        candles.live(column, 0.0)
    kept = candles.candles("15s", 100_000)
    assert 10 <= len(kept) <= 100
    assert {candle.ticks for candle in kept} == {1}


def test_history_before_all_ticks_of_a_bucket_counts_though_these_are_kept_one_by_one_no_more() -> None:
    candles = AssetCandles(1000)
    candles.live(live([at(7 + i / 4, "1.5") for i in range(5000)]), 0.0)
    candles.past(past([at(i, "1.1") for i in range(7)]))
    first = candles.candles("15s", 1000)[0]
    assert (first.open, first.low, first.ticks) == (1.1, 1.1, 7 + 32)
    candles.past(past([at(i, "1.1") for i in range(9)]))
    assert candles.candles("15s", 1000)[0].ticks == 7 + 32
