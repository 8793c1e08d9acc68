"""The candle reader on a real SQLite store, and `historical:*` on a real Redis."""

import queue
import threading
import uuid
from pathlib import Path
from random import Random

import pytest
import redis
from support.pocketoption_oracle import candles_of
from support.redis_server import RedisServer, address, eventually
from support.stage import Stage, StageClock
from support.ticks import columns, received

from tickwire.actors.cache_manager import CacheManager
from tickwire.actors.history_memory import HistoryMemory
from tickwire.actors.ports import Store, StoreUnavailable
from tickwire.market.candle_book import CandleBook
from tickwire.market.candle_codec import decode_candles
from tickwire.market.keys import Keys
from tickwire.market.rows import Row
from tickwire.messages.history import HistoryLoaded, StoreQuestion, TicksLoaded
from tickwire.messages.lifecycle import ReaderEnded
from tickwire.runtime.redisio.cache import RedisCache
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.stores.reader import StoreReader
from tickwire.runtime.stores.restorer import StoreRestorer
from tickwire.runtime.stores.sqlite import SqliteStore

PATIENCE_S = 15.0
START_US = 1_756_866_774_000_000


def question(asset: str, limit: int) -> StoreQuestion:
    return StoreQuestion(asset=asset, timeframe="1m", limit=limit)


def test_candles_come_out_of_more_ticks_than_one_slice_holds(tmp_path: Path) -> None:
    ticks = [(START_US + i * 480_000, (1000 + i * 7919 % 1000) / 1000) for i in range(5000)]
    writer = SqliteStore(tmp_path / "ticks.db")
    writer.open()
    writer.write(
        [
            Row(uid=str(uuid.UUID(int=i)), pair="A", price=repr(price), ts_us=us, recv_us=us, source="pocketoption")
            for i, (us, price) in enumerate(ticks)
        ]
    )
    writer.close()
    told: queue.Queue[object] = queue.Queue()
    reader = StoreReader(lambda: SqliteStore(tmp_path / "ticks.db"), told.put, StageClock(), 1)
    reader.read(question("A", 1000))
    answer = told.get(timeout=PATIENCE_S)
    reader.read(question("B", 1000))
    nothing = told.get(timeout=PATIENCE_S)
    reader.close()
    assert isinstance(answer, HistoryLoaded)
    assert {c.timestamp: (c.open, c.high, c.low, c.close) for c in answer.candles} == candles_of(ticks, 60)
    assert sum(candle.ticks for candle in answer.candles) == 5000
    assert isinstance(nothing, HistoryLoaded)
    assert (list(nothing.candles), nothing.error) == ([], None)


def test_a_store_that_is_down_is_said_and_a_thread_that_ends_is_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    died: queue.Queue[threading.ExceptHookArgs] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", died.put)
    told: queue.Queue[object] = queue.Queue()

    class Down:
        def open(self) -> None:
            raise StoreUnavailable("not today")

        def close(self) -> None:
            pass

    def down() -> Store:
        return Down()  # type: ignore[return-value]

    def missing() -> Store:
        raise RuntimeError

    reader = StoreReader(down, told.put, StageClock(), 1)
    reader.read(question("A", 10))
    answer = told.get(timeout=PATIENCE_S)
    reader.close()
    assert isinstance(answer, HistoryLoaded)
    assert answer.error == "not today"
    StoreReader(missing, told.put, StageClock(), 7).read(question("A", 10))
    ended = told.get(timeout=PATIENCE_S)
    assert isinstance(ended, ReaderEnded)
    assert ended.incarnation == 7
    assert died.get(timeout=PATIENCE_S).exc_type is RuntimeError


def test_a_store_that_can_not_even_be_made_is_said_and_made_at_the_next_question(tmp_path: Path) -> None:
    told: queue.Queue[object] = queue.Queue()
    made: list[int] = []

    def make() -> Store:
        made.append(1)
        if len(made) < 3:
            raise StoreUnavailable("no descriptors left")
        return SqliteStore(tmp_path / "ticks.db")

    reader = StoreReader(make, told.put, StageClock(), 1)
    errors = []
    for _ in range(4):
        reader.read(question("A", 10))
        answer = told.get(timeout=PATIENCE_S)
        assert isinstance(answer, HistoryLoaded)
        errors.append(answer.error)
    reader.close()
    assert errors == ["no descriptors left", "no descriptors left", None, None]
    assert len(made) == 3


def test_closed_candles_stand_in_a_real_redis_and_expire(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        link = RedisLink(address(server.url), "cache_manager", timeout_s=10.0)
        client = redis.Redis.from_url(server.url)
        stage = Stage("cache_manager")
        told: queue.Queue[object] = queue.Queue()
        store = tmp_path / "ticks.db"
        actor = CacheManager(
            stage.context, cache=lambda: RedisCache(link, Keys()), clock=stage.clock, candles=CandleBook(200),
            history=HistoryMemory(), ingestors={"f1": "tick_ingestor:1"},
            reader=lambda number: StoreReader(lambda: SqliteStore(store), told.put, stage.clock, number),
            source=lambda: StoreRestorer(lambda: SqliteStore(store), told.put),
        )  # fmt: skip
        stage.open(actor)
        eventually(lambda: link.up, "the link is up")
        stage.step(received(1, columns("A", 1, 10)), received(2, columns("A", 20_000, 10)))
        payload = client.get("historical:A:15s")
        assert isinstance(payload, bytes)
        (candle,) = decode_candles(payload, "15s")
        assert (candle.ticks, candle.is_closed) == (10, True)
        assert 3200 < int(str(client.ttl("historical:A:15s"))) <= 3600
        actor.close()
        client.close()


def test_keys_that_are_written_together_expire_apart(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        link = RedisLink(address(server.url), "cache_manager", timeout_s=10.0)
        link.start()
        eventually(lambda: link.up, "the link is up")
        RedisCache(link, Keys(), random=Random(1)).put([(f"A{number}", "1m", b"[]") for number in range(50)])
        client = redis.Redis.from_url(server.url)
        lives = [int(str(client.ttl(f"historical:A{number}:1m"))) for number in range(50)]
        client.close()
        link.close()
    assert all(3200 < life <= 3600 for life in lives)
    assert max(lives) - min(lives) > 180


def test_a_short_question_does_not_wait_for_a_long_one_that_was_asked_before(tmp_path: Path) -> None:
    path = tmp_path / "ticks.db"
    writer = SqliteStore(path)
    writer.open()
    for asset, count in (("LONG", 20_000), ("SHORT", 10)):
        writer.write(
            [
                Row(uid=str(uuid.uuid4()), pair=asset, price="1.5", ts_us=START_US + i * 480_000, recv_us=0, source="s")
                for i in range(count)
            ]
        )  # fmt: skip
    writer.close()
    told: queue.Queue[object] = queue.Queue()
    begin = threading.Event()

    def once_both_are_asked() -> Store:
        assert begin.wait(PATIENCE_S)
        return SqliteStore(path)

    reader = StoreReader(once_both_are_asked, told.put, StageClock(), 1)
    reader.read(question("LONG", 5000))
    reader.read(question("SHORT", 5000))
    reader.read(StoreQuestion(asset="SHORT", timeframe=None, limit=5))
    begin.set()
    answers = [told.get(timeout=PATIENCE_S) for _ in range(3)]
    reader.close()
    assert all(isinstance(answer, HistoryLoaded | TicksLoaded) for answer in answers)
    assert [answer.question.asset for answer in answers] == ["SHORT", "SHORT", "LONG"]  # type: ignore[attr-defined]
