"""Around engineio's application: requests and frames that it should not see. In the event loop.

Whoever may open a connection at all (edge.py) can send anything here, before any token was shown: so bodies are
bounded in size and time, frames are read as far as engineio reads them, and strangers to its protocol are turned away.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickwire.runtime.gateway.quflx.packets import good_frame

MESSAGE_BYTES = 1024 * 1024
"""Of a client's frame or body: a few thousand candles for the cache."""
BODY_S = 10.0
"""For a request's body to be whole."""
FRAMES_AT_ONCE = 16
"""engineio reads no more of one body; stock clients send as many as they have."""
SEPARATOR = "\x1e"
GONE = "there is no such connection, or no longer"


class Connections(Protocol):
    """Of Engine.IO."""

    @property
    def most_frames(self) -> int:
        """Of a body that are handed on: a client that sends more is over its limit by then."""

    def has_room(self, address: str, /) -> bool:
        """Whether an address may have one more."""

    def is_open(self, sid: str, /) -> bool: ...

    def attach(self, sid: str, scope: Scope, /) -> None:
        """Told of a WebSocket that asks to take over a connection."""


class Gate:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, connections: Connections, refused: Callable[[], None]) -> None:
        self._app = app
        self._connections = connections
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        client = scope.get("client")
        if "j" in query:
            # A foreign page's <script> is sent without Origin and could read the answer.
            await self._refuse(scope, send, 400, "JSONP is not served here")
        elif "sid" not in query and not self._connections.has_room(client[0] if client else ""):
            await self._refuse(scope, send, 503, "too many connections; try again later")
        elif scope["type"] == "websocket":
            self._connections.attach(query.get("sid", [""])[0], scope)
            await self._app(scope, self._good_frames(receive, send), send)
        elif scope["method"] == "POST":
            await self._post(query.get("sid", [""])[0], scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, send: Send, status: int, why: str) -> None:
        self._refused()
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013 if status == 503 else 1008, "reason": why})
            return
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"5")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"message":"%b"}' % why.encode()})

    def _good_frames(self, receive: Receive, send: Send) -> Receive:
        async def receive_good() -> Message:
            event = await receive()
            if event["type"] == "websocket.receive" and not good_frame(event.get("text")):
                self._refused()
                await send({"type": "websocket.close", "code": 1008, "reason": "this is no frame of Engine.IO's"})
                return {"type": "websocket.disconnect", "code": 1008}
            return event

        return receive_good

    async def _post(self, sid: str, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._connections.is_open(sid):
            await self._refuse(scope, send, 400, GONE)
            return
        try:
            async with asyncio.timeout(BODY_S):
                body = (await _body(receive)).decode()
        except _Gone:
            return
        except TimeoutError:
            await self._refuse(scope, send, 408, f"the body was not here within {BODY_S:.0f} s")
        except _TooLarge:
            await self._refuse(scope, send, 413, f"more than {MESSAGE_BYTES} bytes")
        except UnicodeDecodeError:
            await self._refuse(scope, send, 400, "the body is not UTF-8")
        else:
            most = self._connections.most_frames
            frames = body.split(SEPARATOR, most)[:most]
            if all(map(good_frame, frames)):
                await self._hand_on(sid, scope, frames, send)
            else:
                await self._refuse(scope, send, 400, "the body is not of Engine.IO's frames")

    async def _hand_on(self, sid: str, scope: Scope, frames: Sequence[str], send: Send) -> None:
        """As many requests as engineio needs for it; the last one's answer, or the first bad one's, is the answer."""
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            if not self._connections.is_open(sid):  # sent away for what came before
                await self._refuse(scope, send, 400, GONE)
                return
            body = SEPARATOR.join(frames[start : start + FRAMES_AT_ONCE]).encode()
            answer: list[Message] = []

            async def keep(message: Message, answer: list[Message] = answer) -> None:
                answer.append(message)

            await self._app({**scope, "headers": _sized(scope["headers"], len(body))}, _once(body), keep)
            if answer[0]["status"] != 200:
                break
        for message in answer:
            await send(message)


class _Gone(Exception):
    """The client has, in the middle of its body."""


class _TooLarge(Exception):
    """The body is."""


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise _Gone
        pieces.append(event.get("body", b""))
        size, more = size + len(pieces[-1]), event.get("more_body", False)
        if size > MESSAGE_BYTES:
            raise _TooLarge
    return b"".join(pieces)


def _once(body: bytes) -> Receive:
    events: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return events.pop() if events else {"type": "http.disconnect"}

    return receive


def _sized(headers: Iterable[tuple[bytes, bytes]], size: int) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in headers if name not in (b"content-length", b"transfer-encoding")]
    return [*kept, (b"content-length", b"%d" % size)]
