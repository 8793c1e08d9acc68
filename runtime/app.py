"""The composition root: which actors there are, in which order they start, and what each is given.

The only file that knows both actors and adapters; `relay.py` gives it its surroundings and runs what it composes.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from random import Random
from typing import Any

from tickwire.actors.batch_writer import BatchWriter, BatchWriterSettings
from tickwire.actors.buffer_keeper import BufferKeeper, BufferKeeperSettings
from tickwire.actors.cache_manager import CacheManager
from tickwire.actors.gateway import Gateway
from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.actors.history_memory import HistoryMemory
from tickwire.actors.kernel import Address, ChildSpec, ChildState, Context, MailboxSpec, PutResult
from tickwire.actors.metrics_collector import MetricsCollector
from tickwire.actors.ports import Clock, Listener, Metrics, Store
from tickwire.actors.publisher import Published, Publisher
from tickwire.actors.system_state import SystemState
from tickwire.actors.tick_ingestor import TickIngestor
from tickwire.actors.unaccepted import Unaccepted
from tickwire.actors.waiting_candles import WaitingCandles
from tickwire.config.settings import Settings
from tickwire.config.urls import RedisServer
from tickwire.market.backoff import Backoff
from tickwire.market.candle_book import CandleBook
from tickwire.market.identity import new_epoch
from tickwire.market.offset import OffsetEstimator
from tickwire.market.ownership import Ownership
from tickwire.market.pipeline import FeedMemory, FeedPipeline, PipelineSettings
from tickwire.market.staleness import Staleness
from tickwire.messages.lifecycle import FeedChanged, LinkChanged, LinkState
from tickwire.runtime.audit import audit
from tickwire.runtime.feeds import Feed
from tickwire.runtime.feeds.waiter import SelectorWaiter
from tickwire.runtime.gateway.admission import access_of
from tickwire.runtime.gateway.server import HttpServer
from tickwire.runtime.gateway.services import Services
from tickwire.runtime.redisio.buffer import RedisBuffer
from tickwire.runtime.redisio.bus import RedisBus
from tickwire.runtime.redisio.cache import RedisCache
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.monitor import RedisMonitor
from tickwire.runtime.redisio.outbox import RedisOutbox
from tickwire.runtime.redisio.refill import RedisRefill
from tickwire.runtime.redisio.registry import RedisRegistry
from tickwire.runtime.stores.ledger import LEDGER_FILE, SqliteLedger
from tickwire.runtime.stores.open import open_store
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.reader import StoreReader
from tickwire.runtime.stores.restorer import StoreRestorer
from tickwire.runtime.stores.spool import SqliteSpool

HANG_AFTER_S = 30.0
PUBLISHER_HIGH = 20_000
"""Ticks in Publisher's mailbox at which the feeds are left unread: at overload their TCP windows fill, not memory."""
KEEPER_HIGH = 100_000
KEEPER_COLLECT_S = 0.005
GATEWAY_HIGH = 100_000
CACHE_HIGH = 200_000
CACHE_COLLECT_S = 0.010
METRICS_COLLECT_S = 0.25
"""Nobody reads metrics sooner, and its turns stay out of the hot path's way."""
METRICS_CAPACITY = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the actors of one relay are given. It outlives their incarnations."""

    settings: Settings
    clock: Clock
    redis: RedisServer
    producer: str
    """Id of the data directory's outbox."""
    feeds: Sequence[Feed]
    ingestors: Mapping[str, str]
    """Feed → its TickIngestor's id."""
    feed_changed: Callable[[FeedChanged], None]
    """The host's ear, called in an ingestor's thread."""
    metrics: Metrics
    listener: socket.socket
    """Where HTTP listens; lent to each incarnation of Gateway."""
    render_metrics: Callable[[], bytes]
    states: Callable[[], Sequence[ChildState]]
    """How the actors are."""


