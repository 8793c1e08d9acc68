"""CacheManager's candles for the store: what it hands on, what it brings back, and the holes in between."""

from collections.abc import Sequence
from dataclasses import replace

from support.cache_manager import Bench
from support.stage import Asker
from support.ticks import START_US, columns, received

from tickwire.actors.restoring import ASK_EVERY_S, LOOK_AFTER_S
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.messages.candles import (
    Candle,
    CandlesMade,
    CandlesRestored,
    HoleFound,
    HolesAnswered,
    HolesRequested,
    TicksRestored,
)
from tickwire.messages.lifecycle import Drained, DrainRequested
from tickwire.messages.ticks import BackfillReceived, BrokerCandles, TickColumns

BASE_S = START_US // 1_000_000 // 3600 * 3600


def ticks_at(*seconds: float, first_seq: int = 1, epoch: str = "01K47AAAAAAAAAAAAAAAAAAAAA") -> TickColumns:
    """Ticks so many seconds after the first bucket's opening."""
    stamps = [BASE_S * 1_000_000 + round(second * 1e6) for second in seconds]
    live = columns("A", first_seq, len(stamps), epoch=epoch)
    return replace(live, ts_us=stamps, stamps=[repr(us / 1e6) for us in stamps])


def made(bench: Bench) -> list[tuple[str, Candle]]:
    return [each for message in bench.stage.told("buffer_keeper", CandlesMade) for each in message.candles]


def shown(bench: Bench, timeframe: str) -> list[Candle]:
    asset = bench.candles.get("A")
    assert asset is not None
    return asset.candles(timeframe, 200)


def base(number: int, quality: str = "live", ticks: int = 30) -> Candle:
    return Candle(
        timestamp=BASE_S + 15 * number, open=1.5, high=1.5, low=1.5, close=1.5, volume=0, is_closed=True,
        timeframe="15s", ticks=ticks, quality=quality,  # type: ignore[arg-type]
    )  # fmt: skip


def holes(bench: Bench, asset: str = "A") -> HolesAnswered:
    asker = Asker()
    bench.stage.step(HolesRequested(asset=asset, reply_to=asker))
    (answer,) = asker.answers
    assert isinstance(answer, HolesAnswered)
    return answer


def spans(answer: HolesAnswered) -> list[tuple[float, float]]:
    """Seconds after the first bucket's opening."""
    return [(hole.from_us / 1e6 - BASE_S, hole.until_us / 1e6 - BASE_S) for hole in answer.holes]


# -- handed on


def test_a_candle_is_handed_on_when_it_closes_and_again_when_a_late_tick_amends_it() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(0, 5, 15)))
    assert [(asset, candle.timeframe, candle.ticks) for asset, candle in made(bench)] == [("A", "15s", 2)]
    bench.stage.forget()
    bench.stage.step(received(2, ticks_at(7, first_seq=4)))
    assert [(asset, candle.timeframe, candle.ticks) for asset, candle in made(bench)] == [("A", "15s", 3)]


def test_every_timeframe_is_handed_on_and_none_that_is_open() -> None:
    bench = Bench()
    day = 86_400
    bench.stage.step(received(1, ticks_at(0, 1)), received(2, ticks_at(2 * day, first_seq=3)))
    bench.stage.step(received(3, ticks_at(2 * day + 1, 2 * day + 2, first_seq=4)))
    assert {candle.timeframe for _, candle in made(bench)} == set(TIMEFRAMES)
    assert all(candle.is_closed and candle.ticks == 2 for _, candle in made(bench))


def test_a_drain_is_answered_behind_the_candles_of_what_was_read() -> None:
    bench = Bench()
    asker = Asker()
    bench.stage.step(received(1, ticks_at(0, 16)), DrainRequested(reply_to=asker))
    assert len(made(bench)) == 1
    assert asker.answers == [Drained(feed="")]


# -- brought back


def test_what_redis_lacks_is_asked_of_the_store_once_and_what_it_had_comes_back_without_being_handed_on() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(150, 166)))
    assert bench.source.asked_candles == [("A", "15s", 200)]
    bench.stage.forget()
    kept = [base(number) for number in range(9)]
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=kept))
    assert shown(bench, "15s")[:9] == kept
    assert [candle.timestamp for _, candle in made(bench) if candle.timeframe == "15s" and candle in kept] == []
    bench.stage.step(received(2, ticks_at(181, first_seq=3)))
    assert bench.source.asked_candles.count(("A", "15s", 200)) == 1


def test_what_redis_had_is_not_asked_of_the_store() -> None:
    bench = Bench()
    bench.two_buckets()
    again = Bench(bench.redis)
    again.stage.step(received(1, columns("A", 40_000, 10)), received(2, columns("A", 60_000, 10)))
    assert ("A", "15s", 200) not in again.source.asked_candles


