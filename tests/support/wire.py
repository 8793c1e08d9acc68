"""Frames and events of the wire, made and read in tests."""

from collections.abc import Sequence
from typing import Any

import orjson

from tickwire.actors.ports import BINARY, TEXT
from tickwire.market.wire import Decoder, Event, Frame, LiveRows, Malformed, Send

HANDSHAKE = b'0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


def text(payload: str | bytes) -> Frame:
    return TEXT, payload.encode() if isinstance(payload, str) else payload


def binary(payload: bytes) -> Frame:
    return BINARY, payload


def announced(event: str, *payloads: bytes, num: int = 0) -> list[Frame]:
    """A header and its attachments; the event's payload is attachment `num`."""
    header = orjson.dumps([event, {"_placeholder": True, "num": num}])
    return [text(b"45%d-%b" % (len(payloads), header)), *(binary(payload) for payload in payloads)]


def stream(payload: bytes) -> list[Frame]:
    return announced("updateStream", payload)


def rows_of(events: Sequence[Event]) -> list[tuple[Any, Any, Any]]:
    return [
        row
        for event in events
        if isinstance(event, LiveRows)
        for row in zip(event.assets, event.stamps, event.prices, strict=True)
    ]


def bad_of(events: Sequence[Event]) -> list[tuple[str, int]]:
    return [(event.reason, event.count) for event in events if isinstance(event, Malformed)]


def sent_by(events: Sequence[Event]) -> list[str | bytes]:
    return [event.payload for event in events if isinstance(event, Send)]


def one_by_one(decoder: Decoder, frames: Sequence[Frame]) -> list[Event]:
    """What comes of frames that each arrive in a read of their own."""
    return [event for frame in frames for event in decoder.receive([frame])]
