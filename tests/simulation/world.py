"""One seed's world: a run of tickwire after another on one data directory, one Redis, one store; faults; the oracle.

    report = World(seed).run()

raises `Violation` (with the seed, the last events, how to rerun) where a promise was broken.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from simulation.candles import demand_candles, demand_whole
from simulation.chance import Chance, Crashed, ProcessKilled, Rates
from simulation.clock import SimClock
from simulation.disk import Disk
from simulation.network import Network
from simulation.oracle import Identity, Violation
from simulation.place import in_place
from simulation.process import PRODUCER, Outside, Process, Sizes
from simulation.stores import Table
from simulation.troubles import LISTS_LOST, Troubles
from simulation.venues import BROKER, EXCHANGE, SHARED, Broker, Exchange, Read, Venue
from simulation.witness import Witness
from support.redis_model import RedisModel

from tickwire.actors.kernel import AskTimeout, StartFailed
from tickwire.market.keys import Keys
from tickwire.market.rows import Row
from tickwire.messages.lifecycle import DrainRequested
from tickwire.runtime import drain as drain_module

TURNS = 700
DRAIN_S = 300.0
"""Virtual seconds in which all must be stored once the faults have stopped."""
DRAIN_TURNS = 20_000
SETTLE_S = 4.0
"""Virtual seconds in which what was read is handed on: links come up, feeds are granted their assets."""
ENDING_S = 3.0
STOP_S = 8.0


class World:
    def __init__(self, seed: int, rates: Rates | None = None) -> None:
        self.seed = seed
        self.chance = chance = Chance(seed, rates)
        self.clock = SimClock(chance.random)
        self.disk = Disk(self.point)
        self.table = Table(self._cursed)
        self.keys = Keys()
        self.sizes = Sizes.of(chance.random)
        self.venues: list[Venue] = [
            Broker(BROKER, self.clock, chance, self.point, [SHARED, "#AAPL_otc"]),
            Exchange(EXCHANGE, self.clock, chance, self.point, [SHARED, "XBT/USD"]),
        ]
        self.witness = Witness(
            disk=self.disk,
            table=self.table,
            keys=self.keys,
            producer=PRODUCER,
            venues=self.venues,
            buffer_size=self.sizes.buffer,
            kill=self._kill,
        )
        self.durable, self.live = self.witness.durable, self.witness.live
        self.redis = self.witness.redis = RedisModel(now_ms=self.clock.now_ms, watch=self.witness)
        self.network = Network(self.redis, self.clock, chance)
        self.troubles = Troubles(
            chance=chance,
            clock=self.clock,
            network=self.network,
            table=self.table,
            disk=self.disk,
            venues=self.venues,
        )
        self.turns = 0
        self.live_candles = 0
        """Stored and compared, once the run is over."""
        self.process: Process | None = None
        self._interleaving = chance.choose([0.0, 0.0, 0.02, 0.1])
        self._curse = chance.choose([None, None, None, "7", "33"])
        self._dead = False
        self._crashes: Counter[str] = Counter()
        """Injected in this run of the process, by actor."""
        self._busy = self._starting = False
        """Starting or stopping; starting: a crash would be the end of it."""
        self._depth = 0
        self._runs = 0

    def _kill(self) -> None:
        self._dead = True

    def _cursed(self, row: Row) -> bool:
        return self._curse is not None and row.price.endswith(self._curse)

    # -- a run ---------------------------------------------------------------------------------------------------------

    def run(self, turns: int = TURNS) -> "World":
        with in_place(self.disk, self.chance.random, self.clock, self.wait):
            try:
                self._live_through(turns)
                self._drain()
                self.witness.see_quarantine()
                self.durable.demand_all()
                self.live_candles = demand_candles(self.durable.accepted.values(), self.table.candles)
                demand_whole(self.traded(), self.table.candles)
                self.witness.demand_balanced()
            except Violation as error:
                raise Violation(self._explain(error)) from error
            finally:
                self.disk.close()
        return self

    def traded(self) -> Iterator[Identity]:
        """What happened at the venues, of assets that one of them alone has."""
        for venue in self.venues:
            for tick in venue.traded:
                if tick.asset != SHARED:
                    yield Identity(venue.profile.source, tick.asset, tick.stamp, tick.price, 0)

    def _explain(self, error: Violation) -> str:
        events = "\n  ".join(self.chance.events)
        return (
            f"seed {self.seed}, turn {self.turns}, {self.clock.seconds - 1000:.1f} s: {error}\n"
            f"the last events:\n  {events}\n"
            f"rerun: python -m simulation.run {self.seed}   (in tests/)"
        )

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
        self.troubles.end()
        for _ in range(3):  # a stop that was under way, or a start, may have been killed just before
            try:
                if self.process is None:
                    self._start()
                self.wait(lambda: False, SETTLE_S)
                self.wait(self.witness.is_drained, DRAIN_S)
                break
            except ProcessKilled:
                self._bury()
        self.witness.demand_drained()
        self._demand_balance()
        if not self._stop():
            raise Violation("a clean stop after the drain says that something is left")
        self.witness.demand_drained()
        if not LISTS_LOST & set(self.chance.faults):
            self.witness.demand_lists()

    def _demand_balance(self) -> None:
        assert self.process is not None
        for feed, ingestor in self.process.ingestors.items():
            try:
                address = self.process.supervisor.address(ingestor)
                address.ask(lambda to: DrainRequested(reply_to=to), timeout_s=60.0)
            except AskTimeout:
                raise Violation(f"{ingestor} does not drain") from None
            if not self._crashes[ingestor]:
                self.witness.demand_balance(feed)

    # -- the process ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._runs += 1
        self.chance.note(f"START run {self._runs}")
        self.troubles.at_start()
        self._busy = self._starting = True
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
                told=self.witness.told,
            ),
            f"run{self._runs}",
        )
        try:
            self.process.supervisor.start()
        except StartFailed:
            self._dead = True
            raise ProcessKilled from None
        finally:
            self._busy = self._starting = False

    def _stop(self) -> bool:
        """A clean stop; whether all that was accepted is stored."""
        assert self.process is not None
        self.chance.note("STOP")
        process, self._busy = self.process, True
        try:
            stored = drain_module.drain(process.supervisor, process.ingestors.values(), STOP_S - ENDING_S)
            process.supervisor.stop(ENDING_S)
            self._demand_no_deaths(process)
        finally:
            self._busy = False
        self._leave()
        return stored

    def _demand_no_deaths(self, process: Process) -> None:
        """Outages crash nobody: whoever died did so by an injected crash. A spool alone must have room to be opened.

        In one thread the blocking calls of others hold up a start, until it is given up as late: that is no death.
        """
        if self.chance.rates.disk:
            return
        states = process.supervisor.states()
        late = sum(child.late_notices for child in process.supervisor._children.values())
        deaths = sum(state.restarts for state in states) - late
        if deaths > self._crashes.total():
            errors = {state.id: state.last_error for state in states if state.restarts}
            raise Violation(f"{deaths} deaths of actors, {self._crashes.total()} crashes were injected: {errors}")

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
        self._crashes.clear()
        self.witness.process_died()
        self.clock.seconds += self.chance.random.random()

    # -- a turn --------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One actor's turn, or something that happens around them."""
        self.turns += 1
        if not self.chance.calm:
            self.troubles.strike()
            if not self._busy and self.chance.strikes(self.chance.rates.stop):
                self.chance.fault("clean stop")
                self._stop()
                self._start()
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
        if self.witness.violation is not None:
            raise self.witness.violation
        if self._dead:
            raise ProcessKilled
        if who is not None:
            self._after_step(who)
        return who is not None

    def _after_step(self, who: str) -> None:
        self.chance.note(who)
        self.witness.see_lists()
        in_stream = self.witness.in_stream()
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
        if not self._starting and chance.strikes(chance.rates.crash):
            self._crashes[self.process.runtime.whose] += 1
            chance.fault("actor crashed", what)
            if self.process.runtime.whose == "publisher":
                self.live.publisher_crashed()
            raise Crashed(what)
