"""`Relay`: the whole of tickwire in a host's process. The CLI is one such host.

Start: data directory, Redis (if embedded), the feeds' own servers, then the actors, sinks before sources.
Stop: the feeds are drained, then the spool, then the store; then the actors end in reverse order.
"""

import os
import socket
import threading
from collections.abc import Callable, Sequence

import structlog

from tickwire.actors.kernel import Backoff, ChildState, PutResult, StartFailed, Supervisor, SupervisorSpec
from tickwire.actors.ports import PortError
from tickwire.config.settings import Settings
from tickwire.config.urls import EmbeddedRedis as EmbeddedUrl
from tickwire.config.urls import RedisServer, parse_redis
from tickwire.messages.lifecycle import FeedChanged, FeedState, TicksPushed
from tickwire.messages.ticks import BackfillReceived, TicksLost, TicksReceived
from tickwire.runtime.app import Actors, Surroundings
from tickwire.runtime.audit import note_holes
from tickwire.runtime.clock import SystemClock
from tickwire.runtime.datadir import DataDir, DataDirError, RunInfo
from tickwire.runtime.drain import drain, flush, settle
from tickwire.runtime.feeds import Feed, FeedError, open_feed
from tickwire.runtime.gateway.listen import ListenError, listen, url_of
from tickwire.runtime.metrics import RelayMetrics
from tickwire.runtime.metrics_scraped import KernelReading
from tickwire.runtime.redisio.embedded import EmbeddedRedis, EmbeddedRedisError
from tickwire.runtime.stores.ledger import LEDGER_FILE, mend_ledger
from tickwire.runtime.stores.open import shown_url
from tickwire.runtime.stores.spool import mend_spool

_log = structlog.get_logger("tickwire.relay")

STOP_S = 8.0
"""A stop takes no longer, whatever hangs."""
CHECK_S = 20.0
"""At a start, for the look whether spool and ledger are damaged."""
ENDING_S = 3.0
"""Of these, for the actors to end after the drain."""

ROOT = SupervisorSpec(
    strategy="one_for_one",
    intensity=10,
    period_s=60.0,
    backoff=Backoff(min_s=0.2, max_s=5.0, random_factor=0.2, reset_after_s=60.0),
)


class StartError(Exception):
    """tickwire can't start; the text is one line that names what and the remedy."""


