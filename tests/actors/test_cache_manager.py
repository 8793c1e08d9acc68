"""CacheManager through its mailbox."""

from support.cache_manager import Bench, candles, loaded
from support.ticks import columns, received

from tickwire.actors.store_flights import FLIGHT_S
from tickwire.messages.candles import CandleClosed
from tickwire.messages.history import HistoryFailed, HistoryServed
from tickwire.messages.lifecycle import ReaderEnded


def test_a_closed_candle_is_told_and_cached_and_the_forming_one_is_served_last() -> None:
    bench = Bench()
    bench.stage.step(received(1, columns("A", 1, 10)), received(2, columns("A", 20_000, 10)))
    closed = bench.stage.told("publisher", CandleClosed)
    assert closed == bench.stage.told("gateway", CandleClosed)
    assert [(each.candle.timeframe, each.candle.ticks) for each in closed][:1] == [("15s", 10)]
    bench.stage.advance(0.2)
    assert [item["is_closed"] for item in bench.cached()] == [True]
    (answer,) = bench.ask(limit=2).answers
    assert isinstance(answer, HistoryServed)
    assert ([c.is_closed for c in answer.candles], answer.source) == ([True, False], "memory")


def test_many_who_ask_for_the_same_share_one_read_and_the_next_is_answered_from_memory() -> None:
    bench = Bench()
    askers = [bench.ask(), bench.ask(), bench.ask(limit=3)]
    assert bench.readers[0].asked == [("A", "15s", 200)]
    bench.stage.step(loaded(candles(15, 30)))
    for asker in askers:
        (answer,) = asker.answers
        assert isinstance(answer, HistoryServed)
        assert [candle.timestamp for candle in answer.candles] == [15, 30]
    (again,) = bench.ask().answers
    assert isinstance(again, HistoryServed)
    assert again.source == "memory"


def test_what_an_earlier_run_cached_comes_back_and_is_not_overwritten() -> None:
    first = Bench()
    first.stage.step(received(1, columns("A", 1, 10)), received(2, columns("A", 20_000, 10)))
    first.stage.advance(0.2)
    (before,) = first.cached()
    second = Bench(first.redis)
    second.stage.step(received(1, columns("A", 40_000, 10)), received(2, columns("A", 60_000, 10)))
    second.stage.advance(0.2)
    assert second.cached()[0] == before
    assert len(second.cached()) == 2


def test_redis_down_loses_no_candle_and_the_key_is_written_when_it_is_up() -> None:
    bench = Bench()
    bench.redis.go_down()
    bench.stage.step(received(1, columns("A", 1, 10)), received(2, columns("A", 20_000, 10)))
    assert bench.redis.strings == {}
    bench.redis.come_up()
    bench.stage.advance(20.0)
    assert len(bench.cached()) >= 1


def test_a_reader_that_does_not_answer_is_replaced_and_the_asker_told() -> None:
    bench = Bench()
    asker = bench.ask()
    bench.stage.advance(FLIGHT_S + 0.1)
    assert isinstance(asker.answers[0], HistoryFailed)
    assert bench.readers[0].closed
    bench.stage.step(ReaderEnded(reader="store", reason="late news", incarnation=bench.readers[0].number))
    assert bench.ask().answers == []
    assert len(bench.readers) == 2


def test_a_reader_that_ends_fails_its_question_at_once_and_the_next_is_made_after_a_pause_that_grows() -> None:
    bench = Bench()
    for pause in (0.5, 1.0, 2.0, 4.0):
        asker = bench.ask()
        bench.stage.step(bench.end_of_reader())
        bench.stage.step(bench.end_of_reader())
        assert isinstance(asker.answers[0], HistoryFailed)
        made = len(bench.readers)
        (refused,) = bench.ask().answers
        assert isinstance(refused, HistoryFailed)
        bench.stage.advance(pause - 0.01)
        (refused,) = bench.ask().answers
        assert isinstance(refused, HistoryFailed)
        assert f"{0.01:.1f} s" in refused.reason
        assert len(bench.readers) == made
        bench.stage.advance(0.02)
    bench.ask()
    bench.stage.step(loaded([]))
    bench.stage.step(bench.end_of_reader())
    bench.stage.advance(0.51)
    assert bench.ask(asset="B").answers == []
    assert len(bench.readers) == 6


def test_an_end_told_to_an_earlier_incarnation_leaves_the_present_reader_alone() -> None:
    bench = Bench()
    bench.ask()
    old = bench.end_of_reader()
    bench.start()
    asker = bench.ask()
    bench.stage.step(old)
    assert asker.answers == []
    assert len(bench.readers) == 2


def test_ticks_that_come_again_after_a_crash_count_once() -> None:
    bench = Bench()
    message = received(1, columns("A", 1, 10))
    bench.stage.step(message)
    bench.start()
    bench.stage.step(message)
    (answer,) = bench.ask(limit=1).answers
    assert isinstance(answer, HistoryServed)
    assert answer.candles[-1].ticks == 10
