"""PocketOption's payloads with their stamps moved, for recordings that are to look live (`rebase=1`)."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson


def shift_attachment(event: bytes, payload: bytes, shift_s: int) -> bytes:
    """The attachment of `event` with every stamp moved by `shift_s`; as it is where it is not what was expected."""
    shift = _SHIFTS.get(event)
    if shift is None:
        return payload
    try:
        value = orjson.loads(payload)
        shift(value, shift_s)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return payload
    return orjson.dumps(value)


def _stream(rows: Any, shift_s: int) -> None:
    for row in rows:
        row[1] = _moved(row[1], shift_s)


def _history(message: Any, shift_s: int) -> None:
    for row in [*message.get("history", ()), *message.get("candles", ())]:
        row[0] = _moved(row[0], shift_s)


def _period(message: Any, shift_s: int) -> None:
    for candle in message["data"]:
        candle["time"] = _moved(candle["time"], shift_s)


def _moved(stamp: float, shift_s: int) -> float:
    # Stamps are milliseconds: a sum of floats would show digits that nobody wrote.
    return stamp + shift_s if isinstance(stamp, int) else round(stamp + shift_s, 3)


_SHIFTS: Mapping[bytes, Callable[[Any, int], None]] = {
    b"updateStream": _stream,
    b"updateHistoryNewFast": _history,
    b"loadHistoryPeriodFast": _period,
}
