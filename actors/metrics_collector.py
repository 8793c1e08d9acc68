"""Displays, and only displays: fills the metrics registry, reads Redis' INFO, says on `system_status` how all is.

Receives  Telemetry (one message a batch from every actor, FeedChanged, LinkChanged, AssetsAnnounced); of Gateway's
          server RedisInfoRequested
Sends     LinkChanged (its own, to Gateway); publishes {service, status, timestamp, details} on `system_status`
Owns      a Redis connection; registry and system state are given to it and outlive it
If it dies  counters go on from where they were; what was told to it meanwhile waits in its mailbox.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
import structlog

from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.ports import Clock, Metrics, MonitorRedis, PortError
from tickwire.actors.system_state import SystemState
from tickwire.messages.clients import RedisInfoAnswered, RedisInfoRequested
from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, LinkChanged
from tickwire.messages.telemetry import (
    BacklogMeasured,
    BatchStored,
    CandlesStored,
    ClientsMeasured,
    FeedMeasured,
    HistoryMeasured,
    RowsQuarantined,
    SpoolMeasured,
    TicksLeftOut,
    TicksPublished,
)
from tickwire.messages.ticks import TicksAccepted

_log = structlog.get_logger("tickwire.metrics_collector")

SERVICE = "tickwire"
BEAT_S = 5.0
"""How often INFO is read and the status is said again, changed or not."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Own timer. One that comes again after a crash is not of this incarnation, which has a timer of its own."""

    incarnation: int


class MetricsCollector:
    def __init__(
        self,
        context: Context,
        *,
        redis: Callable[[], MonitorRedis],
        metrics: Metrics,
        state: SystemState,
        clock: Clock,
    ) -> None:
        self._context = context
        self._make_redis = redis
        self._metrics = metrics
        self._state = state
        self._clock = clock
        self._trouble = ""

    def open(self) -> None:
        self._redis = self._make_redis()
        self._gateway = self._context.address("gateway")
        self._redis.link.start()
        self._context.after(BEAT_S, Beat(self._context.incarnation))

    def step(self, batch: Sequence[object]) -> None:
        changed = False
        for message in batch:
            changed |= self._handle(message)
        if changed:
            self._say_status()

    def _handle(self, message: object) -> bool:
        """Whether it changes how the whole is."""
        match message:
            case FeedChanged():
                self._metrics.record(message)
                self._state.feed_changed(message)
                return True
            case LinkChanged():
                self._metrics.record(message)
                self._state.link_changed(message)
                if message.owner == self._context.id:
                    self._on_own_link(message)
                return True
            case TicksPublished() | TicksAccepted() | SpoolMeasured():
                self._metrics.record(message)
            case BatchStored() | BacklogMeasured() | RowsQuarantined() | CandlesStored():
                self._metrics.record(message)
            case FeedMeasured() | HistoryMeasured() | TicksLeftOut() | ClientsMeasured() | AssetsAnnounced():
                self._metrics.record(message)
            case RedisInfoRequested():
                message.reply_to.tell(self._redis_info())
            case Beat():
                if message.incarnation == self._context.incarnation:
                    self._on_beat(message)
            case _:
                raise TypeError(f"MetricsCollector takes no {type(message).__name__}")
        return False

    def _on_own_link(self, change: LinkChanged) -> None:
        self._gateway.tell(change)
        self._read_info()

    def _on_beat(self, beat: Beat) -> None:
        self._context.after(BEAT_S, beat)
        self._read_info()
        self._say_status()

    def _read_info(self) -> None:
        """Figures of a server that is not reached are taken away, not shown as they last were."""
        if not self._redis.link.up:
            self._metrics.redis_info({})
            return
        try:
            self._metrics.redis_info(self._redis.info())
        except PortError as error:
            self._metrics.redis_info({})
            self._note(str(error))

    def _redis_info(self) -> RedisInfoAnswered:
        if not self._redis.link.up:
            return RedisInfoAnswered(info={}, error=f"Redis is {self._redis.link.detail or 'down'}")
        try:
            return RedisInfoAnswered(info=self._redis.info())
        except PortError as error:
            return RedisInfoAnswered(info={}, error=str(error))

    def _say_status(self) -> None:
        if not self._redis.link.up:
            return
        status = {
            "service": SERVICE,
            "status": self._state.status,
            "timestamp": self._clock.now_us() / 1e6,
            "details": self._state.details(),
        }
        try:
            self._redis.publish_status(orjson.dumps(status))
            self._note("")
        except PortError as error:
            self._note(str(error))

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            _log.warning("status_not_said", reason=trouble)
        self._trouble = trouble

    def close(self) -> None:
        redis = getattr(self, "_redis", None)
        if redis is not None:
            redis.link.close()