def test_a_long_candle_goes_on_after_a_restart_from_what_the_store_has() -> None:
    bench = Bench()
    minute = BASE_S // 60 * 60
    begin = (minute + 60 - BASE_S) // 15
    bench.stage.step(received(1, ticks_at(*[15.0 * (begin + 2) + step * 0.5 for step in range(61)])))
    kept = [base(number) for number in range(begin, begin + 2)]
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=kept))
    (candle,) = [each for each in shown(bench, "1m") if each.timestamp == minute + 60]
    assert (candle.ticks, candle.quality) == (60 + 60, "live")


# -- holes


def test_an_asset_that_was_seen_without_a_pause_has_no_hole_and_one_that_was_never_seen_is_unknown() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(0, 5, 16)))
    assert (holes(bench).known, spans(holes(bench))) == (True, [])
    assert not holes(bench, "B").known


def test_what_an_outage_left_out_is_listed() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(0, 5)), received(2, ticks_at(40, 41, epoch="02", first_seq=1)))
    assert spans(holes(bench)) == [(5.0, 40.0)]


def test_what_a_restart_left_out_is_listed_once_the_last_runs_candles_are_back() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(40, 46)))
    kept = [base(0), base(1)]
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=kept))
    assert spans(holes(bench)) == [(30.0, 40.0)]


def test_a_candle_with_a_hole_covers_nothing_though_its_neighbours_are_near() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(60, 76)))
    kept = [base(0), base(1, "gap"), base(2), base(3)]
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=kept))
    assert spans(holes(bench)) == [(15.0, 30.0)]


def test_a_hole_is_looked_into_a_few_times_for_the_last_runs_ticks_are_on_their_way() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(40, 46)))
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=[base(0), base(1)]))
    bench.source.asked_ticks.clear()
    bench.stage.advance(LOOK_AFTER_S[-1] + 1)
    wanted = ("A", (BASE_S + 30) * 1_000_000, (BASE_S + 40) * 1_000_000)
    assert bench.source.asked_ticks == [wanted] * len(LOOK_AFTER_S)


def stored(seconds: Sequence[float]) -> TicksRestored:
    ticks = [((BASE_S * 1_000_000 + round(second * 1e6)), "1.10001") for second in seconds]
    return TicksRestored(asset="A", from_us=(BASE_S + 30) * 1_000_000, found=ticks)


def test_stored_ticks_close_a_hole_and_its_candle_is_handed_on_again_as_backfilled() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(40.25, 41, 46)))
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=[base(0), base(1)]))
    assert [candle.quality for _, candle in made(bench) if candle.timestamp == BASE_S + 30][-1] == "gap"
    bench.stage.forget()
    bench.stage.step(stored([30 + 0.25 * step for step in range(42)]))
    assert spans(holes(bench)) == []
    (candle,) = [c for _, c in made(bench) if (c.timeframe, c.timestamp) == ("15s", BASE_S + 30)]
    assert (candle.quality, candle.ticks) == ("backfilled", 43)


def test_stored_ticks_that_end_before_the_hole_does_leave_the_rest_of_it() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(40, 41, 46)))
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=[base(0), base(1)]))
    bench.stage.step(stored([31, 32, 33.5]))
    assert spans(holes(bench)) == [(33.5, 40.0)]


def test_a_pause_in_stored_ticks_is_no_cover() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(70, 71, 76)))
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=[base(0), base(1)]))
    bench.stage.step(stored([31, 32, 50, 51]))
    assert spans(holes(bench)) == [(32.0, 50.0), (51.0, 70.0)]


# -- the venue


def test_what_the_store_can_not_close_the_venue_is_asked_for_once() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(0, 5)), received(2, ticks_at(50, 51, epoch="02", first_seq=1)))
    assert bench.stage.told("tick_ingestor:1", HoleFound) == []
    bench.stage.advance(LOOK_AFTER_S[-1] + 1)
    wanted = HoleFound(asset="A", from_us=(BASE_S + 5) * 1_000_000, until_us=(BASE_S + 50) * 1_000_000)
    assert bench.stage.told("tick_ingestor:1", HoleFound) == [wanted]


def test_the_venue_is_not_asked_for_all_holes_at_once() -> None:
    bench = Bench()
    for epoch in range(1, 6):
        bench.stage.step(received(epoch, ticks_at(40 * epoch, 40 * epoch + 1, epoch=f"0{epoch}")))
    bench.stage.advance(LOOK_AFTER_S[0] + ASK_EVERY_S / 2)
    assert len(bench.stage.told("tick_ingestor:1", HoleFound)) == 1
    bench.stage.advance(10 * ASK_EVERY_S)
    assert len(bench.stage.told("tick_ingestor:1", HoleFound)) == 4


