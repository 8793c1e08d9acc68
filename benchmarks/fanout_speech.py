"""How the fan-out's clients speak: the WebSocket of /ws, and Socket.IO over one, by hand and as little as will do."""

import json
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    path: bytes
    hello: bytes | None
    """What is said first, and how its answer begins."""
    welcome: bytes
    subscribe: str
    """JSON, with the asset in place of `ASSET`."""
    subscribed: bytes
    refused: bytes
    tick: re.Pattern[bytes]
    """A tick with its `stamp`, to the end of what it is part of."""
    summary: re.Pattern[bytes] | None = None
    """What stands for several ticks, and for how many."""
    asks: bytes | None = None
    """A sign of life is asked for, by whom it is not cut off."""
    answer: bytes = b""


def frame(text: str) -> bytes:
    """As clients send it: masked, with zeroes."""
    payload = text.encode()
    assert len(payload) < 126
    return b"\x81" + bytes([0x80 | len(payload)]) + b"\0\0\0\0" + payload


SPEECHES = {
    "ws": Speech(
        path=b"/ws",
        hello=None,
        welcome=b"",
        subscribe=json.dumps({"type": "subscribe", "asset": "ASSET"}),
        subscribed=b'"subscribed"',
        refused=b'"error"',
        tick=re.compile(rb"\[\d+,(?P<stamp>\d+\.\d+),"),
        summary=re.compile(rb'"n":(\d+)\}'),
    ),
    "socket.io": Speech(
        path=b"/socket.io/?EIO=4&transport=websocket",
        hello=frame("40"),
        welcome=b"40{",
        subscribe='42["subscribe_redis_updates",{"asset":"ASSET"}]',
        subscribed=b'["redis_subscribed"',
        refused=b'["redis_error"',
        tick=re.compile(rb'\["redis_update",\{"data":\{"asset":"\w+","timestamp":(?P<stamp>[\d.]+),[^}]*\}\}\]'),
        asks=b"\x81\x012",
        answer=frame("3"),
    ),
}


def connect(port: int, speech: Speech, assets: Sequence[str]) -> socket.socket:
    """A client that is subscribed to all; it does not block."""
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    client.sendall(
        b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % speech.path
    )
    _until(client, b"\r\n\r\n")
    if speech.hello is not None:
        client.sendall(speech.hello)
        _until(client, speech.welcome)
    wanted = b"".join(frame(speech.subscribe.replace("ASSET", asset)) for asset in assets)
    while True:
        client.sendall(wanted)
        said = b""
        while said.count(speech.subscribed) + said.count(speech.refused) < len(assets):
            said += client.recv(65536)
        if speech.refused not in said:
            client.setblocking(False)
            return client
        time.sleep(0.2)  # no tick of it was seen yet


def _until(client: socket.socket, sign: bytes) -> None:
    said = b""
    while sign not in said:
        said += client.recv(65536)
