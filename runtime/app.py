"""The composition root: which actors there are, in which order they start, and what each is given.

The only file that knows both actors and adapters. `Relay` is the whole of tickwire in a host's process; the CLI is
one such host. Start: data directory, Redis (if embedded), feeds' servers, then the actors, sinks before sources.
Stop: the feeds are drained, then the spool, then the store; then the actors end in reverse order.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import structlog

from tickwire.actors.batch_writer import BatchWriter, BatchWriterSettings
from tickwire.actors.buffer_keeper import BufferKeeper, BufferKeeperSettings, Intake
from tickwire.actors.kernel import (
    AddressDead,
    AskTimeout,
    Backoff,
    ChildSpec,
    ChildState,
    Context,
    MailboxSpec,
    ReplyTo,
    StartFailed,
    Supervisor,
    SupervisorSpec,
)
from tickwire.actors.ports import Listener
from tickwire.actors.publisher import Published, Publisher
from tickwire.actors.tick_ingestor import TickIngestor
from tickwire.config.settings import Settings
from tickwire.config.urls import EmbeddedRedis as EmbeddedUrl
from tickwire.config.urls import RedisServer, parse_redis
from tickwire.market.backoff import Backoff as Pauses
from tickwire.market.identity import new_epoch
from tickwire.market.offset import OffsetEstimator
from tickwire.market.pipeline import FeedMemory, FeedPipeline, PipelineSettings
from tickwire.market.staleness import Staleness
from tickwire.messages.lifecycle import (
    DrainRequested,
    FeedChanged,
    FeedState,
    FlushRequested,
    LinkChanged,
    LinkState,
    OutboxForwarded,
    TicksPushed,
)
from tickwire.runtime.clock import SystemClock
from tickwire.runtime.datadir import DataDir, DataDirError, RunInfo
from tickwire.runtime.feeds import Feed, FeedError, open_feed
from tickwire.runtime.feeds.waiter import SelectorWaiter
from tickwire.runtime.redisio.buffer import RedisBuffer
from tickwire.runtime.redisio.bus import RedisBus
from tickwire.runtime.redisio.embedded import EmbeddedRedis, EmbeddedRedisError
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.outbox import RedisOutbox
from tickwire.runtime.redisio.registry import RedisRegistry
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.spool import SqliteSpool

_log = structlog.get_logger("tickwire.app")

STOP_S = 8.0
"""A stop takes no longer, whatever hangs."""
HANG_AFTER_S = 30.0
PUBLISHER_HIGH = 20_000
"""Ticks in Publisher's mailbox at which the feeds are left unread: at overload their TCP windows fill, not memory."""
KEEPER_HIGH = 100_000
KEEPER_COLLECT_S = 0.005
CACHE_HIGH = 200_000
CACHE_COLLECT_S = 0.010

A = TypeVar("A")


class StartError(Exception):
    """tickwire can't start; the text is one line that names what and the remedy."""


def _ticks(message: object) -> int:
    """Mailboxes are bounded in ticks; a message without ticks counts as one."""
    return max(1, getattr(message, "ticks", 1))


