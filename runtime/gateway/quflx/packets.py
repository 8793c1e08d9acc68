"""What a client may send, looked at before engineio and socketio read it: what those can't read they answer by a
traceback in the log. Pure.

A frame is Engine.IO's (protocol 4): a digit and data. Frames that start with 4 hold a message, which is Socket.IO's
(protocol 5): a digit, perhaps a namespace, perhaps a number by which it is acknowledged, and JSON. Nothing here takes
binary data.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson

LARGE_EVENT = "cache_historical_data"
"""The only one that may be larger than any client's message."""
_FRAME = re.compile(r"4[0-6]|[12356].{0,15}\Z", re.DOTALL)
_MESSAGE = re.compile(r"([012])(/[\w/-]{0,64},)?([0-9]{0,9})(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: str
    said: Any
    """Its first argument; none is an empty object."""
    ack: int | None
    """The number by which the client wants it acknowledged."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """It comes or goes: socketio's to read."""


@dataclass(frozen=True, slots=True)
class BadPacket:
    why: str


def good_frame(frame: str | None) -> bool:
    """Whether engineio can read it; None is a binary one."""
    return frame is not None and _FRAME.match(frame) is not None


def read_message(message: object, most_bytes: int) -> Event | Greeting | BadPacket:
    found = _MESSAGE.match(message) if isinstance(message, str) else None
    if found is None:
        return BadPacket("this is no packet of Socket.IO's that this relay takes")
    kind, namespace, ack, data = found.groups()
    large = len(found.string) > most_bytes
    if kind != "2":
        good = not large and not ack and (not data or (kind == "0" and isinstance(_json(data), dict)))
        return Greeting() if good else BadPacket("connect and disconnect are short and hold at most an object")
    said = _json(data)
    if namespace not in (None, "/,") or type(said) is not list or not said or type(said[0]) is not str:
        return BadPacket("an event is a JSON array that begins with its name, in the namespace /")
    if large and said[0] != LARGE_EVENT:
        return BadPacket(f"a message of over {most_bytes} bytes; only {LARGE_EVENT} may be larger")
    return Event(name=said[0], said=said[1] if len(said) > 1 else {}, ack=int(ack) if ack else None)


def _json(text: str) -> Any:
    """None where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
