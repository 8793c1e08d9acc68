"""One run of tickwire in the simulation: the real actors under the real supervisor, on simulated surroundings.

What `runtime/app.py` composes for real is composed here on simulated ports. The sinks (metrics, gateway) only listen.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from simulation.candles import SimSource
from simulation.chance import Chance
from simulation.clock import SimClock
from simulation.network import Network, SimLink
from simulation.seeded import SeededRuntime, SimWaiter
from simulation.stores import SimStore, Table
from simulation.venues import Venue

from tickwire.actors.batch_writer import BatchWriter, BatchWriterSettings
from tickwire.actors.buffer_keeper import BufferKeeper, BufferKeeperSettings
from tickwire.actors.cache_manager import CacheManager
from tickwire.actors.history_memory import HistoryMemory
from tickwire.actors.kernel import Backoff as RestartBackoff
from tickwire.actors.kernel import ChildSpec, Context, MailboxSpec, Supervisor, SupervisorSpec
from tickwire.actors.kernel.behaviour import Address, Behaviour, PutResult
from tickwire.actors.ports import HistoryReader, Listener
from tickwire.actors.publisher import Published, Publisher
from tickwire.actors.tick_ingestor import TickIngestor
from tickwire.actors.unaccepted import Unaccepted
from tickwire.actors.waiting_candles import WaitingCandles
from tickwire.market.backoff import Backoff
from tickwire.market.candle_book import CandleBook
from tickwire.market.keys import Keys
from tickwire.market.offset import OffsetEstimator
from tickwire.market.ownership import Ownership
from tickwire.market.pipeline import FeedMemory, FeedPipeline, PipelineSettings
from tickwire.market.staleness import Staleness
from tickwire.market.wire.registry import DecoderOptions, venue
from tickwire.messages.lifecycle import LinkChanged, LinkState
from tickwire.messages.telemetry import FeedMeasured
from tickwire.runtime.redisio.buffer import RedisBuffer
from tickwire.runtime.redisio.bus import RedisBus
from tickwire.runtime.redisio.cache import RedisCache
from tickwire.runtime.redisio.outbox import RedisOutbox
from tickwire.runtime.redisio.registry import RedisRegistry
from tickwire.runtime.stores.ledger import SqliteLedger
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.spool import SqliteSpool

PRODUCER = "p1"
ROOT = SupervisorSpec(
    intensity=1000,  # crashes come far oftener than bugs do, and none of them is to end the run
    period_s=1e6,
    backoff=RestartBackoff(min_s=0.05, max_s=1.0, random_factor=0.2, reset_after_s=5.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bounds small enough to be met in a short run."""

    buffer: int = 8
    window_entries: int = 12
    window_bytes: int = 64 * 1024
    entry_ticks: int = 10
    read_entries: int = 5
    slice_rows: int = 4
    batch_rows: int = 30
    early_ticks: int = 40
    early_entries: int = 6
    catch_up_rows: int = 60

    @classmethod
    def of(cls, random: Random) -> "Sizes":
        def pick(*options: int) -> int:
            return options[int(random.random() * len(options))]

        window = pick(3, 8, 30, 200)
        return cls(
            buffer=pick(3, 8, 20),
            window_entries=window,
            window_bytes=pick(2_000, 1_000_000),
            entry_ticks=pick(3, 10, 5000),
            read_entries=pick(1, 4, 200),
            slice_rows=pick(2, 7, 50),
            batch_rows=pick(50, 500),
            early_ticks=pick(5, 30, 20_000),
            early_entries=max(1, window // 2),
            catch_up_rows=pick(20, 20_000),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What outlives the process, and who is told."""

    clock: SimClock
    chance: Chance
    network: Network
    table: Table
    venues: Sequence[Venue]
    keys: Keys
    sizes: Sizes
    point: Callable[[str], None]
    wait: Callable[[Callable[[], bool], float], None]
    told: Callable[[str, str, object], None]
    """Sender, receiver, message: just put into the receiver's mailbox."""


class Process:
    """From start to clean stop or kill."""

    def __init__(self, outside: Outside, run_id: str) -> None:
        self._given = outside
        self._run_id = run_id
        self.ingestors = {each.profile.name: f"tick_ingestor:{i}" for i, each in enumerate(outside.venues, 1)}
        self.counts: Counter[tuple[str, str]] = Counter()
        """(feed, reason) → ticks that the ingestors counted."""
        self._waiters: dict[str, SimWaiter] = {}
        self.runtime = SeededRuntime(
            outside.clock, outside.chance, wait=outside.wait, waiters=lambda id: self._waiters.get(id)
        )
        self.supervisor = Supervisor(ROOT, self._specs(), runtime=self.runtime, random=outside.chance.random)

    def _specs(self) -> list[ChildSpec]:
        sinks = [_spec(id, lambda _context: _Sink(self._heed)) for id in ("metrics_collector", "gateway")]
        return [
            *sinks,
            self._publisher(),
            self._cache_manager(),
            self._batch_writer(),
            self._buffer_keeper(),
            *map(self._tick_ingestor, self._given.venues),
        ]

    def _heed(self, message: object) -> None:
        if isinstance(message, FeedMeasured):
            for count in message.counts:
                self.counts[message.feed, count.reason] += count.count

    def _link(self, context: Context) -> Any:
        """Adapters are made for a RedisLink; this has all of it that they use."""
        return SimLink(self._given.network, context.id, self._given.point, _tell_link(context))

    def _publisher(self) -> ChildSpec:
        published: Published = {}
        given = self._given

        def make(context: Context) -> Publisher:
            return Publisher(
                _Overheard(context, given.told),
                bus=lambda: RedisBus(self._link(context), given.keys),
                clock=given.clock,
                keys=given.keys,
                published=published,
            )

        return _spec("publisher", make, MailboxSpec(high=50, low=10, weigh=_ticks))

    def _cache_manager(self) -> ChildSpec:
        book, history = CandleBook(200), HistoryMemory()
        given = self._given

        def no_reader(_number: int) -> HistoryReader:
            raise AssertionError("nobody asks about the past here")

        def make(context: Context) -> CacheManager:
            return CacheManager(
                context,
                cache=lambda: RedisCache(self._link(context), given.keys),
                reader=no_reader,
                source=lambda: SimSource(given.table, context.me.tell),
                clock=given.clock,
                candles=book,
                history=history,
                ingestors=self.ingestors,
            )

        return _spec("cache_manager", make, MailboxSpec(high=200, low=50, weigh=_ticks))

    def _buffer_keeper(self) -> ChildSpec:
        unaccepted = Unaccepted()
        ownership = Ownership()
        candles = WaitingCandles()
        given, sizes = self._given, self._given.sizes

        def make(context: Context) -> BufferKeeper:
            return BufferKeeper(
                context,
                redis=lambda: RedisBuffer(self._link(context), given.keys, PRODUCER, buffer_size=sizes.buffer),
                spool=lambda: SqliteSpool(Path("spool.db"), now_ms=given.clock.now_ms, run_id=self._run_id),
                clock=given.clock,
                feeds=self.ingestors,
                unaccepted=unaccepted,
                ownership=ownership,
                candles=candles,
                settings=BufferKeeperSettings(
                    buffer_size=sizes.buffer,
                    window_entries=sizes.window_entries,
                    window_bytes=sizes.window_bytes,
                    entry_ticks=sizes.entry_ticks,
                    poll_s=0.5,
                ),
            )

        return _spec("buffer_keeper", make, MailboxSpec(high=100, low=20, weigh=_ticks))

    def _batch_writer(self) -> ChildSpec:
        given, sizes = self._given, self._given.sizes

        def make(context: Context) -> BatchWriter:
            return BatchWriter(
                context,
                outbox=lambda: RedisOutbox(self._link(context), given.keys, PRODUCER),
                store=lambda: SimStore(
                    given.table,
                    given.chance,
                    given.clock,
                    given.point,
                    slice_rows=sizes.slice_rows,
                    batch_rows=sizes.batch_rows,
                ),
                quarantine=lambda: SqliteQuarantine(Path("quarantine.db")),
                ledger=lambda: SqliteLedger(Path("ledger.db")),
                clock=given.clock,
                random=given.chance.random,
                settings=BatchWriterSettings(
                    interval_s=2.0,
                    early_ticks=sizes.early_ticks,
                    early_entries=sizes.early_entries,
                    read_entries=sizes.read_entries,
                    catch_up_rows=sizes.catch_up_rows,
                    claim_idle_s=5.0,
                ),
            )

        return _spec("batch_writer", make)

    def _tick_ingestor(self, far_end: Venue) -> ChildSpec:
        given, profile = self._given, far_end.profile
        memory = FeedMemory()
        id = self.ingestors[profile.name]
        pipeline = PipelineSettings(
            sender=f"{self._run_id}/{profile.name}",
            feed=profile.name,
            source=profile.source,
            unique_stamps=profile.unique_stamps,
            estimates_offset=profile.estimates_offset,
        )

        def make(context: Context) -> TickIngestor:
            self._waiters[id].close()
            return TickIngestor(
                _Overheard(context, given.told),
                profile=profile,
                dialler=far_end,
                make_decoder=lambda: venue(profile.source).make_decoder(DecoderOptions(session="s")),
                make_pipeline=lambda: FeedPipeline(pipeline, memory, OffsetEstimator()),
                registry=lambda: RedisRegistry(self._link(context), given.keys),
                waiter=lambda: self._waiters[id],
                staleness=Staleness(),
                backoff=Backoff(min_s=0.2, max_s=2.0, random=given.chance.random),
                clock=given.clock,
                release_s=3.0,
            )

        self._waiters[id] = SimWaiter()
        return _spec(id, make)


class _Overheard:
    """A context whose addresses report what is put into mailboxes."""

    def __init__(self, context: Context, told: Callable[[str, str, object], None]) -> None:
        self._context = context
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def address(self, name: str) -> Address:
        return _Mouth(self._context.id, self._context.address(name), self._told)


class _Mouth:
    def __init__(self, sender: str, address: Address, told: Callable[[str, str, object], None]) -> None:
        self._sender = sender
        self._address = address
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._address, name)

    def tell(self, message: object, /, *, control: bool = False) -> PutResult:
        result = self._address.tell(message, control=control)
        if result is PutResult.ACCEPTED:
            self._told(self._sender, self._address.name, message)
        return result


class _Sink:
    def __init__(self, heed: Callable[[object], None]) -> None:
        self._heed = heed

    def open(self) -> None:
        """Nothing to open."""

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            self._heed(message)

    def close(self) -> None:
        """Nothing is open."""


def _ticks(message: object) -> int:
    return max(1, getattr(message, "ticks", 1))


def _tell_link(context: Context) -> Listener:
    me, owner = context.me, context.id

    def tell(state: LinkState, detail: str) -> None:
        me.tell(LinkChanged(owner=owner, link="redis", state=state, detail=detail), control=True)

    return tell


def _spec(id: str, factory: Callable[[Context], Behaviour], mailbox: MailboxSpec | None = None) -> ChildSpec:
    # A crash that is injected is no bug of the message at hand: none is ever poison.
    return ChildSpec(id=id, factory=factory, mailbox=mailbox or MailboxSpec(), max_crashes_per_message=1_000_000)
