"""A gateway as it runs: the real actor, supervisor, event loop and socket on loopback; its peers are scripted.

with running_gateway() as gateway:
    gateway.tell(received(1, columns("A", 1, 5)))
    gateway.url                                   # http://127.0.0.1:PORT
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from support.redis_doubles import FakeLink, MemoryRedis
from support.tickwire_process import eventually

from tickwire.actors.gateway import Gateway
from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.actors.kernel import Backoff, ChildSpec, Context, Supervisor, SupervisorSpec
from tickwire.actors.ports import Listener
from tickwire.market.candle_pages import within
from tickwire.messages.candles import Candle, Hole, HolesAnswered, HolesRequested
from tickwire.messages.clients import StateAnswered, StateRequested
from tickwire.messages.history import (
    HistoryCounted,
    HistoryCountsRequested,
    HistoryFailed,
    HistoryRequested,
    HistoryServed,
    StoredTicksRequested,
    StoredTicksServed,
)
from tickwire.messages.lifecycle import FeedChanged, LinkChanged
from tickwire.runtime.audit import Audit
from tickwire.runtime.clock import SystemClock
from tickwire.runtime.gateway.admission import Access, Limits
from tickwire.runtime.gateway.listen import listen, url_of
from tickwire.runtime.gateway.loop import LoopFactory
from tickwire.runtime.gateway.server import HttpServer
from tickwire.runtime.gateway.services import Services

M = TypeVar("M")

ROOT = SupervisorSpec(
    strategy="one_for_one",
    intensity=5,
    period_s=10.0,
    backoff=Backoff(min_s=0.01, max_s=0.05, random_factor=0.0, reset_after_s=5.0),
)


class MemoryRefill:
    """`RefillRedis` in memory."""

    def __init__(self, redis: MemoryRedis, listener: Listener | None = None) -> None:
        self._redis = redis
        self.link: FakeLink = redis.link(listener)

    def newest(self, asset: str) -> Sequence[bytes]:
        return self._redis.call(self.link, lambda: list(self._redis.lists.get(self._redis.keys.ticks(asset), ())))

    def assets(self) -> Sequence[str]:
        return self._redis.call(self.link, lambda: list(self._redis.hashes.get(self._redis.keys.assets, {})))


class Recorder:
    """A peer that keeps what it is told, and answers history questions."""

    def __init__(self) -> None:
        self.messages: list[object] = []
        self.candles: dict[tuple[str, str], list[Candle]] = {}
        self.ticks: list[tuple[int, str]] = []
        """Of any asset, as in the store; no two of one stamp."""
        self.holes: dict[str, list[Hole]] = {}
        self.failing = ""
        self.silent = False
        self.stale = False
        """Whether the store has not confirmed the candles."""
        self.source: Literal["memory", "client"] = "memory"
        self.most = 10_000
        """Candles that one answer brings, however many are asked for."""
        self.before: Callable[[HistoryRequested], object] = lambda _: None
        """Called for each question about candles before it is answered; may set the three above."""

    def behaviour(self, _context: Context) -> "Recorder":
        return self

    def open(self) -> None:
        """Nothing to open."""

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            if isinstance(message, HistoryRequested):
                self.before(message)
            if isinstance(message, HistoryRequested) and not self.silent:
                message.reply_to.tell(self._answer(message))
            if isinstance(message, StoredTicksRequested):
                message.reply_to.tell(self._ticks(message))
            if isinstance(message, HistoryCountsRequested):
                message.reply_to.tell(HistoryCounted(hits=5, misses=4, stale=3, waits=2, failed=1))
            if isinstance(message, HolesRequested):
                holes = self.holes.get(message.asset)
                message.reply_to.tell(
                    HolesAnswered(asset=message.asset, known=holes is not None, holes=holes or ())
                )  # fmt: skip
            self.messages.append(message)

    def _answer(self, asked: HistoryRequested) -> HistoryServed | HistoryFailed:
        if self.failing:
            return HistoryFailed(asset=asked.asset, timeframe=asked.timeframe, reason=self.failing)
        candles = within(self.candles.get((asked.asset, asked.timeframe), []), asked)
        most = min(asked.limit, self.most)
        return HistoryServed(
            asset=asked.asset, timeframe=asked.timeframe, candles=candles[-most:], source=self.source,
            older=len(candles) > most, stale=self.stale,
        )  # fmt: skip

    def _ticks(self, asked: StoredTicksRequested) -> StoredTicksServed:
        since, until = asked.from_us or 0, asked.until_us
        ticks = [tick for tick in self.ticks if since <= tick[0] and (until is None or tick[0] < until)]
        return StoredTicksServed(asset=asked.asset, ticks=ticks[-asked.limit :], older=len(ticks) > asked.limit)

    def close(self) -> None:
        """Nothing to close."""

    def got(self, kind: type[M]) -> list[M]:
        return [message for message in list(self.messages) if isinstance(message, kind)]


class RunningGateway:
    def __init__(self, limits: Limits, access: Access, host: str, make_loop: LoopFactory | None) -> None:
        self.redis = MemoryRedis()
        self.memory = GatewayMemory()
        self.cache = Recorder()
        self.metrics = Recorder()
        self.ingestor = Recorder()
        self.listener = listen(host, 0)
        self.url = url_of(self.listener)
        self.port: int = self.listener.getsockname()[1]
        self.servers: list[HttpServer] = []
        self._limits = limits
        self._make_loop = make_loop
        self._access = access
        self.supervisor = Supervisor(
            ROOT,
            [
                _spec("metrics_collector", self.metrics.behaviour),
                _spec("cache_manager", self.cache.behaviour),
                _spec("tick_ingestor", self.ingestor.behaviour),
                _spec("gateway", self._make),
            ],
        )

    def _make(self, context: Context) -> Gateway:
        clock = SystemClock()

        def server() -> HttpServer:
            services = Services(
                gateway=context.me.tell,
                cache=context.address("cache_manager").tell,
                monitor=context.address("metrics_collector").tell,
                metrics=lambda: b"tickwire_up 1\n",
                actors=self.supervisor.states,
                audit=lambda since, asset: Audit(accounts=(), holes=(), unreadable_entries=0),
                clock=clock,
                version="9.9",
            )
            made = HttpServer(
                self.listener,
                services,
                incarnation=context.incarnation,
                access=self._access,
                limits=self._limits,
                make_loop=self._make_loop,
            )
            self.servers.append(made)
            return made

        def redis() -> MemoryRefill:
            def on_link(state: Any, detail: str) -> None:
                context.me.tell(LinkChanged(owner="gateway", link="redis", state=state, detail=detail), control=True)

            return MemoryRefill(self.redis, on_link)

        return Gateway(
            context,
            server=server,
            redis=redis,
            memory=self.memory,
            ingestors={"f1": "tick_ingestor"},
            clock=clock,
        )

    def tell(self, *messages: object) -> None:
        for message in messages:
            self.supervisor.address("gateway").tell(message)

    def settle(self) -> StateAnswered:
        """Wait until everything told so far has been handled; how all is."""
        answer = self.supervisor.address("gateway").ask(lambda to: StateRequested(reply_to=to), timeout_s=20)
        assert isinstance(answer, StateAnswered)
        return answer

    def make_ready(self) -> None:
        """Feed, Redis and store are well."""
        self.tell(
            FeedChanged(feed="f1", state="live"),
            LinkChanged(owner="publisher", link="redis", state="up"),
            LinkChanged(owner="batch_writer", link="store", state="up"),
        )
        self.settle()

    def restart(self) -> None:
        """Crash the actor and wait for its next incarnation to serve."""
        served = len(self.servers)
        self.supervisor.crash("gateway")
        eventually(lambda: len(self.servers) > served and self.settle(), "the next incarnation", 20)


def _spec(id: str, factory: Callable[[Context], Any]) -> ChildSpec:
    return ChildSpec(
        id=id, factory=factory, restart="permanent", shutdown_s=4.0, start_deadline_s=10.0, hang_after_s=60.0,
        longest_call_s=5.0,
    )  # fmt: skip


@contextmanager
def running_gateway(
    limits: Limits | None = None,
    access: Access | None = None,
    *,
    host: str = "127.0.0.1",
    make_loop: LoopFactory | None = None,
) -> Iterator[RunningGateway]:
    gateway = RunningGateway(limits or Limits(), access or Access(), host, make_loop)
    try:
        gateway.supervisor.start()
        yield gateway
    finally:
        gateway.supervisor.stop(8.0)
        gateway.listener.close()
    left = [thread.name for thread in threading.enumerate() if thread.name == "gateway-http"]
    assert not left, "the server's thread has ended"
