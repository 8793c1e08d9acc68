"""JSON ticks of any sender: `json+ws://`, `json+wss://`, and replayed CSV rows.

Taken are `["A",ts,price]`, `[["A",ts,price], …]`, an object or a list of objects with asset/symbol/pair,
price/last/p and timestamp/ts/time/t, or under names given. Anything else that is JSON is chatter and ignored.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tickwire.market.wire import (
    SAMPLE_BYTES,
    TEXT,
    Event,
    Frame,
    Ignored,
    LiveRows,
    Malformed,
    Opened,
    Send,
    merge_live,
)

ASSET_NAMES = ("asset", "symbol", "pair")
PRICE_NAMES = ("price", "last", "p")
TIME_NAMES = ("timestamp", "ts", "time", "t")
SILENCE_S = 120.0
"""Own pings are answered long before; only a dead connection is silent for so long."""


class GenericDecoder:
    """One connection. `asset`, `price`, `time`, `id`: the sender's names; `subscribe`: a frame sent on connect."""

    def __init__(
        self,
        *,
        asset: str | None = None,
        price: str | None = None,
        time: str | None = None,
        id: str | None = None,
        subscribe: str | None = None,
    ) -> None:
        self._names = (
            (asset,) if asset else ASSET_NAMES,
            (time,) if time else TIME_NAMES,
            (price,) if price else PRICE_NAMES,
        )
        self._id = id
        self._subscribe = subscribe
        self._greeted = False

    @property
    def silence_limit_s(self) -> float:
        return SILENCE_S

    def greeting(self) -> Sequence[Send]:
        return (Send(self._subscribe),) if self._subscribe else ()

    def due(self, now: float) -> Sequence[Send]:
        return ()

    def subscribe(self, asset: str) -> Sequence[Send]:
        return ()  # what the sender wants to hear is in `subscribe=`

    def unsubscribe(self, asset: str) -> Sequence[Send]:
        return ()

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        opened: list[Event] = [] if self._greeted or not frames else [Opened()]
        self._greeted = True
        fast = _lists_of(frames)
        if fast is not None:
            return [*opened, fast]
        events: list[Event] = []
        for _, payload in frames:
            events += self._take(payload)
        return opened + merge_live(events)

    def _take(self, payload: bytes) -> list[Event]:
        try:
            body = orjson.loads(payload)
        except (orjson.JSONDecodeError, RecursionError):
            return [Malformed("no JSON", payload[:SAMPLE_BYTES])]
        if isinstance(body, list) and len(body) == 3 and isinstance(body[0], str):
            body = [body]
        items = body if isinstance(body, list) else [body]
        events: list[Event] = []
        for item in items:
            events.append(self._item(item, payload))
        return events or [Ignored("empty list")]

    def _item(self, item: Any, payload: bytes) -> Event:
        if isinstance(item, list):
            if len(item) != 3:
                return Malformed("a tick is [asset, time, price]", payload[:SAMPLE_BYTES])
            return LiveRows(*([value] for value in item))
        if not isinstance(item, dict):
            return Malformed("neither list nor object", payload[:SAMPLE_BYTES])
        values = [_first(item, names) for names in self._names]
        if all(value is None for value in values[1:]):
            kind = item.get("event") or item.get("type") or item.get("channel") or "object"
            return Ignored(str(kind)[:64])
        if None in values:
            return Malformed("an object without asset, time or price", payload[:SAMPLE_BYTES])
        ids = [item.get(self._id)] if self._id else None
        return LiveRows([values[0]], [values[1]], [values[2]], ids)


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    for name in names:
        if name in item:
            return item[name]
    return None


def _lists_of(frames: Sequence[Frame]) -> LiveRows | None:
    """A read of nothing but `[["A",ts,price], …]` frames, taken as columns; None at any doubt."""
    if not frames:
        return None
    opcodes, payloads = zip(*frames, strict=True)
    if set(opcodes) != {TEXT}:
        return None
    try:
        lists = orjson.loads(b"[" + b",".join(payloads) + b"]")
    except orjson.JSONDecodeError:
        return None
    # Two broken frames can join into whole ones: the elements must be as many as the frames.
    if len(lists) != len(payloads) or set(map(type, lists)) != {list}:
        return None
    rows = [row for rows in lists for row in rows]
    if not rows or set(map(type, rows)) != {list} or set(map(len, rows)) != {3}:
        return None
    return LiveRows(*zip(*rows, strict=True))
