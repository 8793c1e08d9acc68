"""Questions about the past: which are answered from memory, what is stale, how pages follow on each other."""

from dataclasses import replace

import pytest
from support.cache_manager import Bench, candles, loaded
from support.redis_doubles import MemoryRedis
from support.stage import START_US, Asker
from support.ticks import columns, received

from tickwire.actors.history_desk import NOBODY_S, REFRESH_S, STALE_S
from tickwire.actors.history_memory import Believed
from tickwire.actors.store_flights import MOST_FLIGHTS, MOST_OF_ASSET
from tickwire.market.candle_pages import better_of
from tickwire.messages.history import (
    CandlesOffered,
    CandlesTaken,
    HistoryCounted,
    HistoryCountsRequested,
    HistoryFailed,
    HistoryLoaded,
    HistoryServed,
    StoredTicksRequested,
    StoredTicksServed,
    StoreQuestion,
    TicksLoaded,
)
from tickwire.messages.lifecycle import FeedChanged
from tickwire.messages.telemetry import HistoryMeasured

MINUTE_MS = 60_000
US = 1_000_000


def served(asker: Asker) -> HistoryServed:
    (answer,) = asker.answers
    assert isinstance(answer, HistoryServed)
    return answer


def stamps(asker: Asker) -> list[int]:
    return [candle.timestamp for candle in served(asker).candles]


def after_a_restart() -> Bench:
    """A new process that finds 30 closed candles (one a minute) in Redis."""
    first = Bench()
    for number in range(31):
        first.stage.step(received(number + 1, columns("A", 1 + number * MINUTE_MS, 3)))
    first.stage.advance(2.0)
    return Bench(first.redis)


# -- stale


def test_what_an_earlier_run_left_is_served_at_once_as_stale_while_one_read_fetches_what_the_store_has() -> None:
    bench = after_a_restart()
    first, second = served(bench.ask(limit=20)), served(bench.ask(limit=10))
    assert (first.stale, second.stale) == (True, True)
    assert bench.readers[0].asked == [("A", "15s", 200)]
    hole = [replace(first.candles[-1], timestamp=first.candles[-2].timestamp + 15)]
    bench.stage.step(loaded([*first.candles[-2:-1], *hole, first.candles[-1]]))
    fresh = served(bench.ask(limit=20))
    assert (fresh.stale, fresh.source) == (False, "memory")
    assert hole[0].timestamp in [candle.timestamp for candle in fresh.candles]
    outcomes = [told.outcome for told in bench.stage.told("metrics_collector", HistoryMeasured)]
    assert outcomes == ["stale", "stale", "memory"]


def test_a_refresh_that_failed_is_tried_again_after_a_while_and_not_at_each_question() -> None:
    bench = after_a_restart()
    bench.ask(limit=20)
    question = bench.readers[0].questions[0]
    bench.stage.step(HistoryLoaded(question=question, candles=(), error="not today"))
    assert served(bench.ask(limit=20)).stale
    assert len(bench.readers[0].asked) == 1
    bench.stage.advance(REFRESH_S + 0.1)
    assert served(bench.ask(limit=20)).stale
    assert len(bench.readers[0].asked) == 2


def test_the_stores_word_holds_while_the_feed_lives_and_for_a_while_after() -> None:
    bench = Bench()
    bench.stage.step(received(1, columns("A", 1, 10)), FeedChanged(feed="f1", state="live"))
    bench.ask(limit=5)
    bench.stage.step(loaded(candles(15, 30)))
    bench.stage.advance(STALE_S * 10)
    assert not served(bench.ask(limit=2)).stale
    bench.stage.step(FeedChanged(feed="f1", state="ended"))
    assert served(bench.ask(limit=2)).stale
    assert len(bench.readers[0].asked) == 2
    bench.stage.step(loaded(candles(15, 30)))
    bench.stage.advance(STALE_S - 1)
    assert not served(bench.ask(limit=2)).stale


