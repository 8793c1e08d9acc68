"""CacheManager where things go wrong or are many: Redis, questions, feeds, restarts, late ticks, its timer."""

from dataclasses import replace
from itertools import pairwise

import orjson
import pytest
from structlog.testing import capture_logs
from support.cache_manager import Bench, candles, loaded
from support.redis_doubles import MemoryRedis
from support.stage import Asker
from support.ticks import backfill, columns, received

from tickwire.actors.candle_keys import RECALL_KEYS, RETRY_S, WRITE_EVERY_S, WRITE_KEYS
from tickwire.actors.history_desk import NOBODY_S
from tickwire.actors.one_timer import GoOn
from tickwire.actors.store_flights import MOST_FLIGHTS, MOST_WAITERS
from tickwire.messages.candles import CandleClosed
from tickwire.messages.history import HistoryFailed, HistoryServed
from tickwire.messages.lifecycle import FeedChanged, FeedState, LinkChanged, TicksDoubted
from tickwire.messages.telemetry import HistoryMeasured, TicksLeftOut

MINUTE_MS = 60_000


def served(asker: Asker) -> HistoryServed:
    (answer,) = asker.answers
    assert isinstance(answer, HistoryServed)
    return answer


def reason(asker: Asker) -> str:
    (answer,) = asker.answers
    assert isinstance(answer, HistoryFailed)
    return answer.reason


def feed_is(state: FeedState) -> FeedChanged:
    return FeedChanged(feed="f1", state=state)


# -- Redis


def test_a_redis_that_refuses_is_asked_again_in_a_second_and_the_fault_is_said_once() -> None:
    bench = Bench()
    bench.redis.refuse("out of memory")
    with capture_logs() as logs:
        bench.two_buckets()
        before = bench.redis.round_trips
        bench.stage.advance(3 * RETRY_S + 0.1)
    assert bench.redis.round_trips == before + 3
    assert [log["event"] for log in logs] == ["cache_not_written"]
    assert "out of memory" in logs[0]["reason"]
    bench.redis.refuse(None)
    bench.stage.advance(RETRY_S)
    assert len(bench.cached()) == 2


def test_no_turn_writes_more_than_a_few_keys_and_all_are_written_soon() -> None:
    bench = Bench()
    assets = [f"A{number}" for number in range(100)]
    bench.stage.step(received(1, *(columns(asset, 1, 1) for asset in assets)))
    bench.stage.step(received(2, *(columns(asset, 20_000, 1) for asset in assets)))
    sizes = [len(bench.redis.strings)]
    for _ in range(500):
        bench.stage.advance(WRITE_EVERY_S)
        sizes.append(len(bench.redis.strings))
    assert sizes[0] <= RECALL_KEYS
    assert max(later - earlier for earlier, later in pairwise(sizes)) <= WRITE_KEYS
    assert {f"historical:{asset}:15s" for asset in assets} <= bench.redis.strings.keys()


def test_keys_that_are_known_are_written_several_in_two_round_trips_at_most() -> None:
    bench = Bench()
    bench.stage.step(received(1, *(columns(f"A{number}", 1, 1) for number in range(WRITE_KEYS))))
    bench.stage.step(received(2, *(columns(f"A{number}", 20_000, 1) for number in range(WRITE_KEYS))))
    bench.stage.advance(1.0)
    before = bench.redis.round_trips
    bench.stage.step(received(3, *(columns(f"A{number}", 40_000, 1) for number in range(WRITE_KEYS))))
    assert bench.redis.round_trips == before + 1
    assert {len(orjson.loads(bench.redis.strings[f"historical:A{number}:15s"])) for number in range(WRITE_KEYS)} == {2}


def test_a_link_that_changes_is_told_to_metrics_and_gateway() -> None:
    bench = Bench()
    change = LinkChanged(owner="cache_manager", link="redis", state="degraded", detail="down")
    bench.stage.step(change)
    assert bench.stage.told("metrics_collector", LinkChanged) == [change]
    assert bench.stage.told("gateway", LinkChanged) == [change]


def test_what_is_no_array_of_candles_in_redis_is_said_and_overwritten() -> None:
    bench = Bench()
    bench.redis.strings["historical:A:15s"] = b"{}"
    with capture_logs() as logs:
        bench.two_buckets()
        bench.stage.advance(0.5)
    assert [(log["event"], log["timeframe"]) for log in logs] == [("bad_cached_candles", "15s")]
    assert len(bench.cached()) == 1


# -- questions


def test_more_flights_than_a_reader_is_given_are_refused_at_once() -> None:
    bench = Bench()
    askers = [bench.ask(asset=f"A{number}") for number in range(MOST_FLIGHTS)]
    assert all(asker.answers == [] for asker in askers)
    assert "too many questions" in reason(bench.ask(asset="ONE_MORE"))
    bench.stage.step(loaded(candles(15), asset="A0"))
    assert bench.ask(asset="ONE_MORE").answers == []


