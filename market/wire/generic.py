"""Ticks as plain JSON over a WebSocket, in the shapes that people send them:

    ["EURUSD",1756866774.962,1.17]                        asset, stamp, price
    [["EURUSD",1756866774.962,1.17],…]
    {"symbol":"EURUSD","price":"1.17","timestamp":1756866774.962}        and lists of such
    {"s":"EURUSD","p":"1.17","T":1756866774962}           with asset=s, price=p, time=T

Whatever else is JSON is an exchange's chatter and ignored; what is no JSON is malformed.
"""

from collections.abc import Sequence
from typing import Any

from tickwire.market.wire import Event, Frame, Ignored, LiveRows, Malformed
from tickwire.market.wire.columns import JOIN_FROM, ROW, ROWS, joined_rows
from tickwire.market.wire.jsontext import event_name, malformed, read_json
from tickwire.market.wire.told_once import ToldOnce

ASSET_FIELDS = ("asset", "symbol", "pair")
PRICE_FIELDS = ("price", "last", "p")
TIME_FIELDS = ("timestamp", "ts", "time", "t")
NAME_FIELDS = ("event", "type", "e", "channel", "op")
"""What a message that is no tick calls itself."""


class JsonDecoder(ToldOnce):
    """One connection (a `Decoder`)."""

    def __init__(
        self,
        *,
        asset_field: str | None = None,
        price_field: str | None = None,
        time_field: str | None = None,
        id_field: str | None = None,
        subscribe: str | None = None,
    ) -> None:
        """Field names are looked for among the usual ones where None; `id_field` holds the venue's own trade id."""
        super().__init__(subscribe)
        self._asset_fields = (asset_field,) if asset_field else ASSET_FIELDS
        self._price_fields = (price_field,) if price_field else PRICE_FIELDS
        self._time_fields = (time_field,) if time_field else TIME_FIELDS
        self._id_field = id_field

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        events = self._open(frames)
        payloads = [payload for _, payload in frames]
        if len(payloads) >= JOIN_FROM or (payloads and len(payloads[0]) > _LARGE):
            for opening in (ROWS, ROW):
                joined = joined_rows(payloads, opening)
                if joined is not None:
                    return [*events, joined]
        rows = _Rows(events)
        for payload in payloads:
            self._take(payload, rows)
        rows.flush()
        return events

    def _take(self, payload: bytes, rows: "_Rows") -> None:
        try:
            value = read_json(payload)
        except ValueError as error:
            rows.other(malformed(str(error), payload))
            return
        if type(value) is list and not _is_row(value):
            self._take_list(value, rows)
        elif not self._take_tick(value, rows):
            rows.other(_chatter(value))

    def _take_list(self, values: list[Any], rows: "_Rows") -> None:
        """A list with a tick in it is a list of ticks; one without any is chatter."""
        bad = [value for value in values if not self._take_tick(value, rows)]
        if values and len(bad) == len(values):
            rows.other(_chatter(values))
        elif bad:
            rows.other(malformed("no tick, in a list of ticks", bad[0], len(bad)))

    def _take_tick(self, value: Any, rows: "_Rows") -> bool:
        if type(value) is list:
            if not _is_row(value):
                return False
            rows.add(*value)
            return True
        if type(value) is not dict:
            return False
        asset, price, stamp = (
            next((name for name in names if name in value), None)
            for names in (self._asset_fields, self._price_fields, self._time_fields)
        )
        if asset is None or price is None or stamp is None:
            return False
        trade_id = value.get(self._id_field) if self._id_field else None
        rows.add(value[asset], value[stamp], value[price], trade_id, with_id=self._id_field is not None)
        return True


_LARGE = 200
"""A frame of more bytes holds several ticks: worth reading by column."""


class _Rows:
    """Ticks in a row, put before whatever comes between them; those with trade ids apart from those without."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._rows: list[tuple[Any, Any, Any, Any]] = []
        self._with_id = False

    def add(self, asset: Any, stamp: Any, price: Any, trade_id: Any = None, *, with_id: bool = False) -> None:
        if with_id != self._with_id:
            self.flush()
            self._with_id = with_id
        self._rows.append((asset, stamp, price, trade_id))

    def other(self, event: Ignored | Malformed) -> None:
        self.flush()
        self._events.append(event)

    def flush(self) -> None:
        if self._rows:
            assets, stamps, prices, trade_ids = zip(*self._rows, strict=True)
            self._events.append(LiveRows(assets, stamps, prices, trade_ids if self._with_id else None))
            self._rows = []


def _is_row(value: list[Any]) -> bool:
    """Whether a list is `[asset, stamp, price]` by its shape: an asset's text, then two plain values."""
    return len(value) == 3 and type(value[0]) is str and not any(type(part) in (list, dict) for part in value[1:])


def _chatter(value: Any) -> Ignored:
    if type(value) is dict:
        return Ignored(next((event_name(value[name]) for name in NAME_FIELDS if name in value), "object"))
    return Ignored("list" if type(value) is list else "value")