class Relay:
    """The whole of tickwire in this process. Several may run at once, each on a data directory of its own.

    `start`, then `push` for a feed `push:`, then `stop`. All methods may be called from any thread; none sets a
    signal handler or ends the process.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = SystemClock()
        self._data_dir = DataDir(self.settings.data_dir)
        self._embedded: EmbeddedRedis | None = None
        self._redis_server: RedisServer | None = None
        self._feeds: list[Feed] = []
        self._ingestors: dict[str, str] = {}
        self._supervisor: Supervisor | None = None
        self._feed_states: dict[str, FeedState] = {}
        self._news = threading.Event()
        self._stopped = False

    # -- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and return when HTTP listens and every actor has started. Raises StartError.

        Servers outside (Redis, the store, the feed's) may be down: they are tried again for ever.
        """
        try:
            self._data_dir.open()
            self._start_redis()
            self._start_feeds()
            self._supervisor = Supervisor(
                SupervisorSpec(
                    strategy="one_for_one",
                    intensity=10,
                    period_s=60.0,
                    backoff=Backoff(min_s=0.2, max_s=30.0, random_factor=0.2, reset_after_s=60.0),
                ),
                self._children(),
                on_failure=self._on_failure,
            )
            self._supervisor.start()
        except (DataDirError, EmbeddedRedisError, FeedError, StartFailed) as error:
            self._tear_down()
            raise StartError(str(error)) from error
        self._data_dir.write_run(
            RunInfo(pid=os.getpid(), http=self.http_url, redis=self.redis_url, store=self.store_url)
        )
        for feed in self._feeds:
            feed.ready()

    def _start_redis(self) -> None:
        url = self.settings.redis.parsed
        if isinstance(url, EmbeddedUrl):
            self._embedded = EmbeddedRedis(self.settings.data_dir)
            started = parse_redis(self._embedded.start())
            assert isinstance(started, RedisServer)
            url = started
        self._redis_server = url

    def _start_feeds(self) -> None:
        secret = self.settings.pocketoption_session
        for url in self.settings.parsed_feeds:
            feed = open_feed(
                url,
                clock=self.clock,
                session=secret.get_secret_value() if secret else None,
                connect_timeout_s=self.settings.feed.connect_timeout_s,
            )
            self._feeds.append(feed)
            feed.start()
        several = len(self._feeds) > 1
        for place, feed in enumerate(self._feeds, 1):
            self._ingestors[feed.name] = f"tick_ingestor:{place}" if several else "tick_ingestor"

    # -- actors ------------------------------------------------------------------------------------------------

    def _children(self) -> list[ChildSpec]:
        """Sinks before sources: who is told exists before who tells."""
        return [
            self._metrics_collector(),
            self._gateway(),
            self._publisher(),
            self._cache_manager(),
            self._batch_writer(),
            self._buffer_keeper(),
            *(self._tick_ingestor(feed) for feed in self._feeds),
        ]

    def _link(self, context: Context) -> RedisLink:
        """An actor's own connection; its changes are messages to the actor."""
        assert self._redis_server is not None
        return RedisLink(
            self._redis_server,
            context.id,
            listener=_tell_link(context),
            fence=context.fence,
            timeout_s=self.settings.redis.timeout_s,
        )

    def _publisher(self) -> ChildSpec:
        published: Published = {}
        settings = self.settings

        def make(context: Context) -> Publisher:
            return Publisher(
                context,
                bus=lambda: RedisBus(self._link(context), settings.keys, market_data=settings.market_data),
                clock=self.clock,
                keys=settings.keys,
                published=published,
            )

        mailbox = MailboxSpec(high=PUBLISHER_HIGH, low=PUBLISHER_HIGH // 2, weigh=_ticks)
        return _spec("publisher", make, mailbox)

    def _buffer_keeper(self) -> ChildSpec:
        unaccepted: list[Intake] = []
        settings = self.settings
        run_id = new_epoch(self.clock.now_us())
        self._run_id = run_id

        def make(context: Context) -> BufferKeeper:
            return BufferKeeper(
                context,
                redis=lambda: RedisBuffer(
                    self._link(context), settings.keys, self._data_dir.producer, buffer_size=settings.buffer.size
                ),
                spool=lambda: SqliteSpool(
                    settings.data_dir / "spool.db",
                    now_ms=lambda: self.clock.now_us() // 1000,
                    run_id=run_id,
                    sync=settings.spool.sync,
                ),
                clock=self.clock,
                feeds=self._ingestors,
                unaccepted=unaccepted,
                settings=BufferKeeperSettings(
                    buffer_size=settings.buffer.size,
                    window_entries=settings.outbox.window_entries,
                    window_bytes=settings.outbox.window_bytes,
                ),
            )

        mailbox = MailboxSpec(high=KEEPER_HIGH, low=KEEPER_HIGH // 2, weigh=_ticks)
        return _spec("buffer_keeper", make, mailbox, collect_s=KEEPER_COLLECT_S)

    def _batch_writer(self) -> ChildSpec:
        settings = self.settings

        def make(context: Context) -> BatchWriter:
            return BatchWriter(
                context,
                outbox=lambda: RedisOutbox(self._link(context), settings.keys, self._data_dir.producer),
                store=self._make_store,
                quarantine=lambda: SqliteQuarantine(settings.data_dir / "quarantine.db"),
                clock=self.clock,
                random=Random(),
                settings=BatchWriterSettings(
                    interval_s=settings.batch.interval_s,
                    early_ticks=settings.batch.early_ticks,
                    early_entries=max(1, settings.outbox.window_entries // 2),
                ),
            )

        return _spec("batch_writer", make, MailboxSpec(), longest_call_s=10.0)

    def _tick_ingestor(self, feed: Feed) -> ChildSpec:
        settings = self.settings
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
                staleness=Staleness(otc_s=settings.feed.otc_stale_s),
                backoff=Pauses(min_s=settings.feed.backoff_min_s, max_s=settings.feed.backoff_max_s, random=Random()),
                clock=self.clock,
                observe=self._on_feed_changed,
            )

        return _spec(self._ingestors[profile.name], make, MailboxSpec())

    # TEMPORARY
    def _metrics_collector(self) -> ChildSpec:
        return _spec("metrics_collector", _Sink, MailboxSpec())

    def _gateway(self) -> ChildSpec:
        return _spec("gateway", _Sink, MailboxSpec())

    def _cache_manager(self) -> ChildSpec:
        return _spec("cache_manager", _Sink, MailboxSpec())

    http_url = "http://127.0.0.1:1"
    store_url = "sqlite:x"

    def _make_store(self) -> Any:
        from tickwire.runtime.stores.sqlite import SqliteStore

        parsed = self.settings.store.parsed
        return SqliteStore(Path(getattr(parsed, "path", None) or self.settings.data_dir / "ticks.db"))

    # -- a host's side -----------------------------------------------------------------------------------------

    @property
    def redis_url(self) -> str:
        """Without credentials."""
        return self._redis_server.masked if self._redis_server is not None else self.settings.redis.parsed.masked

    @property
    def supervisor(self) -> Supervisor:
        """The root: addresses, states, `crash`. Known once started."""
        assert self._supervisor is not None
        return self._supervisor

    def states(self) -> list[ChildState]:
        """How the actors are."""
        return self._supervisor.states() if self._supervisor is not None else []

    def push(self, asset: str, timestamp: float, price: float | str) -> None:
        """One tick of the host's own source, into the feed `push:`; seconds UTC. Raises LookupError without one."""
        self.push_many([(asset, timestamp, price)])

    def push_many(self, rows: Sequence[tuple[str, float, float | str]]) -> None:
        """Several ticks at once, in order."""
        for feed in self._feeds:
            if feed.dialler is None:
                self.supervisor.address(self._ingestors[feed.name]).tell(TicksPushed(rows=rows))
                return
        raise LookupError("there is no feed to push into; give Settings(feeds=['push:'])")

    @property
    def failure(self) -> BaseException | None:
        """Why the supervisor gave up, None while it has not."""
        return self._supervisor.failure if self._supervisor is not None else None

    @property
    def ended(self) -> bool:
        """Whether every feed is a recording and at its end."""
        return all(self._feed_states.get(feed.name) == "ended" for feed in self._feeds)

    def wait(self, timeout_s: float) -> bool:
        """Wait for news; whether the supervisor has failed or every recording ended."""
        if not self._news.wait(timeout_s):
            return False
        self._news.clear()
        over = self.failure is not None or self.ended
        if over:
            self._news.set()
        return over

    def _on_feed_changed(self, change: FeedChanged) -> None:
        self._feed_states[change.feed] = change.state
        if self.ended:
            self._news.set()

    def _on_failure(self, error: BaseException) -> None:
        _log.error("supervisor_gave_up", error=repr(error))
        self._news.set()

    # -- stopping ----------------------------------------------------------------------------------------------

    def drain_and_stop(self, *, within_s: float = STOP_S) -> bool:
        """Drain and stop everything; whether all that was accepted is stored. Idempotent.

        When every recording has ended it waits for the store for as long as that takes what it is given.
        """
        until_stored = self.ended and bool(self._feeds)
        if self._stopped or self._supervisor is None:
            self._tear_down()
            return True
        self._stopped = True
        started = time.monotonic()
        stored = self._drain(started + within_s - 3.0, until_stored)
        self._supervisor.stop(max(1.0, started + within_s - time.monotonic()))
        self._tear_down()
        return stored

    def _drain(self, deadline: float, until_stored: bool) -> bool:
        """Feeds, then spool, then store; what the store has not got stays in the spool for the next start."""
        for ingestor in self._ingestors.values():
            self._ask(ingestor, lambda to: DrainRequested(reply_to=to), min(3.0, _left(deadline)))
        while True:
            self._ask("buffer_keeper", lambda to: DrainRequested(reply_to=to), min(2.0, _left(deadline)))
            self._ask("batch_writer", lambda to: FlushRequested(reply_to=to), _left(deadline))
            left = self._ask("buffer_keeper", lambda to: DrainRequested(reply_to=to), min(2.0, _left(deadline)))
            rows = left.spool_rows if isinstance(left, OutboxForwarded) else None
            if rows == 0:
                return True
            if until_stored:
                deadline = time.monotonic() + STOP_S
            elif _left(deadline) <= 0.1:
                _log.warning("left_in_the_spool", entries=rows, remedy="start again on this data directory")
                return False

    def _ask(self, actor: str, build: Callable[[ReplyTo], object], timeout_s: float) -> Any:
        try:
            return self.supervisor.address(actor).ask(build, timeout_s=max(0.1, timeout_s))
        except (AskTimeout, AddressDead) as error:
            _log.warning("no_answer", actor=actor, error=str(error))
            return None

    def _tear_down(self) -> None:
        for feed in self._feeds:
            feed.stop()
        if self._embedded is not None:
            self._embedded.stop()
        self._data_dir.close()


def _left(deadline: float) -> float:
    return deadline - time.monotonic()


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


class _Sink:
    def __init__(self, context: Context) -> None:
        pass

    def open(self) -> None:
        pass

    def step(self, batch: Sequence[object]) -> None:
        pass

    def close(self) -> None:
        pass
