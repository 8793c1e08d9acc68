"""WebSocket frames that the server sends: unmasked, unfragmented, built once for all who get them (RFC 6455, 5.2)."""

import struct
from collections.abc import Iterator, Sequence

import orjson

from tickwire.messages.clients import GapOut, TicksOut

PING = b"\x89\x00"
FRAME_BYTES = 128 * 1024
"""No ticks are added to a frame beyond this."""


def text_frame(payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return b"\x81%c%b" % (length, payload)
    if length < 65_536:
        return b"\x81\x7e" + struct.pack("!H", length) + payload
    return b"\x81\x7f" + struct.pack("!Q", length) + payload


def error_frame(code: str, message: str, asset: str = "") -> bytes:
    """`asset` is the one that was asked for, where the request could be read."""
    error = {"type": "error", "code": code, "message": message}
    return text_frame(orjson.dumps(error | {"asset": asset} if asset else error))


class Summary:
    """Ticks of one asset and epoch that a slow client gets as one `ohlc` message."""

    __slots__ = ("asset", "c", "epoch", "first", "h", "last", "low", "n", "o", "ts_us")

    def __init__(self, pieces: Sequence[TicksOut]) -> None:
        first, last = pieces[0], pieces[-1]
        prices = [float(price) for piece in pieces for price in piece.prices]
        self.asset, self.epoch, self.first = first.asset, first.epoch, first.first_seq
        self.last, self.ts_us = last.last_seq, last.ts_us
        self.o, self.h, self.low, self.c, self.n = prices[0], max(prices), min(prices), prices[-1], len(prices)

    def followed_by(self, later: "Summary") -> bool:
        return later.epoch == self.epoch and later.first == self.last + 1

    def merge(self, later: "Summary") -> None:
        self.h, self.low, self.c = max(self.h, later.h), min(self.low, later.low), later.c
        self.n += later.n
        self.last, self.ts_us = later.last, later.ts_us

    def frame(self) -> bytes:
        message = {
            "type": "ohlc",
            "asset": self.asset,
            "epoch": self.epoch,
            "from": self.first,
            "to": self.last,
            "timestamp": self.ts_us / 1e6,
            "o": self.o,
            "h": self.h,
            "l": self.low,
            "c": self.c,
            "n": self.n,
        }
        return text_frame(orjson.dumps(message))


class TicksFrame:
    """Consecutive ticks of one asset, coalesced: one frame for all who keep up, a summary for those who don't."""

    __slots__ = ("_summary", "asset", "data", "pieces")

    def __init__(self, pieces: Sequence[TicksOut]) -> None:
        first = pieces[0]
        self.asset = first.asset
        self.pieces = pieces
        self._summary: Summary | None = None
        rows = b",".join([piece.rows for piece in pieces]) if len(pieces) > 1 else first.rows
        head = f'{{"type":"ticks","asset":"{first.asset}","epoch":"{first.epoch}","ticks":['.encode()
        self.data = text_frame(b"%b%b]}" % (head, rows))

    @property
    def summary(self) -> Summary:
        """Shared by all slow clients: copy it before merging."""
        if self._summary is None:
            self._summary = Summary(self.pieces)
        return self._summary


class GapFrame:
    __slots__ = ("asset", "data")

    def __init__(self, gap: GapOut) -> None:
        self.asset = gap.asset
        self.data = text_frame(gap.payload)


def coalesce(pending: Sequence[TicksOut | GapOut]) -> Iterator[TicksFrame | GapFrame]:
    """As few frames as the order and a frame's size allow."""
    run: list[TicksOut] = []
    size = 0
    for piece in pending:
        if run and (isinstance(piece, GapOut) or piece.epoch != run[0].epoch or size > FRAME_BYTES):
            yield TicksFrame(run)
            run, size = [], 0
        if isinstance(piece, GapOut):
            yield GapFrame(piece)
        else:
            run.append(piece)
            size += len(piece.rows)
    if run:
        yield TicksFrame(run)
