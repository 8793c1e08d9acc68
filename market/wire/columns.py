"""Rows `[asset, stamp, price]` of many frames as columns, at the cost of one.

A venue sends most ticks alone in a frame. The frames of one read are joined into one text for one call of orjson; the
columns are checked as a whole. Where anything is in doubt the answer is None, and the frames are taken one by one.

Two broken frames may join into a valid text, so it must be shown that none is broken. A string can't reach from one
frame into the next, for a raw line feed stands between them and JSON allows none in a string. Rows are flat (three
values that are neither list nor object), so nothing is nested deeper than `opening` says; a frame that begins with
`opening` hence begins on the top level, and the one before it ended there. Each frame is then one or more whole
values, and as many values as frames means one each. That each begins so is counted in one go: no frame has a line feed
of its own, and behind each line feed comes `opening`.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import orjson

from tickwire.market.wire import Event, LiveRows, Malformed
from tickwire.market.wire.jsontext import malformed, read_json

ROWS = b"[["
"""How a frame that is a list of rows begins."""
ROW = b'["'
"""How a frame that is a single row begins."""

JOIN_FROM = 4
"""Fewer frames are read one by one: that is faster."""

_BETWEEN = b",\n"
_ONE_LIST = {list}
_ONE_STR = {str}
_SCALARS = frozenset((float, int, str))


def joined_rows(frames: Sequence[bytes], opening: bytes) -> LiveRows | None:
    """The rows of frames that are each a list of rows (`ROWS`) or a row (`ROW`); None where there is any doubt."""
    text = _BETWEEN.join(frames)
    between = len(frames) - 1
    if not text.startswith(opening) or text.count(b"\n") != between or text.count(b"\n" + opening) != between:
        return None
    try:
        values = orjson.loads(b"[" + text + b"]")
    except orjson.JSONDecodeError:
        return None
    if len(values) != len(frames):
        return None
    try:
        return _columns(values if opening == ROW else list(chain.from_iterable(values)))
    except (TypeError, ValueError):  # a number among the lists, a row of two among rows of three
        return None


def rows_of(frames: Sequence[bytes], opening: bytes, not_rows: Callable[[Any], Malformed]) -> Sequence[Event]:
    """The events of frames that should each be a list of rows; `not_rows` complains of a value that is no list."""
    if len(frames) >= JOIN_FROM:
        joined = joined_rows(frames, opening)
        if joined is not None:
            return (joined,)
    rows = RowCollector()
    for frame in frames:
        try:
            value = read_json(frame)
        except ValueError as error:
            rows.fail(malformed(str(error), frame))
            continue
        if type(value) is list:
            rows.add(value)
        else:
            rows.fail(not_rows(value))
    return rows.events()


def _columns(rows: list[Any]) -> LiveRows | None:
    if set(map(type, rows)) != _ONE_LIST:
        return None
    assets, stamps, prices = zip(*rows, strict=True)
    if set(map(type, assets)) != _ONE_STR:
        return None
    if not _SCALARS.issuperset(map(type, stamps)) or not _SCALARS.issuperset(map(type, prices)):
        return None
    return LiveRows(assets, stamps, prices)


class RowCollector:
    """Rows taken one by one, and what was no row."""

    def __init__(self) -> None:
        self._rows: list[list[Any]] = []
        self._bad: list[Malformed] = []

    def add(self, rows: list[Any]) -> None:
        """Take a frame's list of rows: those that are lists of three."""
        good = [row for row in rows if type(row) is list and len(row) == 3]
        self._rows += good
        if len(good) < len(rows):
            first = next(row for row in rows if type(row) is not list or len(row) != 3)
            self._bad.append(malformed("no row of asset, stamp, price", first, len(rows) - len(good)))

    def fail(self, bad: Malformed) -> None:
        self._bad.append(bad)

    def events(self) -> list[LiveRows | Malformed]:
        """One LiveRows, if there are any, then what was bad."""
        events: list[LiveRows | Malformed] = []
        if self._rows:
            assets, stamps, prices = zip(*self._rows, strict=True)
            events.append(LiveRows(assets, stamps, prices))
        return [*events, *self._bad]