def test_more_waiters_than_a_flight_carries_are_refused_at_once() -> None:
    bench = Bench()
    askers = [bench.ask(limit=1 + 300 * (number % 2)) for number in range(MOST_WAITERS)]
    assert "too many questions" in reason(bench.ask())
    bench.stage.step(loaded(candles(15)))
    assert all(len(asker.answers) == 1 for asker in askers)
    measured = bench.stage.told("metrics_collector", HistoryMeasured)[1]
    assert (measured.outcome, measured.waiters) == ("store", MOST_WAITERS // 2)


def test_an_answer_to_a_smaller_question_of_before_a_crash_does_not_pass_for_all_there_is() -> None:
    bench = Bench()
    bench.ask(limit=200)
    late = loaded(candles(15))
    bench.start()
    asker = bench.ask(limit=300)
    bench.stage.step(late)
    assert asker.answers == []
    whole = candles(*range(15, 15 * 301, 15))
    bench.stage.step(loaded(whole, 300))
    assert len(served(asker).candles) == 300


def test_an_asset_that_nobody_knows_is_not_read_from_the_store_each_time() -> None:
    bench = Bench()
    first = bench.ask(asset="NOBODY")
    bench.stage.step(loaded([], asset="NOBODY"))
    assert served(first).candles == []
    for _ in range(50):
        assert served(bench.ask(asset="NOBODY")).candles == []
    assert len(bench.readers[0].asked) == 1
    assert bench.ask(asset="NOBODY", timeframe="1m").answers == []
    bench.stage.advance(NOBODY_S + 0.1)
    assert bench.ask(asset="NOBODY").answers == []
    assert len(bench.readers[0].asked) == 3


def test_an_asset_that_was_unknown_is_served_once_its_ticks_come() -> None:
    bench = Bench()
    bench.ask()
    bench.stage.step(loaded([]))
    bench.two_buckets()
    assert [candle.ticks for candle in served(bench.ask(limit=2)).candles] == [10, 10]


def test_who_waits_when_the_actor_ends_is_told() -> None:
    bench = Bench()
    asker = bench.ask()
    bench.actor.close()
    bench.actor.close()
    assert "ask again" in reason(asker)
    assert bench.readers[0].closed


# -- feeds and history


def test_the_brokers_history_is_in_the_candles_and_in_the_cache() -> None:
    bench = Bench()
    bench.stage.step(backfill(1, "A", 1, 40_000), received(2, columns("A", 40_001, 10)))
    bench.stage.advance(1.0)
    assert [item["quality"] for item in bench.cached()] == ["partial", "backfilled", "backfilled"]
    last = served(bench.ask(limit=1)).candles[0]
    assert (last.is_closed, last.ticks) == (False, 4011)


@pytest.mark.parametrize(("state", "quality"), [("live", "live"), ("stale", "partial"), ("down", "partial")])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_silence_is_the_markets_only_where_the_feed_is_well(state: FeedState, quality: str, restarts: bool) -> None:
    """Over a restart, too: the feed will not say again how it is."""
    bench = Bench()
    bench.two_buckets()
    bench.stage.step(received(3, columns("A", 20_010, 10)), feed_is(state))
    if restarts:
        bench.start()
    bench.stage.forget()
    bench.stage.advance(40.0)
    (closed, *_) = bench.stage.told("gateway", CandleClosed)
    assert (closed.candle.timeframe, closed.candle.ticks) == ("15s", 20)
    assert closed.candle.quality == quality


@pytest.mark.parametrize(
    ("doubt", "quality"),
    [
        (TicksDoubted(assets=["A"]), "partial"),
        (TicksDoubted(assets=["B"]), "live"),
        (feed_is("down"), "partial"),
        (feed_is("connecting"), "partial"),
        (feed_is("stale"), "live"),
    ],
)
def test_a_silence_after_a_doubt_is_not_the_markets_though_the_feed_is_well_again(
    doubt: TicksDoubted | FeedChanged, quality: str
) -> None:
    bench = Bench()
    bench.two_buckets()
    bench.stage.step(received(3, columns("A", 20_010, 10)), feed_is("live"), doubt, feed_is("live"))
    bench.stage.forget()
    bench.stage.advance(40.0)
    assert bench.stage.told("gateway", CandleClosed)[0].candle.quality == quality


# -- restarts


def test_a_bucket_goes_on_over_a_restart_of_the_actor_and_its_close_is_told_once() -> None:
    bench = Bench()
    bench.stage.step(received(1, columns("A", 1, 10)))
    bench.start()
    bench.stage.step(received(2, columns("A", 11, 10)))
    bench.stage.step(received(3, columns("A", 20_000, 1)))
    closed = [each.candle for each in bench.stage.told("publisher", CandleClosed)]
    assert [(candle.timeframe, candle.ticks) for candle in closed] == [("15s", 20), ("1m", 20)]
    bench.stage.advance(0.5)
    assert [item["ticks"] for item in bench.cached()] == [20]


def test_keys_that_were_not_written_before_the_actor_died_are_written_after() -> None:
    bench = Bench()
    bench.redis.refuse("read-only")
    bench.two_buckets()
    bench.redis.refuse(None)
    bench.start()
    bench.stage.advance(1.0)
    assert len(bench.cached()) == 1


def test_a_new_process_answers_from_redis_what_is_there_and_from_the_store_what_is_not() -> None:
    first = Bench()
    for number in range(30):
        first.stage.step(received(number + 1, columns("A", 1 + number * MINUTE_MS, 3)))
    first.stage.advance(2.0)
    second = Bench(first.redis)
    answer = served(second.ask(limit=20))
    assert (answer.source, len(answer.candles), answer.stale) == ("redis", 20, True)
    assert second.readers[0].asked == [("A", "15s", 200)]
    asker = second.ask(limit=150)
    older = candles(*(answer.candles[0].timestamp - 15 * place for place in range(200, 20, -1)))
    second.stage.step(loaded(older))
    whole = served(asker)
    assert (whole.source, len(whole.candles)) == ("store", 150)
    assert list(whole.candles[-20:]) == list(answer.candles)
    stamps = [candle.timestamp for candle in whole.candles]
    assert stamps == sorted(set(stamps))


def test_a_new_process_whose_redis_is_empty_or_away_asks_the_store() -> None:
    for redis in (MemoryRedis(), MemoryRedis()):
        bench = Bench(redis)
        asker = bench.ask()
        bench.stage.step(loaded(candles(15, 30)))
        assert served(asker).source == "store"
        redis.go_down()


# -- ticks that no candle shows


def test_ticks_left_out_are_counted_for_metrics_each_second_and_logged_once_a_minute() -> None:
    bench = Bench()
    with capture_logs() as logs:
        bench.stage.step(received(1, columns("A", MINUTE_MS, 1)))
        for number in range(100):
            bench.stage.step(received(number + 2, columns("A", 1 + number, 1, epoch=f"e{number}")))
            bench.stage.advance(0.1)
        bench.stage.advance(2.0)
        assert [log["event"] for log in logs] == ["ticks_in_no_candle"]
        bench.stage.advance(60.0)
        bench.stage.step(received(200, columns("A", 900, 1, epoch="f")))
    told = bench.stage.told("metrics_collector", TicksLeftOut)
    assert sum(each.late for each in told) == 100 + 1
    assert len(told) <= 13
    assert [log["event"] for log in logs] == ["ticks_in_no_candle"] * 2
    assert sum(log["late"] for log in logs) == 101


def test_a_stamp_far_ahead_makes_no_later_tick_late() -> None:
    bench = Bench()
    bench.stage.step(received(1, columns("A", 1, 10)))
    bench.stage.step(received(2, columns("A", 12 * 60 * MINUTE_MS, 1, epoch="wrong")))
    bench.stage.step(received(3, columns("A", 20_000, 10, epoch="right")), received(4, columns("A", 40_000, 10)))
    assert [candle.ticks for candle in served(bench.ask(limit=3)).candles] == [10, 10, 10]
    bench.stage.advance(2.0)
    (told,) = bench.stage.told("metrics_collector", TicksLeftOut)
    assert (told.late, told.ahead) == (0, 1)


# -- its timer


def armed(bench: Bench) -> int:
    return sum(not timer.cancelled for timer in bench.stage.context.timers)


def test_a_timer_message_that_comes_again_after_a_crash_starts_no_second_chain() -> None:
    """The kernel hands the batch of a crash to the next incarnation, whose timers count from the same number."""
    bench = Bench()
    bench.redis.refuse("read-only")
    bench.two_buckets()
    bench.ask()
    for _ in range(3):
        (timer,) = [each for each in bench.stage.context.timers if not each.cancelled]
        assert isinstance(timer.message, GoOn)
        bench.stage.context.timers.clear()  # the dead incarnation's never fire
        bench.start()
        assert armed(bench) == 1
        for turn in range(5):
            bench.stage.step(timer.message, replace(timer.message, turn=turn))
            assert armed(bench) == 1
    steps = bench.redis.round_trips
    bench.stage.advance(10 * RETRY_S)
    assert bench.redis.round_trips - steps <= 11
    assert armed(bench) <= 1


def test_a_feed_in_full_flow_does_not_set_the_timer_each_turn() -> None:
    bench = Bench()
    bench.two_buckets()
    bench.stage.advance(0.5)
    before = len(bench.stage.context.timers)
    for number in range(200):
        bench.stage.step(received(number + 3, columns("A", 20_010 + number, 1)))
    assert len(bench.stage.context.timers) <= before + 1


def test_nothing_open_arms_nothing() -> None:
    bench = Bench()
    assert armed(bench) == 0
    bench.two_buckets()
    bench.stage.advance(200_000.0)
    assert armed(bench) == 0