class Relay:
    """Several may run at once in a process, each on a data directory of its own.

    `start`, then `push` for a feed `push:`, then `stop`; or `with Relay(settings) as relay: …`. All methods may be
    called from any thread; none sets a signal handler or ends the process.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = SystemClock()
        self._data_dir = DataDir(self.settings.data_dir)
        self._listener: socket.socket | None = None
        self._embedded: EmbeddedRedis | None = None
        self._redis_server: RedisServer | None = None
        self._feeds: list[Feed] = []
        self._ingestors: dict[str, str] = {}
        self._supervisor: Supervisor | None = None
        self.metrics = RelayMetrics(self._read_kernel)
        self._feed_states: dict[str, FeedState] = {}
        self._news = threading.Event()
        self._stopped = False

    def __enter__(self) -> "Relay":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- starting ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and return when HTTP listens and every actor has started. Raises StartError.

        Servers outside (Redis, the store, the feed's) may be down: they are tried again for ever.
        """
        try:
            self._data_dir.open()
            # Here it may take its time: BufferKeeper, who looks again, has to start by a deadline.
            mend_spool(self.settings.data_dir / "spool.db", within_s=CHECK_S)
            mend_ledger(self.settings.data_dir / LEDGER_FILE, within_s=CHECK_S)
            if self._data_dir.killed:
                note_holes(self.settings.data_dir)
            self._listener = listen(self.settings.http.host, self.settings.http.port)
            self._start_redis()
            self._start_feeds()
            self._supervisor = Supervisor(
                ROOT,
                self._actors().specs(),
                on_failure=self._on_failure,
                drain=self._put_in_safety,
                on_dead=self._on_dead,
            )
            self._supervisor.start()
        except (DataDirError, ListenError, EmbeddedRedisError, FeedError, PortError, StartFailed) as error:
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

    def _actors(self) -> Actors:
        assert self._redis_server is not None
        assert self._listener is not None
        return Actors(
            Surroundings(
                settings=self.settings,
                clock=self.clock,
                redis=self._redis_server,
                producer=self._data_dir.producer,
                feeds=self._feeds,
                ingestors=self._ingestors,
                feed_changed=self._on_feed_changed,
                metrics=self.metrics,
                listener=self._listener,
                render_metrics=self.metrics.render,
                states=self.states,
            )
        )

    # -- what a host may know and do -----------------------------------------------------------------------------

    @property
    def http_url(self) -> str:
        """Where HTTP listens; known once started."""
        assert self._listener is not None
        return url_of(self._listener)

    @property
    def redis_url(self) -> str:
        """Without credentials."""
        return self._redis_server.masked if self._redis_server is not None else self.settings.redis.parsed.masked

    @property
    def store_url(self) -> str:
        """Without credentials; SQLite's with its path."""
        return shown_url(self.settings.store.parsed, self.settings.data_dir)

    @property
    def supervisor(self) -> Supervisor:
        """The root: addresses, states, `crash`. Known once started."""
        assert self._supervisor is not None
        return self._supervisor

    def states(self) -> list[ChildState]:
        """How the actors are."""
        return self._supervisor.states() if self._supervisor is not None else []

    def _read_kernel(self) -> KernelReading:
        kernel = self._supervisor
        if kernel is None:
            return KernelReading()
        return KernelReading(actors=kernel.states(), dead_letters=kernel.dead_letter_weights(), zombies=kernel.zombies)

    def push(self, asset: str, timestamp: float, price: float | str) -> bool:
        """One tick of the host's own source, into the feed `push:`; seconds UTC. Raises LookupError without one."""
        return self.push_many([(asset, timestamp, price)])

    def push_many(self, rows: Sequence[tuple[str, float, float | str]]) -> bool:
        """Several ticks at once, in order. Whether they were taken: all, or none.

        None are while 100,000 ticks wait for the spool, or after the end: they are the host's to keep or to drop.
        """
        name = self._pushed[0] if self._pushed else None
        if name is None:
            raise LookupError("there is no feed to push into; give Settings(feeds=['push:'])")
        if self.supervisor.address("buffer_keeper").congested:
            return False
        return self.supervisor.address(name).tell(TicksPushed(rows=rows)) is PutResult.ACCEPTED

    def flush(self, *, within_s: float = STOP_S) -> bool:
        """Store what was pushed so far, now; whether the store has all that was accepted."""
        return flush(self.supervisor, self._pushed, within_s)

    def settle(self, *, within_s: float = STOP_S) -> bool:
        """Wait until what was pushed so far is in the spool and, where Redis is up, in its buffer; whether it is."""
        return settle(self.supervisor, self._pushed, within_s)

    @property
    def _pushed(self) -> list[str]:
        """Ingestors of the feeds that the host pushes into."""
        return [self._ingestors[feed.name] for feed in self._feeds if feed.dialler is None]

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

    def _on_dead(self, recipient: str, reason: str, messages: Sequence[object]) -> None:
        """Ticks that BufferKeeper could not take are lost: that goes on record."""
        for message in messages:
            if recipient == "buffer_keeper" and isinstance(message, TicksReceived | BackfillReceived):
                self.supervisor.address(recipient).tell(TicksLost(message=message, reason=reason))

    def _on_failure(self, error: BaseException) -> None:
        _log.error("supervisor_gave_up", error=repr(error))
        self._news.set()

    def _put_in_safety(self, within_s: float) -> None:
        """The supervisor has given up and stops the actors next: those that still run hand on what they have."""
        drain(self.supervisor, self._ingestors.values(), within_s)

    # -- stopping ----------------------------------------------------------------------------------------------

    def stop(self, *, within_s: float = STOP_S, patient: Callable[[], bool] = lambda: False) -> bool:
        """Drain and stop everything; whether all that was accepted is stored. Idempotent.

        While `patient` says so, the drain goes on past `within_s` until the store has taken all.
        """
        stored = True
        if self._supervisor is not None and not self._stopped:
            self._stopped = True
            stored = self.failure is None and drain(
                self._supervisor,
                self._ingestors.values(),
                within_s - ENDING_S,
                patient=lambda: self.failure is None and patient(),
            )
            self._supervisor.stop(ENDING_S)
        self._tear_down()
        return stored

    def _tear_down(self) -> None:
        for feed in self._feeds:
            feed.stop()
        if self._listener is not None:
            self._listener.close()
        if self._embedded is not None:
            self._embedded.stop()
        self._data_dir.close()