def test_what_an_import_adds_before_a_live_assets_first_candle_is_found_after_a_while() -> None:
    bench = Bench()
    bench.stage.step(received(1, columns("A", 1, 10)), FeedChanged(feed="f1", state="live"))
    bench.ask(limit=5)
    bench.stage.step(loaded([]))
    assert not served(bench.ask(limit=5)).stale
    bench.stage.advance(STALE_S + 1)
    assert not served(bench.ask(limit=1)).stale
    ranged = bench.ask(limit=5, until=100)
    assert ranged.answers == []
    bench.stage.step(HistoryLoaded(question=bench.readers[0].questions[-1], candles=candles(15, 30)))
    assert (stamps(ranged), served(ranged).stale) == ([15, 30], False)
    assert served(bench.ask(limit=5)).stale
    bench.stage.step(loaded(candles(15, 30)))
    fresh = bench.ask(limit=5)
    assert (stamps(fresh)[:2], served(fresh).stale) == ([15, 30], False)
    assert stamps(bench.ask(limit=5, until=100)) == [15, 30]


def test_what_the_store_said_to_go_on_before_is_not_read_again_for_who_wants_no_more() -> None:
    bench = Bench()
    bench.stage.step(received(1, columns("A", 1, 10)), FeedChanged(feed="f1", state="live"))
    bench.ask(limit=5)
    bench.stage.step(loaded(candles(15, 30), older=True))
    bench.stage.advance(STALE_S + 1)
    again = served(bench.ask(limit=5))
    assert (again.stale, again.older, len(bench.readers[0].asked)) == (False, True, 1)


