"""Publishes: each live tick as one message on its asset's channel, closed candles, the heartbeat.

Receives  TicksReceived, CandleClosed, FeedChanged, LinkChanged
Sends     TicksPublished
Owns      a Redis connection
If it dies  ticks in flight come again; those published already are known by (epoch, seq) and are not repeated.

While Redis is not up publishes are given up at once and counted, so that the mailbox never fills for that reason.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

import orjson
import structlog

from tickwire.actors.kernel.behaviour import Context
from tickwire.actors.ports import Bus, Clock, PortError
from tickwire.market.candle_codec import candle_dict
from tickwire.market.keys import Keys
from tickwire.messages.candles import CandleClosed
from tickwire.messages.lifecycle import FeedChanged, LinkChanged
from tickwire.messages.telemetry import TicksPublished
from tickwire.messages.ticks import TickColumns, TicksReceived

_log = structlog.get_logger("tickwire.publisher")

HEARTBEAT_S = 2.0

Published = MutableMapping[str, tuple[str, int]]
"""Asset → (epoch, seq) of the last tick published; outlives incarnations."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Own timer. One that comes again after a crash is not of this incarnation, which has a timer of its own."""

    incarnation: int


class Publisher:
    def __init__(
        self,
        context: Context,
        *,
        bus: Callable[[], Bus],
        clock: Clock,
        keys: Keys,
        published: Published,
    ) -> None:
        self._context = context
        self._make_bus = bus
        self._clock = clock
        self._keys = keys
        self._published = published
        self._feeds: dict[str, str] = {}
        self._trouble = ""

    def open(self) -> None:
        self._bus = self._make_bus()
        self._metrics = self._context.address("metrics_collector")
        self._gateway = self._context.address("gateway")
        self._bus.link.start()
        self._context.after(HEARTBEAT_S, Beat(self._context.incarnation))

    def step(self, batch: Sequence[object]) -> None:
        columns: list[TickColumns] = []
        for message in batch:
            if type(message) is TicksReceived:
                columns.extend(message.columns)
            else:
                self._handle(message)
        if columns:
            self._publish_ticks(columns)

    def _handle(self, message: object) -> None:
        match message:
            case CandleClosed():
                self._publish(self._keys.candles, {"asset": message.asset, **candle_dict(message.candle)})
            case FeedChanged():
                self._feeds[message.feed] = message.state
                self._heartbeat()
            case LinkChanged():
                self._metrics.tell(message)
                self._gateway.tell(message)
                self._heartbeat()
            case Beat():
                if message.incarnation == self._context.incarnation:
                    self._context.after(HEARTBEAT_S, message)
                    self._heartbeat()
            case _:
                raise TypeError(f"Publisher takes no {type(message).__name__}")

    def _publish_ticks(self, columns: Sequence[TickColumns]) -> None:
        fresh = [column for column in columns if not self._is_published(column)]
        ticks = sum(len(column.encoded) for column in fresh)
        if not self._bus.link.up:
            self._metrics.tell(TicksPublished(published=0, unpublished=ticks, seconds=0.0))
            return
        started = self._clock.monotonic()
        try:
            self._bus.publish_ticks(fresh)
        except PortError as error:
            self._note(str(error))
            self._metrics.tell(TicksPublished(published=0, unpublished=ticks, seconds=0.0))
            return
        for column in fresh:
            self._published[column.asset] = (column.epoch, column.first_seq + len(column.encoded) - 1)
        self._note("")
        seconds = self._clock.monotonic() - started
        self._metrics.tell(TicksPublished(published=ticks, unpublished=0, seconds=seconds))

    def _is_published(self, column: TickColumns) -> bool:
        epoch, seq = self._published.get(column.asset, ("", 0))
        return epoch == column.epoch and column.first_seq <= seq

    def _heartbeat(self) -> None:
        """Wall clock and the feeds' states: a subscriber that hears none for 6 s is deaf and reconnects."""
        self._publish(self._keys.heartbeat, {"timestamp": self._clock.now_us() / 1e6, "feeds": self._feeds})

    def _publish(self, channel: str, value: object) -> None:
        if not self._bus.link.up:
            return
        try:
            self._bus.publish([(channel, orjson.dumps(value))])
        except PortError as error:
            self._note(str(error))

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            _log.warning("publish_failed", reason=trouble)
        self._trouble = trouble

    def close(self) -> None:
        bus = getattr(self, "_bus", None)
        if bus is not None:
            bus.link.close()
