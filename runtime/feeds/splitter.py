"""Server frames out of a stream of bytes, fast: RFC 6455, section 5, the client's side.

Small unfragmented data frames, nearly all that a market feed sends, are taken by a tight loop; every other frame goes
through `_other`, one at a time. No extension is ever negotiated, so reserved bits are an error. Text is handed over
as bytes: the decoder checks it.
"""

from dataclasses import dataclass

from tickwire.actors.ports import BINARY, CLOSE, PING, PONG, TEXT

MAX_MESSAGE = 16 * 2**20
"""Bytes of a frame, and of a message of several: refused by its header, before anything is allocated."""

_CONTINUATION = 0
_FIN = 0x80
_WHOLE_TEXT = _FIN | TEXT
_WHOLE_BINARY = _FIN | BINARY
_MAX_CONTROL = 125

NORMAL, PROTOCOL_ERROR, TOO_BIG = 1000, 1002, 1009


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Why no frame follows. `code` is the close frame's, None where there was none or no valid one."""

    reason: str
    code: int | None
    answer: int
    """The code of the close frame that belongs to it."""


class FrameSplitter:
    """One connection's. After `end` is set it takes nothing more."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self.end: End | None = None
        self.ping: bytes | None = None
        """The newest ping's payload: whoever answers it sets this back to None."""
        self._max = max_message
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0
        self._opcode = 0
        self._message: bytearray | None = None

    def split(self, data: bytes) -> list[tuple[int, bytes]]:
        """The whole messages, pings and pongs that `data` completes, as (opcode, payload)."""
        if self._pieces:
            # A large frame is gathered in pieces and joined once.
            self._pieces.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._pieces)
            self._pieces = []
        frames: list[tuple[int, bytes]] = []
        at = 0
        while self.end is None:
            if self._message is None:
                at = _take_small(data, at, frames)
            after = self._other(data, at, frames)
            if after == at:
                break
            at = after
        if at < len(data) and self.end is None:
            self._pieces = [data[at:]]
            self._have = len(data) - at
        return frames

    def _other(self, data: bytes, at: int, frames: list[tuple[int, bytes]]) -> int:
        """Take the frame at `at`, of any kind; returns where it ends, `at` itself if it is not whole or refused."""
        start = at + 2
        if start > len(data):
            self._need = 2
            return at
        first, second = data[at], data[at + 1]
        length = second & 0x7F
        if length > _MAX_CONTROL:
            width = 2 if length == 126 else 8
            if start + width > len(data):
                self._need = 2 + width
                self._refuses(first, second, length)
                return at
            length = int.from_bytes(data[start : start + width], "big")
            start += width
        if self._refuses(first, second, length):
            return at
        if start + length > len(data):
            self._need = start + length - at
            return at
        self._take(first & 0x0F, first & _FIN, data[start : start + length], frames)
        return start + length

    def _refuses(self, first: int, second: int, length: int) -> bool:
        """Whether the header alone is an error, which sets `end`."""
        opcode = first & 0x0F
        if first & 0x70:
            self._fail("reserved bits are set, no extension was agreed")
        elif second & 0x80:
            self._fail("a server's frame is masked")
        elif opcode in (CLOSE, PING, PONG):
            if second & 0x7F > _MAX_CONTROL or not first & _FIN:
                self._fail("a control frame is fragmented or over 125 bytes")
        elif opcode not in (_CONTINUATION, TEXT, BINARY):
            self._fail(f"unknown opcode {opcode}")
        elif (opcode == _CONTINUATION) is (self._message is None):
            self._fail("a continuation without a beginning, or a beginning within a message")
        elif length + len(self._message or b"") > self._max:
            self.end = End(reason=f"frame too large: {length} bytes", code=None, answer=TOO_BIG)
        return self.end is not None

    def _take(self, opcode: int, final: int, payload: bytes, frames: list[tuple[int, bytes]]) -> None:
        if opcode == CLOSE:
            self._close(payload)
        elif opcode in (PING, PONG):
            frames.append((opcode, payload))
            if opcode == PING:
                self.ping = payload
        elif opcode != _CONTINUATION and final:
            frames.append((opcode, payload))
        else:
            if self._message is None:
                self._opcode, self._message = opcode, bytearray()
            self._message += payload
            if final:
                frames.append((self._opcode, bytes(self._message)))
                self._message = None

    def _close(self, payload: bytes) -> None:
        if not payload:
            self.end = End(reason="closed by the server", code=1005, answer=NORMAL)
            return
        code = int.from_bytes(payload[:2], "big")
        if len(payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            self._fail(f"invalid close code {code}")
            return
        try:
            reason = payload[2:].decode()
        except UnicodeDecodeError:
            self._fail("the close reason is not UTF-8")
            return
        self.end = End(reason=reason or f"closed by the server with {code}", code=code, answer=code)

    def _fail(self, reason: str) -> None:
        self.end = End(reason=f"protocol error: {reason}", code=None, answer=PROTOCOL_ERROR)


def _take_small(data: bytes, at: int, frames: list[tuple[int, bytes]]) -> int:
    """Take small whole data frames from `at` on; returns where the first of another kind, or not whole, begins."""
    append = frames.append
    last = len(data) - 2
    while at <= last:
        length = data[at + 1]
        if length > _MAX_CONTROL:
            break
        start = at + 2
        stop = start + length
        if stop > last + 2:
            break
        first = data[at]
        if first == _WHOLE_TEXT:
            append((TEXT, data[start:stop]))
        elif first == _WHOLE_BINARY:
            append((BINARY, data[start:stop]))
        else:
            break
        at = stop
    return at
