"""An exchange's public WebSocket: a JSON message a frame, trades among much else. What a venue's file adds is a reader.

A reader says which messages are trades and where in them the values are. It checks no value: what is missing is None,
which `market.intake` refuses and counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tickwire.market.wire import Event, Frame, Ignored, LiveRows, Malformed
from tickwire.market.wire.jsontext import event_name, malformed, read_json
from tickwire.market.wire.told_once import ToldOnce


@dataclass(frozen=True, slots=True)
class Trade:
    """Values as parsed from the wire, not checked; `trade_id` is None where the venue gives no ids."""

    asset: Any
    stamp: Any
    price: Any
    trade_id: Any = None


Reader = Callable[[Any], Sequence[Trade] | str]
"""From a message to its trades, or to the name of what it is instead. Raises nothing on any JSON."""


class TradesDecoder(ToldOnce):
    """One connection (a `Decoder`)."""

    def __init__(self, read: Reader, *, with_ids: bool, subscribe: str | None = None) -> None:
        """`with_ids`: each trade has an id of the venue's own; `subscribe` is sent on connect."""
        super().__init__(subscribe)
        self._read = read
        self._with_ids = with_ids

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        events = self._open(frames)
        trades: list[Trade] = []
        others: list[Ignored | Malformed] = []
        for _, payload in frames:
            try:
                found = self._read(read_json(payload))
            except ValueError as error:
                others.append(malformed(str(error), payload))
                continue
            if isinstance(found, str):
                others.append(Ignored(event_name(found)))
            else:
                trades += found
        if trades:
            events.append(self._rows(trades))
        return [*events, *others]

    def _rows(self, trades: Sequence[Trade]) -> LiveRows:
        return LiveRows(
            [trade.asset for trade in trades],
            [trade.stamp for trade in trades],
            [trade.price for trade in trades],
            [trade.trade_id for trade in trades] if self._with_ids else None,
        )