def test_the_venues_candle_closes_the_minute_of_a_hole_and_is_handed_on_again() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(0, 5)), received(2, ticks_at(50, 61, epoch="02", first_seq=1)))
    assert [c.quality for _, c in made(bench) if c.timeframe == "1m"] == ["gap"]
    bench.stage.forget()
    rows = [(BASE_S, 1.0, 2.0, 0.5, 1.5)]
    filled = BackfillReceived(
        sender="s", number=3, feed="f1", source="pocketoption", recv_us=START_US, ticks=0, columns=(),
        candles=[BrokerCandles(asset="A", period_s=60, rows=rows)],
    )  # fmt: skip
    bench.stage.step(filled)
    (candle,) = [c for _, c in made(bench) if c.timeframe == "1m"]
    assert (candle.open, candle.high, candle.low, candle.close, candle.quality) == (1.0, 2.0, 0.5, 1.5, "backfilled")


def told(*minutes: int, begin_s: int = BASE_S, period_s: int = 60) -> BackfillReceived:
    """The venue's candles of these minutes."""
    rows = [(begin_s + period_s * minute, 1.0, 2.0, 0.5, 1.5) for minute in minutes]
    return BackfillReceived(
        sender="s", number=3, feed="f1", source="pocketoption", recv_us=START_US, ticks=0, columns=(),
        candles=[BrokerCandles(asset="A", period_s=period_s, rows=rows)],
    )  # fmt: skip


def with_a_hole_of_minutes() -> Bench:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(0, 5)))
    bench.stage.step(received(2, ticks_at(250, 251, 252, 310, 361, epoch="02")))
    return bench


def test_a_hole_stays_listed_and_is_refilled_once_the_venue_has_told_all_its_minutes() -> None:
    bench = with_a_hole_of_minutes()
    bench.stage.step(told(0, 1, 2, 3))
    assert [(spans(holes(bench)), hole.refilled) for hole in holes(bench).holes] == [([(5.0, 250.0)], False)]
    bench.stage.step(told(4))
    assert [(spans(holes(bench)), hole.refilled) for hole in holes(bench).holes] == [([(5.0, 250.0)], True)]
    bench.stage.advance(LOOK_AFTER_S[-1] + 1)
    assert bench.stage.told("tick_ingestor:1", HoleFound) == []


def test_a_minute_in_which_the_venue_tells_no_candle_had_no_tick_and_lacks_nothing() -> None:
    bench = with_a_hole_of_minutes()
    bench.stage.step(told(0, 1, 4))
    assert [hole.refilled for hole in holes(bench).holes] == [True]


def test_candles_of_more_than_a_minute_refill_nothing_for_those_of_a_minute_lack() -> None:
    bench = with_a_hole_of_minutes()
    bench.stage.step(told(0), told(4), told(0, period_s=300))
    assert [hole.refilled for hole in holes(bench).holes] == [False]


def test_a_candle_that_begins_in_no_minute_is_left_out() -> None:
    bench = Bench()
    bench.stage.step(received(1, ticks_at(0, 5, 61)), told(-2, begin_s=BASE_S + 7))
    assert [candle.timestamp for candle in shown(bench, "1m")] == [BASE_S, BASE_S + 60]


def test_a_night_that_the_relay_did_not_run_is_asked_for_by_the_hour_and_every_minute_of_it_is_handed_on() -> None:
    """From the store come as many candles of before as are kept, with the login the last 97 minutes."""
    bench = Bench()
    night = 12 * 60
    bench.stage.step(received(1, ticks_at(5, 65)), told(*range(-97, 0)))
    before = [base(number) for number in range(-4 * night - 200, -4 * night)]
    minutes = [replace(base(4 * number), timeframe="1m") for number in range(-night - 200, -night)]
    bench.stage.step(CandlesRestored(asset="A", timeframe="15s", candles=before))
    bench.stage.step(CandlesRestored(asset="A", timeframe="1m", candles=minutes))
    bench.stage.advance(LOOK_AFTER_S[0] - ASK_EVERY_S)
    asked = 0
    for _ in range(20):
        bench.stage.advance(2 * ASK_EVERY_S)
        wanted = bench.stage.told("tick_ingestor:1", HoleFound)
        for hole in wanted[asked:]:
            first, end = (round((us / 1e6 - BASE_S) // 60) for us in (hole.from_us, hole.until_us))
            bench.stage.step(told(*range(first, end)))
        asked = len(wanted)
    assert asked == 13
    handed_on = {candle.timestamp for _, candle in made(bench) if candle.timeframe == "1m"}
    assert handed_on >= {BASE_S + 60 * minute for minute in range(-night, 0)}
    assert [hole.refilled for hole in holes(bench).holes] == [False]
    bench.stage.step(told(0))
    assert [hole.refilled for hole in holes(bench).holes] == [True]
