"""CacheManager on a stage: Redis in memory, readers that only note what they are asked."""

import orjson
from support.redis_doubles import MemoryRedis
from support.stage import Asker, Stage
from support.ticks import columns, received

from tickwire.actors.cache_manager import CacheManager
from tickwire.actors.history_memory import HistoryMemory
from tickwire.market.candle_book import CandleBook
from tickwire.messages.candles import Candle
from tickwire.messages.history import HistoryLoaded, HistoryRequested, StoreQuestion
from tickwire.messages.lifecycle import ReaderEnded


class Reader:
    def __init__(self, number: int) -> None:
        self.number = number
        self.questions: list[StoreQuestion] = []
        self.closed = False

    @property
    def asked(self) -> list[tuple[str, str | None, int]]:
        return [(question.asset, question.timeframe, question.limit) for question in self.questions]

    def read(self, question: StoreQuestion) -> None:
        self.questions.append(question)

    def close(self) -> None:
        self.closed = True


class Source:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked_candles: list[tuple[str, str, int]] = []
        self.asked_ticks: list[tuple[str, int, int]] = []
        self.closed = False

    def candles(self, asset: str, timeframe: str, limit: int) -> None:
        self.asked_candles.append((asset, timeframe, limit))

    def ticks(self, asset: str, from_us: int, until_us: int) -> None:
        self.asked_ticks.append((asset, from_us, until_us))

    def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self, redis: MemoryRedis | None = None) -> None:
        self.redis = redis or MemoryRedis()
        self.stage = Stage("cache_manager")
        self.readers: list[Reader] = []
        self.source = Source()
        self.candles = CandleBook(200)
        self.history = HistoryMemory()
        self.incarnation = 0
        self.start()

    def start(self) -> None:
        """Start the actor, anew if it ran."""
        self.incarnation += 1
        self.stage.context.incarnation = self.incarnation
        self.actor = CacheManager(
            self.stage.context, cache=self.redis.cache, reader=self.reader, clock=self.stage.clock,
            source=lambda: self.source,
            candles=self.candles,
            history=self.history,
            ingestors={"f1": "tick_ingestor:1"},
        )  # fmt: skip
        self.stage.open(self.actor)

    def reader(self, number: int) -> Reader:
        self.readers.append(Reader(number))
        return self.readers[-1]

    def end_of_reader(self) -> ReaderEnded:
        return ReaderEnded(reader="store", reason="killed", incarnation=self.readers[-1].number)

    def two_buckets(self) -> None:
        """Ten ticks of A, and ten more in a later bucket: the first one closes."""
        self.stage.step(received(1, columns("A", 1, 10)), received(2, columns("A", 20_000, 10)))

    def ask(
        self, limit: int = 200, asset: str = "A", timeframe: str = "15s", *, since: int | None = None,
        until: int | None = None,
    ) -> Asker:  # fmt: skip
        asker = Asker()
        asked = HistoryRequested(
            asset=asset, timeframe=timeframe, limit=limit, reply_to=asker, from_ts=since, until_ts=until
        )  # fmt: skip
        self.stage.step(asked)
        return asker

    def cached(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = orjson.loads(self.redis.strings["historical:A:15s"])
        return found


def candles(*timestamps: int) -> list[Candle]:
    """Closed 15 s candles as the store has them."""
    return [
        Candle(timestamp=at, open=1, high=1, low=1, close=1, volume=0, is_closed=True, timeframe="15s", ticks=1,
               quality="backfilled")
        for at in timestamps
    ]  # fmt: skip


def loaded(
    found: list[Candle], limit: int = 200, asset: str = "A", timeframe: str = "15s", *, older: bool = False
) -> HistoryLoaded:  # fmt: skip
    """The store's answer to a question without bounds."""
    question = StoreQuestion(asset=asset, timeframe=timeframe, limit=limit)
    return HistoryLoaded(question=question, candles=found, older=older)
