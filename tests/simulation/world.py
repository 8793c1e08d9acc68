"""One seed's world: a run of tickwire after another on one data directory, one Redis, one store; faults; the oracle.

    report = World(seed).run()

raises `Violation` (with the seed, the last events, how to rerun) where a promise was broken.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from simulation.chance import Chance, Crashed, ProcessKilled, Rates
from simulation.clock import SimClock
from simulation.disk import Disk
from simulation.network import Network
from simulation.oracle import Durable, Live, Violation
from simulation.process import PRODUCER, Outside, Process, Sizes
from simulation.stores import Table
from simulation.venues import Broker, Exchange, Read, Tick, Venue
from support.redis_model import RedisModel, Watch
from support.redis_streams import Id, Stream

from tickwire.actors.kernel import StartFailed
from tickwire.actors.ports import FeedProfile
from tickwire.market.keys import Keys
from tickwire.market.rows import Row
from tickwire.messages.telemetry import TicksPublished
from tickwire.messages.ticks import BackfillReceived, TicksReceived
from tickwire.runtime import drain as drain_module

TURNS = 700
DRAIN_S = 300.0
"""Virtual seconds in which all must be stored once the faults have stopped."""
DRAIN_TURNS = 20_000
SETTLE_S = 4.0
"""Virtual seconds in which what was read is handed on: links come up, feeds are granted their assets."""
ENDING_S = 3.0
STOP_S = 8.0
LISTS_LOST = {
    "actor crashed",
    "clean stop",
    "process killed",
    "redis dies",
    "redis fails over",
    "redis flushed",
    "redis key deleted",
}
"""Faults after which a buffer list may lack what nobody remembers."""
SHARED = "EURUSD_otc"
"""An asset that two feeds have."""


class World(Watch):
    def __init__(self, seed: int, rates: Rates | None = None) -> None:
        self.seed = seed
        self.chance = chance = Chance(seed, rates)
        self.clock = SimClock(chance.random)
        self.disk = Disk(self.point)
        self.table = Table(self._cursed)
        self.keys = Keys()
        self.redis = RedisModel(now_ms=self.clock.now_ms, watch=self)
        self.network = Network(self.redis, self.clock, chance)
        self.sizes = Sizes.of(chance.random)
        self.durable = Durable(self.table)
        self.live = Live(self.sizes.buffer)
        self.turns = 0
        self.process: Process | None = None
        self._interleaving = chance.choose([0.0, 0.0, 0.02, 0.1])
        self._curse = chance.choose([None, None, None, "7", "33"])
        self._dead = False
        self._crashes = 0
        """Injected in this run of the process."""
        self._violation: Violation | None = None
        self._busy = False
        """Starting or stopping."""
        self._depth = 0
        self._runs = 0
        self._seen_row = 0
        self._updates = self.keys.updates("").encode()
        self._ticks = self.keys.ticks("").encode()
        self.table.inserting = self._inserting
        self._acked_key = self.keys.acked(PRODUCER).encode()
        self.disk.failing = lambda: chance.strikes(chance.rates.disk)
        self.disk.committed = self._committed
        self.disk.forgetting = self._forgetting
        self.venues: list[Venue] = [
            Broker(_broker_profile(), self.clock, chance, self.point, [SHARED, "#AAPL_otc"]),
            Exchange(_exchange_profile(), self.clock, chance, self.point, [SHARED, "XBT/USD"]),
        ]

    def _cursed(self, row: Row) -> bool:
        return self._curse is not None and row.price.endswith(self._curse)

    # -- a run ---------------------------------------------------------------------------------------------------------

    def run(self, turns: int = TURNS) -> "World":
        with self._in_place():
            try:
                self._live_through(turns)
                self._drain()
                self._see_quarantine()
                self.durable.demand_all()
                self.durable.demand_balanced(self._ledger())
            except Violation as error:
                raise Violation(self._explain(error)) from error
            finally:
                self.disk.close()
        return self

    def _explain(self, error: Violation) -> str:
        events = "\n  ".join(self.chance.events)
        return (
            f"seed {self.seed}, turn {self.turns}, {self.clock.seconds - 1000:.1f} s: {error}\n"
            f"the last events:\n  {events}\n"
            f"rerun: python -m simulation.run {self.seed}   (in tests/)"
        )

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """What actors and adapters take from modules rather than from ports."""
        with (
            patch("tickwire.runtime.stores.spool.sqlite3", self.disk),
            patch("tickwire.runtime.stores.quarantine.sqlite3", self.disk),
            patch("tickwire.runtime.stores.ledger.sqlite3", self.disk),
            patch("tickwire.market.identity.os.urandom", self.chance.random.randbytes),
            patch.object(drain_module, "time", _DrainTime(self)),
        ):
            yield

    def _live_through(self, turns: int) -> None:
        while self.turns < turns:
            try:
                if self.process is None:
                    self._start()
                self.turn()
            except ProcessKilled:
                self._bury()

    def _drain(self) -> None:
        """Faults stop; everything that was accepted must be stored, acknowledged, trimmed, forgotten."""
        self.chance.note("CALM")
        self.chance.calm = True
        self._mend()
        for _ in range(3):  # a stop that was under way, or a start, may have been killed just before
            try:
                if self.process is None:
                    self._start()
                self.wait(lambda: False, SETTLE_S)
                self.wait(self._is_drained, DRAIN_S)
                break
            except ProcessKilled:
                self._bury()
        self._demand_drained()
        if not self._stop():
            raise Violation("a clean stop after the drain says that something is left")
        self._demand_drained()

    def _mend(self) -> None:
        self.network.thaw()
        if not self.network.reachable:
            self.network.start("kept")
        self.redis.refusal = None
        self.disk.full = False
        self.table.state = "up"
        for venue in self.venues:
            venue.refusing = False

    def _is_drained(self) -> bool:
        return not self._spool_rows() and not self._in_stream() and self.durable.told == self.durable.committed

    def _demand_drained(self) -> None:
        lost = self.durable.told - self.durable.committed
        if lost:
            raise Violation(f"{lost.total()} ticks were handed on and never accepted, like {next(iter(lost))}")
        if self._spool_rows():
            raise Violation(f"the spool is not empty: {self._spool_rows()} rows")
        if self._in_stream():
            raise Violation(f"the outbox is not empty: {self._in_stream()} entries")
        if self._lists_are_whole():
            self._demand_lists()

    def _lists_are_whole(self) -> bool:
        """Lists are mended from memory: what was not pushed when that ended stays out."""
        return not LISTS_LOST & set(self.chance.faults)

    def _demand_lists(self) -> None:
        for asset in self.live.assets:
            self.live.demand_kept(asset, self.redis.data.get(self.keys.ticks(asset).encode(), []))

    def _spool_rows(self) -> int:
        count: int = self.disk.file("spool.db").execute("select count(*) from spool").fetchone()[0]
        return count

    def _in_stream(self) -> int:
        stream = self.redis.data.get(self.keys.outbox(PRODUCER).encode())
        return len(stream.entries) if isinstance(stream, Stream) else 0

    # -- the process ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._runs += 1
        self.chance.note(f"START run {self._runs}")
        self._busy = True
        self.process = Process(
            Outside(
                clock=self.clock,
                chance=self.chance,
                network=self.network,
                table=self.table,
                venues=self.venues,
                keys=self.keys,
                sizes=self.sizes,
                point=self.point,
                wait=self.wait,
                told=self._told,
            ),
            f"run{self._runs}",
        )
        try:
            self.process.supervisor.start()
        except StartFailed:
            self._dead = True
            raise ProcessKilled from None
        finally:
            self._busy = False

    def _stop(self) -> bool:
        """A clean stop; whether all that was accepted is stored."""
        assert self.process is not None
        self.chance.note("STOP")
        process, self._busy = self.process, True
        try:
            stored = drain_module.drain(process.supervisor, process.ingestors.values(), STOP_S - ENDING_S)
            process.supervisor.stop(ENDING_S)
            dropped = process.supervisor.dead_letter_weights()
            self.live.dropped(dropped.get(("publisher", "stopped"), 0))
            self._demand_no_deaths(process)
        finally:
            self._busy = False
        self._leave()
        return stored

    def _demand_no_deaths(self, process: Process) -> None:
        """Outages crash nobody: whoever died did so by an injected crash. A spool alone must have room to be opened."""
        if self.chance.rates.disk:
            return
        states = process.supervisor.states()
        deaths = sum(state.restarts for state in states)
        if deaths > self._crashes:
            errors = {state.id: state.last_error for state in states if state.restarts}
            raise Violation(f"{deaths} deaths of actors, {self._crashes} crashes were injected: {errors}")

    def _bury(self) -> None:
        """SIGKILL has struck: what is volatile is gone."""
        self.chance.note("KILLED")
        self._dead = False
        self._leave()

    def _leave(self) -> None:
        assert self.process is not None
        self.process.runtime.close()
        self.process = None
        self.disk.lose_uncommitted()
        for link in list(self.network.links):
            link.close()
        for venue in self.venues:
            venue.socket = None
            venue.read = Read()
        self._crashes = 0
        self.durable.process_died()
        self.live.process_died()
        self.clock.seconds += self.chance.random.random()

    # -- a turn --------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One actor's turn, or something that happens around them."""
        self.turns += 1
        self._faults()
        if (self.chance.calm or self.chance.random.random() < 0.9) and self._step():
            return
        if not self.chance.calm and self.chance.random.random() < 0.5:
            self.chance.choose(self.venues).trade()
            self.clock.seconds += self.chance.random.random() * 0.05
        else:
            due = self.clock.next_due or self.clock.seconds
            self.clock.seconds += min(max(due - self.clock.seconds, 0.0), 0.5) + 1e-6

    def _step(self) -> bool:
        assert self.process is not None
        if self.clock.act():
            return True
        who = self.process.runtime.step()
        if self._violation is not None:
            raise self._violation
        if self._dead:
            raise ProcessKilled
        if who is not None:
            self._after_step(who)
        return who is not None

    def _after_step(self, who: str) -> None:
        self.chance.note(who)
        touched, self.redis.touched = self.redis.touched, set()
        for key in touched:
            if key.startswith(self._ticks):
                self.live.keep(key[len(self._ticks) :].decode(), self.redis.data.get(key, []))
        in_stream = self._in_stream()
        if in_stream > self._most_in_stream():
            raise Violation(f"{in_stream} entries are in the outbox, {self._most_in_stream()} may be")

    def _most_in_stream(self) -> int:
        """An older copy of the stream may hold what is stored long since, until it is found out to be one."""
        window = self.sizes.window_entries
        return 2 * window + 1 if self.network.replaced else window

    def wait(self, done: Callable[[], bool], within_s: float) -> None:
        """Let the world go on until `done`, at most for so long."""
        end = self.clock.seconds + within_s
        last = self.turns + DRAIN_TURNS
        while not done() and self.clock.seconds < end:
            self.turn()
            if self.turns > last:
                raise Violation(f"no end within {DRAIN_TURNS} turns")

    def point(self, what: str) -> None:
        """A port is called: others may go on meanwhile, the actor may crash, the process may be killed."""
        if self._dead:
            raise ProcessKilled
        chance = self.chance
        if chance.calm or self.process is None:
            return
        if self._interleaving and self._depth < 3 and chance.random.random() < self._interleaving:
            self._depth += 1
            try:
                self.process.runtime.step()
            finally:
                self._depth -= 1
            if self._dead:
                raise ProcessKilled
        if chance.strikes(chance.rates.kill):
            chance.fault("process killed", what)
            self._dead = True
            raise ProcessKilled
        if not self._busy and chance.strikes(chance.rates.crash):
            self._crashes += 1
            chance.fault("actor crashed", what)
            if what.endswith("publisher"):
                self.live.publisher_crashed()
            raise Crashed(what)

    # -- faults around the actors --------------------------------------------------------------------------------------

    def _faults(self) -> None:
        chance, rates = self.chance, self.chance.rates
        if chance.calm:
            return
        if chance.strikes(rates.redis_event):
            self._redis_fault()
        if chance.strikes(rates.store_event) and self.table.state == "up":
            self.table.state = chance.choose(["down", "slow", "misconfigured"])
            chance.fault(f"store {self.table.state}")
            self._later(lambda: setattr(self.table, "state", "up"), 20.0)
        if chance.strikes(rates.disk) and not self.disk.full:
            self.disk.full = True
            chance.fault("disk full")
            self._later(lambda: setattr(self.disk, "full", False), 5.0)
        if chance.strikes(rates.feed * 0.5):
            self._feed_fault(chance.choose(self.venues))
        if not self._busy and chance.strikes(rates.stop):
            chance.fault("clean stop")
            self._stop()
            self._start()

    def _later(self, act: Callable[[], None], most_s: float) -> None:
        self.clock.later(0.05 + most_s * self.chance.random.random() ** 2, act)

    def _feed_fault(self, venue: Venue) -> None:
        venue.cut()
        self.chance.fault("feed cut", venue.profile.name)
        if self.chance.random.random() < 0.5 and not venue.refusing:
            venue.refusing = True
            self._later(lambda: setattr(venue, "refusing", False), 8.0)

    def _redis_fault(self) -> None:
        chance, network = self.chance, self.network
        kind = chance.choose(
            [
                "cut",
                "dies",
                "dies",
                "fails over",
                "freezes",
                "refuses",
                "flushed",
                "group destroyed",
                "key deleted",
                "copied",
                "copied",
            ]
        )
        if not network.reachable or network.frozen or self.redis.refusal:
            return
        chance.fault(f"redis {kind}")
        match kind:
            case "cut" if network.links:
                chance.choose(network.links).hang_up()
            case "dies":
                memory = chance.choose(["kept", "older", "none"])
                chance.note(f"memory {memory}")
                network.die()
                self._later(lambda: network.start(memory), 6.0)
            case "fails over":
                network.die()
                network.start("older")
            case "freezes":
                network.freeze()
                self._later(network.thaw, 6.0)
            case "refuses":
                self.redis.refusal = chance.choose(["out of memory", "read-only", "misconf"])
                self._later(lambda: setattr(self.redis, "refusal", None), 6.0)
            case "flushed":
                network.flush()
            case "group destroyed":
                network.destroy_group()
            case "key deleted":
                chance.note(network.delete_a_key())
            case "copied":
                network.copy_to_replica()

    # -- what is told --------------------------------------------------------------------------------------------------

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """A violation in an actor's turn would pass for its crash: it is kept, and ends the run behind the turn."""
        try:
            yield
        except Violation as error:
            self._violation = self._violation or error
            self._dead = True
            raise ProcessKilled from error

    def _told(self, sender: str, receiver: str, message: object) -> None:
        with self._judged():
            if receiver == "buffer_keeper" and isinstance(message, TicksReceived | BackfillReceived):
                self.durable.tell(message)
                if isinstance(message, TicksReceived):
                    read = next(venue.read for venue in self.venues if venue.profile.name == message.feed)
                    self.live.tell(message, lambda *tick: read.live[Tick(*tick)])
            elif sender == "publisher" and isinstance(message, TicksPublished):
                self.live.note(message)

    def _committed(self, name: str) -> None:
        if name != "spool.db":
            return
        rows = (
            self.disk.file("spool.db")
            .execute("select row, entry from spool where row > ? order by row", (self._seen_row,))
            .fetchall()
        )
        with self._judged():
            if rows:
                self._seen_row = rows[-1][0]
                self.durable.commit(rows)

    def _inserting(self, row: Row) -> None:
        with self._judged():
            self.durable.inserting(row)

    def _forgetting(self, _db: object, through_row: int) -> None:
        with self._judged():
            if self._curse is not None:
                self._see_quarantine()
            self.durable.forgetting(through_row)

    def _ledger(self) -> list[tuple[str, str, int]]:
        found = self.disk.file("ledger.db").execute("select asset, fate, sum(count) from ledger group by 1, 2")
        return found.fetchall()

    def _see_quarantine(self) -> None:
        db = self.disk.file("quarantine.db")
        if db.execute("select 1 from sqlite_master where name = 'quarantine'").fetchone():
            found = db.execute("select uid from quarantine where uid is not null")
            self.durable.quarantined = {uid for (uid,) in found}

    def acknowledging(self, key: bytes, stream: Stream, ids: list[Id]) -> None:  # type: ignore[override]
        with self._judged():
            if self._curse is not None:
                self._see_quarantine()
            self.durable.acknowledging(key, stream, ids)

    def trimming(self, key: bytes, stream: Stream, ids: list[Id]) -> None:  # type: ignore[override]
        with self._judged():
            self.durable.trimming(key, stream, ids, self.redis.data.get(self._acked_key))

    def publishing(self, channel: bytes, payload: bytes) -> None:
        with self._judged():
            if channel.startswith(self._updates):
                self.live.hear(channel[len(self._updates) :].decode(), payload)


class _DrainTime:
    """Stands in for the module `time` in the drain."""

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic(self) -> float:
        return self._world.clock.seconds

    def sleep(self, seconds: float) -> None:
        self._world.wait(lambda: False, seconds)


def _broker_profile() -> FeedProfile:
    return FeedProfile(
        name="broker",
        source="pocketoption",
        unique_stamps=True,
        estimates_offset=True,
        assets=(SHARED, "#AAPL_otc"),
    )


def _exchange_profile() -> FeedProfile:
    return FeedProfile(name="exchange", source="json")
