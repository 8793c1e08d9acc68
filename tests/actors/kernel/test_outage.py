"""An outage is no failure: with Redis and the store down for an hour nobody dies (scenario S32)."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from support.redis_doubles import MemoryRedis
from support.store_doubles import MemoryTable
from support.ticks import columns, received

from tickwire.actors.batch_writer import BatchWriter, BatchWriterSettings
from tickwire.actors.buffer_keeper import BufferKeeper, BufferKeeperSettings
from tickwire.actors.kernel import ChildSpec, Context, Stepped, Supervisor, SupervisorSpec
from tickwire.actors.ports import Listener, StoreUnavailable
from tickwire.actors.publisher import Publisher
from tickwire.actors.unaccepted import Unaccepted
from tickwire.actors.waiting_candles import WaitingCandles
from tickwire.market.keys import Keys
from tickwire.market.ownership import Ownership
from tickwire.market.rows import Row
from tickwire.messages.lifecycle import DrainRequested, FeedHeld, LinkChanged, LinkState
from tickwire.messages.ticks import AssetGranted, AssetRequested
from tickwire.runtime.stores.ledger import SqliteLedger
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.spool import SqliteSpool

START_US = 1_756_866_774_000_000


class SteppedClock:
    def __init__(self, stepped: Stepped) -> None:
        self._stepped = stepped

    def now_us(self) -> int:
        return START_US + round(self._stepped.monotonic() * 1e6)

    def monotonic(self) -> float:
        return self._stepped.monotonic()


class Ear:
    """Takes whatever the others say."""

    def __init__(self, heard: list[object]) -> None:
        self._heard = heard

    def open(self) -> None: ...

    def step(self, batch: Any) -> None:
        self._heard.extend(batch)

    def close(self) -> None: ...


class House:
    """The real actors of the durable path and of publishing, under the real supervisor, on a manual clock."""

    def __init__(self, folder: Path, settings: BufferKeeperSettings | None = None) -> None:
        self.settings = settings or BufferKeeperSettings()
        self.stepped = Stepped()
        self.clock = SteppedClock(self.stepped)
        self.redis = MemoryRedis(clock=self.stepped.monotonic)
        self.table = MemoryTable()
        self.folder = folder
        self.heard: list[object] = []
        ears = [self._child(name, lambda _context: Ear(self.heard)) for name in ("metrics_collector", "gateway")]
        self.supervisor = Supervisor(
            SupervisorSpec(),
            [
                *ears,
                self._child("publisher", self._publisher),
                self._child("batch_writer", self._batch_writer),
                self._child("buffer_keeper", self._buffer_keeper),
                self._child("ingestor", lambda _context: Ear(self.heard)),
            ],
            runtime=self.stepped,
            random=Random(1),
        )

    def _child(self, id: str, factory: Callable[[Context], Any]) -> ChildSpec:
        return ChildSpec(id=id, factory=factory, hang_after_s=30.0)

    def _listener(self, context: Context) -> Listener:
        def tell(state: LinkState, detail: str) -> None:
            context.me.tell(LinkChanged(owner=context.id, link="redis", state=state, detail=detail), control=True)

        return tell

    def _publisher(self, context: Context) -> Publisher:
        return Publisher(
            context,
            bus=lambda: self.redis.bus(self._listener(context)),
            clock=self.clock,
            keys=Keys(),
            published={},
        )

    def _batch_writer(self, context: Context) -> BatchWriter:
        return BatchWriter(
            context,
            outbox=lambda: self.redis.outbox("p1", listener=self._listener(context)),
            store=self.table.store,
            quarantine=lambda: SqliteQuarantine(self.folder / "quarantine.db"),
            ledger=lambda: SqliteLedger(self.folder / "ledger.db"),
            clock=self.clock,
            random=Random(2),
            settings=BatchWriterSettings(),
        )

    def _buffer_keeper(self, context: Context) -> BufferKeeper:
        return BufferKeeper(
            context,
            redis=lambda: self.redis.buffer("p1", self._listener(context)),
            spool=lambda: SqliteSpool(
                self.folder / "spool.db", now_ms=lambda: self.clock.now_us() // 1000, run_id="run"
            ),
            clock=self.clock,
            feeds={"f1": "ingestor"},
            unaccepted=Unaccepted(),
            ownership=Ownership(),
            candles=WaitingCandles(),
            settings=self.settings,
        )

    @property
    def in_redis(self) -> int:
        """Entries of the outbox."""
        return len(self.redis.outbox_payloads("p1"))

    def grant(self) -> AssetGranted:
        granted = self.supervisor.address("buffer_keeper").ask(
            lambda to: AssetRequested(asset="A", feed="f1", incarnation="i1", reply_to=to), timeout_s=10.0
        )
        assert isinstance(granted, AssetGranted)
        return granted

    def tell(self, name: str, message: object) -> None:
        self.supervisor.address(name).tell(message)
        self.stepped.run()


def test_s32_an_hour_without_redis_and_store_restarts_nobody_and_loses_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.redis.go_down("connection refused")
    house.table.fail(StoreUnavailable("connection refused"))
    house.supervisor.start()
    epoch = house.grant().epoch
    for minute in range(60):
        ticks = received(minute + 1, columns("A", minute * 10 + 1, 10, epoch=epoch))
        house.tell("publisher", ticks)
        house.tell("buffer_keeper", ticks)
        house.stepped.advance(60.0)
    states = house.supervisor.states()
    assert [(state.state, state.restarts) for state in states] == [("running", 0)] * len(states)
    assert house.supervisor.dead_letters.count == 0
    assert not [message for message in house.heard if isinstance(message, FeedHeld)]

    house.redis.come_up()
    house.table.fail(None)
    house.stepped.advance(120.0)
    house.supervisor.address("buffer_keeper").ask(lambda to: DrainRequested(reply_to=to), timeout_s=10.0)
    house.stepped.advance(120.0)
    assert len(house.table.uids) == 600
    assert len(set(house.table.uids)) == 600
    assert sum(state.restarts for state in house.supervisor.states()) == 0
    house.supervisor.stop()


def test_an_hour_without_the_store_keeps_redis_within_the_window_and_is_caught_up_oldest_first(tmp_path: Path) -> None:
    window = 50
    house = House(tmp_path, BufferKeeperSettings(window_entries=window))
    house.supervisor.start()
    epoch = house.grant().epoch
    house.table.fail(StoreUnavailable("connection refused"))
    most = 0
    for number in range(360):  # every ten seconds
        house.tell("buffer_keeper", received(number + 1, columns("A", number * 5 + 1, 5, epoch=epoch)))
        house.stepped.advance(10.0)
        most = max(most, house.in_redis)
    assert most == window
    assert house.table.rows == []
    assert [state.restarts for state in house.supervisor.states()] == [0] * len(house.supervisor.states())

    house.table.fail(None)
    for _ in range(60):
        house.stepped.advance(1.0)
        most = max(most, house.in_redis)
    house.stepped.advance(120.0)
    assert most == window
    assert house.in_redis == 0
    stamps = [row.ts_us for row in house.table.rows if isinstance(row, Row)]
    assert len(set(house.table.uids)) == len(stamps) == 1800
    assert stamps == sorted(stamps)
    house.supervisor.stop()