class Actors:
    """The child specs of one relay."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._given = surroundings
        self._settings = surroundings.settings
        self._run_id = new_epoch(surroundings.clock.now_us())

    def specs(self) -> list[ChildSpec]:
        """Sinks before sources: who is told exists before who tells."""
        return [
            self._metrics_collector(),
            self._gateway(),
            self._publisher(),
            self._cache_manager(),
            self._batch_writer(),
            self._buffer_keeper(),
            *(self._tick_ingestor(feed) for feed in self._given.feeds),
        ]

    def _link(self, context: Context) -> RedisLink:
        """An actor's own connection; its changes are messages to the actor, and a hang of the actor shuts it."""
        link = RedisLink(
            self._given.redis,
            context.id,
            listener=_tell_link(context),
            fence=context.fence,
            timeout_s=self._settings.redis.timeout_s,
        )
        context.guard(link.shut)
        return link

    def _publisher(self) -> ChildSpec:
        published: Published = {}
        settings = self._settings

        def make(context: Context) -> Publisher:
            return Publisher(
                context,
                bus=lambda: RedisBus(self._link(context), settings.keys, market_data=settings.market_data),
                clock=self._given.clock,
                keys=settings.keys,
                published=published,
            )

        mailbox = MailboxSpec(high=PUBLISHER_HIGH, low=PUBLISHER_HIGH // 2, weigh=_ticks)
        return _spec("publisher", make, mailbox)

    def _buffer_keeper(self) -> ChildSpec:
        unaccepted = Unaccepted()
        ownership = Ownership()
        candles = WaitingCandles()
        settings, given = self._settings, self._given

        def make(context: Context) -> BufferKeeper:
            return BufferKeeper(
                context,
                redis=lambda: RedisBuffer(
                    self._link(context), settings.keys, given.producer, buffer_size=settings.buffer.size
                ),
                spool=lambda: SqliteSpool(
                    settings.data_dir / "spool.db",
                    now_ms=lambda: given.clock.now_us() // 1000,
                    run_id=self._run_id,
                    sync=settings.spool.sync,
                ),
                clock=given.clock,
                feeds=given.ingestors,
                unaccepted=unaccepted,
                ownership=ownership,
                candles=candles,
                settings=BufferKeeperSettings(
                    buffer_size=settings.buffer.size,
                    window_entries=settings.outbox.window_entries,
                    window_bytes=settings.outbox.window_bytes,
                    spool_bytes=settings.spool.max_bytes,
                ),
            )

        mailbox = MailboxSpec(high=KEEPER_HIGH, low=KEEPER_HIGH // 2, weigh=_ticks)
        return _spec("buffer_keeper", make, mailbox, collect_s=KEEPER_COLLECT_S)

    def _batch_writer(self) -> ChildSpec:
        settings, given = self._settings, self._given

        def make(context: Context) -> BatchWriter:
            return BatchWriter(
                context,
                outbox=lambda: RedisOutbox(self._link(context), settings.keys, given.producer),
                store=self._make_store,
                quarantine=lambda: SqliteQuarantine(settings.data_dir / "quarantine.db"),
                ledger=lambda: SqliteLedger(settings.data_dir / LEDGER_FILE),
                clock=given.clock,
                random=Random(),
                settings=BatchWriterSettings(
                    interval_s=settings.batch.interval_s,
                    early_ticks=settings.batch.early_ticks,
                    early_entries=max(1, settings.outbox.window_entries // 2),
                ),
            )

        return _spec("batch_writer", make, MailboxSpec(), longest_call_s=10.0)

    def _tick_ingestor(self, feed: Feed) -> ChildSpec:
        settings, given = self._settings, self._given
        memory = FeedMemory()
        profile = feed.profile
        pipeline = PipelineSettings(
            sender=f"{self._run_id}/{profile.name}",
            feed=profile.name,
            source=profile.source,
            unit=profile.unit,
            unique_stamps=profile.unique_stamps,
            estimates_offset=profile.estimates_offset,
            selected=settings.assets,
        )

        def make(context: Context) -> TickIngestor:
            return TickIngestor(
                context,
                profile=profile,
                dialler=feed.dialler,
                make_decoder=feed.make_decoder,
                make_pipeline=lambda: FeedPipeline(pipeline, memory, OffsetEstimator()),
                registry=lambda: RedisRegistry(self._link(context), settings.keys),
                waiter=SelectorWaiter,
                staleness=Staleness(otc_s=settings.feed.otc_stale_s, least_s=settings.feed.stale_s),
                backoff=Backoff(min_s=settings.feed.backoff_min_s, max_s=settings.feed.backoff_max_s, random=Random()),
                clock=given.clock,
                observe=given.feed_changed,
            )

        return _spec(given.ingestors[profile.name], make, MailboxSpec())

    def _metrics_collector(self) -> ChildSpec:
        state = SystemState()
        settings, given = self._settings, self._given

        def make(context: Context) -> MetricsCollector:
            return MetricsCollector(
                context,
                redis=lambda: RedisMonitor(self._link(context), settings.keys),
                metrics=given.metrics,
                state=state,
                clock=given.clock,
            )

        mailbox = MailboxSpec(capacity=METRICS_CAPACITY, overflow="drop_oldest")
        return _spec("metrics_collector", make, mailbox, collect_s=METRICS_COLLECT_S)

    def _gateway(self) -> ChildSpec:
        memory = GatewayMemory()
        settings, given = self._settings, self._given
        access = access_of(settings.http, settings.secrets)

        def server(context: Context) -> HttpServer:
            services = Services(
                gateway=context.me.tell,
                cache=_tell_at_once(context.address("cache_manager")),
                monitor=context.address("metrics_collector").tell,
                metrics=given.render_metrics,
                actors=given.states,
                audit=lambda since, asset: audit(self._settings.data_dir, since=since, asset=asset),
                clock=given.clock,
                version=installed("tickwire"),
            )
            return HttpServer(given.listener, services, incarnation=context.incarnation, access=access)

        def make(context: Context) -> Gateway:
            return Gateway(
                context,
                server=lambda: server(context),
                redis=lambda: RedisRefill(self._link(context), settings.keys, buffer_size=settings.buffer.size),
                memory=memory,
                ingestors=given.ingestors,
                clock=given.clock,
            )

        return _spec("gateway", make, MailboxSpec(high=GATEWAY_HIGH, low=GATEWAY_HIGH // 2, weigh=_ticks))

    def _cache_manager(self) -> ChildSpec:
        settings, given = self._settings, self._given
        candles, history = CandleBook(settings.cache.size), HistoryMemory()

        def make(context: Context) -> CacheManager:
            return CacheManager(
                context,
                cache=lambda: RedisCache(self._link(context), settings.keys, ttl_s=settings.cache.ttl_s),
                reader=lambda number: StoreReader(self._make_store, context.me.tell, given.clock, number),
                source=lambda: StoreRestorer(self._make_store, context.me.tell),
                clock=given.clock,
                candles=candles,
                history=history,
                ingestors=given.ingestors,
            )

        mailbox = MailboxSpec(high=CACHE_HIGH, low=CACHE_HIGH // 2, weigh=_ticks)
        return _spec("cache_manager", make, mailbox, collect_s=CACHE_COLLECT_S)

    def _make_store(self) -> Store:
        """One for each actor that asks: BatchWriter writes through its own, CacheManager reads through another."""
        settings = self._settings
        return open_store(
            settings.store.parsed,
            data_dir=settings.data_dir,
            service_role_key=settings.supabase_service_role_key,
            anon_key=settings.supabase_anon_key,
        )


def _ticks(message: object) -> int:
    """Mailboxes are bounded in ticks; a message without ticks counts as one."""
    ticks = getattr(message, "ticks", 1)
    return max(1, ticks if isinstance(ticks, int) else len(ticks))


def _tell_at_once(address: Address) -> Callable[[object], PutResult]:
    """Somebody waits: not for the 10 ms that CacheManager lets ticks gather."""
    return lambda message: address.tell(message, control=True)


def _tell_link(context: Context) -> Listener:
    me, owner = context.me, context.id

    def tell(state: LinkState, detail: str) -> None:
        me.tell(LinkChanged(owner=owner, link="redis", state=state, detail=detail), control=True)

    return tell


def _spec(
    id: str, factory: Callable[[Context], Any], mailbox: MailboxSpec, *, collect_s: float = 0.0,
    longest_call_s: float = 5.0,
) -> ChildSpec:  # fmt: skip
    return ChildSpec(
        id=id,
        factory=factory,
        restart="permanent",
        shutdown_s=2.0,
        start_deadline_s=10.0,
        hang_after_s=HANG_AFTER_S,
        mailbox=mailbox,
        collect_s=collect_s,
        longest_call_s=longest_call_s,
    )