def test_nobodys_refresh_takes_the_room_of_those_who_wait() -> None:
    bench = after_a_restart()
    for number in range(MOST_FLIGHTS // 2):
        bench.ask(asset=f"B{number}")
    assert served(bench.ask(limit=20)).stale
    assert ("A", "15s", 200) not in bench.readers[0].asked


def test_of_too_many_beliefs_the_oldest_is_forgotten() -> None:
    believed = Believed(2)
    for key in ("a", "b", "a", "c"):
        believed.put(key, 10.0)
    assert [key for key in ("a", "b", "c") if believed.holds(key, 9.0)] == ["a", "c"]
    assert not believed.holds("a", 10.0)


def test_of_what_is_held_before_a_page_that_has_more_before_it_nothing_is_shown() -> None:
    """There may be a hole between the two."""
    stored, held = candles(60, 75), candles(15, 75, 90)
    shown = better_of(stored, held, older=True)
    assert [candle.timestamp for candle in shown] == [60, 75, 90]
    assert [candle.timestamp for candle in better_of(stored, held, older=False)] == [15, 60, 75, 90]


def test_who_asks_for_more_than_was_read_before_is_not_fobbed_off_with_less() -> None:
    bench = Bench()
    bench.ask(limit=5)
    bench.stage.step(loaded(candles(*range(15, 15 * 201, 15)), older=True))
    assert len(served(bench.ask(limit=200)).candles) == 200
    asker = bench.ask(limit=400)
    assert asker.answers == []
    bench.stage.step(loaded(candles(*range(15, 15 * 301, 15)), 400))
    assert len(served(asker).candles) == 300


def test_who_asks_again_for_more_than_memory_keeps_gets_as_many_as_before() -> None:
    bench = Bench()
    every = candles(*range(15, 15 * 1001, 15))
    for _ in range(2):
        asker = bench.ask(limit=5000)
        bench.stage.step(loaded(every, 5000))
        assert (len(served(asker).candles), served(asker).older) == (1000, False)
    assert served(bench.ask(limit=200)).source == "memory"


# -- ranges and pages


def test_a_range_that_memory_holds_whole_is_answered_from_it() -> None:
    bench = Bench()
    bench.ask()
    bench.stage.step(loaded(candles(*range(15, 166, 15)), older=False))
    assert stamps(bench.ask(since=30, until=75)) == [30, 45, 60]
    last = bench.ask(limit=2, until=75)
    assert stamps(last) == [45, 60]
    assert served(last).older
    first = bench.ask(limit=5, until=30)
    assert stamps(first) == [15]
    assert not served(first).older
    assert len(bench.readers[0].asked) == 1


def test_an_older_range_is_read_from_the_store_and_leaves_no_hole_in_memory() -> None:
    bench = Bench()
    bench.ask()
    bench.stage.step(loaded(candles(*range(15_000, 15_000 + 15 * 200, 15)), older=True))
    asker = bench.ask(limit=3, until=1_500)
    question = bench.readers[0].questions[-1]
    assert question == StoreQuestion(asset="A", timeframe="15s", limit=3, until_us=1_500 * US)
    bench.stage.step(HistoryLoaded(question=question, candles=candles(1455, 1470, 1485), older=True))
    assert (stamps(asker), served(asker).older, served(asker).source) == ([1455, 1470, 1485], True, "store")
    newest = bench.ask(limit=200)
    assert (stamps(newest)[0], served(newest).older) == (15_000, True)
    assert bench.ask(limit=203).answers == []


def test_pages_from_memory_and_store_follow_on_each_other_without_hole_or_repeat() -> None:
    every = list(range(15, 15 * 501, 15))
    bench = Bench()
    asker = bench.ask(limit=90)
    bench.stage.step(loaded(candles(*every[-200:]), older=True))
    got: list[int] = []
    for _ in range(100):
        answer = served(asker)
        got = [candle.timestamp for candle in answer.candles] + got
        if not answer.older:
            break
        asker = bench.ask(limit=90, until=got[0])
        if not asker.answers:
            before = [at for at in every if at < got[0]]
            question = bench.readers[0].questions[-1]
            bench.stage.step(
                HistoryLoaded(question=question, candles=candles(*before[-90:]), older=len(before) > 90)
            )  # fmt: skip
    assert got == every


def test_after_a_restart_a_range_waits_for_the_store_rather_than_show_a_hole() -> None:
    bench = after_a_restart()
    newest = served(bench.ask(limit=20)).candles[-1].timestamp
    asker = bench.ask(limit=5, until=newest)
    assert asker.answers == []
    question = bench.readers[0].questions[-1]
    assert (question.limit, question.until_us) == (5, newest * US)


def test_an_empty_range_is_remembered_for_a_while() -> None:
    bench = Bench()
    asker = bench.ask(until=1_500)
    question = bench.readers[0].questions[-1]
    bench.stage.step(HistoryLoaded(question=question, candles=(), older=False))
    assert stamps(asker) == []
    assert stamps(bench.ask(until=1_500)) == []
    assert len(bench.readers[0].asked) == 1
    bench.stage.advance(NOBODY_S + 0.1)
    assert bench.ask(until=1_500).answers == []


def test_the_forming_candle_is_the_one_in_memory_and_of_two_closed_ones_the_better_known_stays() -> None:
    bench = Bench()
    bench.two_buckets()
    forming = served(bench.ask(limit=1)).candles[-1]
    begun = START_US // US
    asker = bench.ask(limit=100, until=forming.timestamp + 15, since=0)
    question = bench.readers[0].questions[-1]
    worse = replace(forming, ticks=1, is_closed=True, quality="backfilled")
    better = replace(forming, timestamp=forming.timestamp - 15, ticks=99, is_closed=True, quality="live")
    bench.stage.step(HistoryLoaded(question=question, candles=[better, worse]))
    shown = {candle.timestamp: candle for candle in served(asker).candles}
    assert shown[forming.timestamp] == forming
    assert shown[better.timestamp].ticks == 99
    assert min(shown) >= begun - 60


def test_the_last_candle_of_an_asset_without_a_feed_is_closed_when_its_time_is_past() -> None:
    bench = Bench()
    begun = START_US // US // 15 * 15
    bench.ask(limit=1)
    (forming,) = [replace(each, is_closed=False) for each in candles(begun)]
    bench.stage.step(loaded([forming]))
    assert [candle.is_closed for candle in served(bench.ask(limit=1)).candles] == [False]
    bench.stage.advance(16)
    assert [candle.is_closed for candle in served(bench.ask(limit=1)).candles] == [True]


# -- fairness, ticks, counts


def test_one_assets_many_questions_leave_room_for_the_others() -> None:
    bench = Bench()
    askers = [bench.ask(until=15 * (number + 1)) for number in range(MOST_OF_ASSET + 1)]
    (refused,) = askers[-1].answers
    assert isinstance(refused, HistoryFailed)
    assert "too many questions" in refused.reason
    assert bench.ask(asset="B").answers == []


def ask_ticks(bench: Bench, limit: int = 10) -> Asker:
    asker = Asker()
    bench.stage.step(StoredTicksRequested(asset="A", limit=limit, reply_to=asker, from_us=5, until_us=50))
    return asker


def test_ticks_of_the_past_come_from_the_store_and_one_read_answers_all_who_ask_the_same() -> None:
    bench = Bench()
    askers = [ask_ticks(bench), ask_ticks(bench)]
    (question,) = bench.readers[0].questions
    assert question == StoreQuestion(asset="A", timeframe=None, limit=10, from_us=5, until_us=50)
    bench.stage.step(TicksLoaded(question=question, rows=[(7, "1.5")], older=True))
    for asker in askers:
        assert asker.answers == [StoredTicksServed(asset="A", ticks=[(7, "1.5")], older=True)]


@pytest.mark.parametrize("other", [3, 30])
def test_another_limit_of_ticks_is_another_read(other: int) -> None:
    bench = Bench()
    ask_ticks(bench)
    asker = ask_ticks(bench, other)
    bench.stage.step(TicksLoaded(question=bench.readers[0].questions[0], rows=[(7, "1.5")], older=False))
    assert asker.answers == []
    assert bench.readers[0].questions[1].limit == other


def test_ticks_that_can_not_be_read_are_said_to_be_so() -> None:
    bench = Bench()
    asker = ask_ticks(bench)
    bench.stage.step(TicksLoaded(question=bench.readers[0].questions[0], rows=(), error="not today"))
    (answer,) = asker.answers
    assert isinstance(answer, HistoryFailed)
    assert answer.reason == "not today"


def test_hits_misses_stale_answers_and_waits_are_counted_over_restarts_of_the_actor() -> None:
    bench = after_a_restart()
    bench.ask(limit=20)
    bench.stage.step(loaded([]))
    bench.ask(limit=20)
    bench.ask(asset="B"), bench.ask(asset="B"), bench.ask(asset="B")
    bench.stage.step(loaded(candles(15), asset="B"))
    bench.ask(asset="C")
    bench.start()
    asker = Asker()
    bench.stage.step(HistoryCountsRequested(reply_to=asker))
    assert asker.answers == [HistoryCounted(hits=1, misses=3, stale=1, waits=2, failed=0)]


# -- what clients offer


def offer(bench: Bench, *timestamps: int) -> int:
    asker = Asker()
    offered = CandlesOffered(asset="A", timeframe="15s", candles=candles(*timestamps), reply_to=asker)
    bench.stage.step(offered)
    (answer,) = asker.answers
    assert isinstance(answer, CandlesTaken)
    return answer.count


def test_offered_candles_are_served_until_there_are_own_ones_and_never_mixed_with_them() -> None:
    redis = MemoryRedis()
    bench = Bench(redis)
    assert offer(bench, 15, 30, 45) == 3
    asker, ranged = bench.ask(), bench.ask(until=40)
    for question in bench.readers[0].questions:
        bench.stage.step(HistoryLoaded(question=question, candles=()))
    assert (stamps(asker), served(asker).source) == ([15, 30, 45], "client")
    assert (stamps(ranged), served(ranged).source) == ([15, 30], "client")
    bench.two_buckets()
    bench.stage.advance(1.0)
    own = served(bench.ask(limit=2))
    assert own.source == "memory"
    assert own.candles[0].timestamp > 45
    assert offer(bench, 15) == 0
    assert all(item["timestamp"] not in (15, 30, 45) for item in bench.cached())
