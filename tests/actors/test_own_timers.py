"""A timer that was in the mailbox at a crash comes again to the next incarnation: it must not start a second chain."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.gateway import MemoryRefill
from support.redis_doubles import MemoryRedis
from support.stage import Stage
from support.ticks import columns, received

from tickwire.actors.buffer_keeper import BufferKeeper, BufferKeeperSettings, ForwardMore
from tickwire.actors.cache_manager import CacheManager
from tickwire.actors.gateway import Gateway
from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.actors.history_memory import HistoryMemory
from tickwire.actors.kernel.behaviour import Behaviour
from tickwire.actors.metrics_collector import MetricsCollector
from tickwire.actors.one_timer import OneTimer
from tickwire.actors.publisher import Publisher
from tickwire.actors.system_state import SystemState
from tickwire.actors.unaccepted import Unaccepted
from tickwire.actors.waiting_candles import WaitingCandles
from tickwire.market.candle_book import CandleBook
from tickwire.market.keys import Keys
from tickwire.market.ownership import Ownership
from tickwire.messages.clients import ChannelWanted, LoopEchoed
from tickwire.messages.lifecycle import AssetsAnnounced
from tickwire.runtime.stores.spool import SqliteSpool


class Unmoved:
    """A store's reader, a metrics registry and a gateway's server that do nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Life:
    """One actor over its incarnations, with a Redis in memory that is up."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.redis = MemoryRedis()
        self.stage = Stage(name)
        self.folder = folder
        self.memory = GatewayMemory()
        self.candles = CandleBook(200)
        self.ownership = Ownership()
        self.open()

    def open(self) -> None:
        self.actor: Behaviour = getattr(self, f"_{self.name}")()
        self.stage.open(self.actor)

    def crash(self) -> list[object]:
        """End this incarnation and start the next; returns the timers that were set or told, as they may come again."""
        old = [timer.message for timer in self.stage.context.timers if not timer.cancelled]
        self.actor.close()
        self.stage.context.timers.clear()
        self.stage.context.incarnation += 1
        self.open()
        return old

    def waiting(self) -> Counter[object]:
        """The timers set now, by what they are for."""
        return Counter(
            getattr(timer.message, "what", type(timer.message).__name__)
            for timer in self.stage.context.timers
            if not timer.cancelled
        )

    def _publisher(self) -> Behaviour:
        return Publisher(
            self.stage.context, bus=self.redis.bus, clock=self.stage.clock, keys=Keys(), published={},
        )  # fmt: skip

    def _metrics_collector(self) -> Behaviour:
        unmoved: Any = Unmoved()
        return MetricsCollector(
            self.stage.context, redis=self.redis.monitor, metrics=unmoved, state=SystemState(), clock=self.stage.clock,
        )  # fmt: skip

    def _buffer_keeper(self) -> Behaviour:
        return BufferKeeper(
            self.stage.context,
            redis=lambda: self.redis.buffer("p1"),
            spool=lambda: SqliteSpool(self.folder / "spool.db", now_ms=lambda: 1, run_id="run"),
            clock=self.stage.clock,
            feeds={"f1": "ingestor:1"},
            unaccepted=Unaccepted(),
            ownership=self.ownership,
            candles=WaitingCandles(),
            settings=BufferKeeperSettings(),
        )

    def _cache_manager(self) -> Behaviour:
        unmoved: Any = Unmoved()
        return CacheManager(
            self.stage.context, cache=self.redis.cache, reader=lambda _: unmoved, source=lambda: unmoved,
            clock=self.stage.clock,
            candles=self.candles,
            history=HistoryMemory(), ingestors={"f1": "tick_ingestor:1"},
        )  # fmt: skip

    def _gateway(self) -> Behaviour:
        unmoved: Any = Unmoved()
        return Gateway(
            self.stage.context, server=lambda: unmoved, redis=lambda: MemoryRefill(self.redis), memory=self.memory,
            ingestors={}, clock=self.stage.clock,
        )  # fmt: skip


def watch_candles(life: Life) -> None:
    incarnation = life.stage.context.incarnation
    wanted = ChannelWanted(incarnation=incarnation, client=1, ticket=1, asset="A", timeframe="1m")
    echo = LoopEchoed(incarnation=incarnation, clients=1, frames_sent=0, ticks_conflated=0, refused=0)
    life.stage.step(AssetsAnnounced(feed="f1", assets=["A"]), wanted, echo)


@pytest.mark.parametrize("name", ["publisher", "metrics_collector", "buffer_keeper", "cache_manager", "gateway"])
def test_a_timer_of_before_a_crash_starts_no_second_chain(name: str, tmp_path: Path) -> None:
    life = Life(name, tmp_path)
    ticks = received(1, columns("A", 1, 3))
    if name in ("buffer_keeper", "cache_manager", "publisher", "gateway"):
        life.stage.step(ticks)
    if name == "gateway":
        watch_candles(life)
    life.stage.advance(1.0)
    old = life.crash()
    assert old, "it had set a timer"
    if name == "gateway":
        watch_candles(life)
    for _ in range(3):
        life.stage.step(*old)
    for _ in range(4):
        life.stage.advance(2.6)
        assert max(life.waiting().values()) == 1, life.waiting()


def test_beats_of_before_a_crash_say_nothing_twice(tmp_path: Path) -> None:
    life = Life("metrics_collector", tmp_path)
    old = life.crash()
    said = len(life.redis.messages("system_status"))
    life.stage.step(*old, *old)
    assert len(life.redis.messages("system_status")) == said
    life.stage.advance(5.0)
    statuses = [orjson.loads(each) for each in life.redis.messages("system_status")]
    assert len(statuses) == said + 1


def test_forwarding_goes_on_in_one_chain_however_often_it_is_begun(tmp_path: Path) -> None:
    life = Life("buffer_keeper", tmp_path)
    life.redis.go_down()
    for number in range(1, 1501):
        life.stage.step(received(number, columns("A", number, 1)))
    life.crash()
    life.redis.come_up()
    (poll,) = (timer.message for timer in life.stage.context.timers)
    of_before = ForwardMore(life.stage.context.incarnation - 1)
    life.actor.step([of_before, poll, poll, of_before])
    told = [message for message in life.stage.context.me.messages if isinstance(message, ForwardMore)]
    assert len(told) == 1
    life.stage.settle()
    assert len(life.redis.outbox_payloads("p1")) == 1500


def test_a_one_timer_knows_its_incarnation() -> None:
    stage = Stage("any")
    first = OneTimer(stage.context)
    first.set(1.0)
    stage.context.incarnation += 1
    second = OneTimer(stage.context)
    second.set(1.0)
    of_before, of_now = (timer.message for timer in stage.context.timers)
    assert not second.due(of_before)  # type: ignore[arg-type]
    assert second.due(of_now)  # type: ignore[arg-type]
