"""CacheManager through its mailbox."""

import orjson
from support.redis_doubles import MemoryRedis
from support.stage import Asker, Stage
from support.ticks import columns, received

from tickwire.actors.cache_manager import FLIGHT_S, CacheManager, Candles
from tickwire.messages.candles import Candle, CandleClosed
from tickwire.messages.history import HistoryFailed, HistoryLoaded, HistoryRequested, HistoryServed
from tickwire.messages.lifecycle import ReaderEnded


class Reader:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.closed = False

    def read(self, asset: str, timeframe: str, limit: int) -> None:
        self.asked.append((asset, timeframe, limit))

    def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self, redis: MemoryRedis | None = None) -> None:
        self.redis = redis or MemoryRedis()
        self.stage = Stage("cache_manager")
        self.readers: list[Reader] = []
        self.candles: Candles = {}
        self.start()

    def start(self) -> None:
        self.actor = CacheManager(
            self.stage.context, cache=self.redis.cache, reader=self.reader, clock=self.stage.clock,
            candles=self.candles, size=200,
        )  # fmt: skip
        self.stage.open(self.actor)

    def reader(self, number: int) -> Reader:
        self.readers.append(Reader())
        return self.readers[-1]

    def ask(self, limit: int = 200, asset: str = "A", timeframe: str = "15s") -> Asker:
        asker = Asker()
        self.stage.step(HistoryRequested(asset=asset, timeframe=timeframe, limit=limit, reply_to=asker))
        return asker

    def cached(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = orjson.loads(self.redis.strings["historical:A:15s"])
        return found


def stored(*timestamps: int) -> list[Candle]:
    return [
        Candle(timestamp=at, open=1, high=1, low=1, close=1, volume=0, is_closed=True, timeframe="15s", ticks=1,
               quality="backfilled")
        for at in timestamps
    ]  # fmt: skip


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
    bench.stage.step(HistoryLoaded(asset="A", timeframe="15s", candles=stored(15, 30), source="store"))
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
    assert len(bench.readers) == 2
    bench.stage.step(ReaderEnded(reader="store", reason="late news", incarnation=1))
    assert len(bench.readers) == 2


def test_a_reader_that_ends_is_replaced_and_its_question_fails_at_once() -> None:
    bench = Bench()
    asker = bench.ask()
    bench.stage.step(ReaderEnded(reader="store", reason="killed", incarnation=1))
    assert isinstance(asker.answers[0], HistoryFailed)
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
