"""A real WebSocket client of /ws that reads when told to, and knows what it may expect of the stream."""

import socket
from contextlib import suppress
from typing import Any

import orjson
import websocket

Message = dict[str, Any]


class WsClient:
    """Blocking; every read has a deadline."""

    def __init__(
        self, url: str, *, origin: str | None = None, subprotocols: list[str] | None = None, host: str | None = None,
        sockopt: list[tuple[int, int, int]] | None = None, query: str = "", header: list[str] | None = None,
    ) -> None:  # fmt: skip
        options: dict[str, Any] = {"suppress_origin": True} if origin is None else {"origin": origin}
        self.socket = websocket.WebSocket(sockopt=sockopt or [])
        self.socket.settimeout(20)
        try:
            self.socket.connect(  # type: ignore[no-untyped-call]  # websocket-client
                url.replace("http", "ws", 1) + "/ws" + query,
                subprotocols=subprotocols or [],
                host=host,
                header=header or [],
                **options,
            )
        except BaseException:
            self.socket.shutdown()  # type: ignore[no-untyped-call]
            raise

    def __enter__(self) -> "WsClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Say goodbye, unless that was done, and close."""
        with suppress(websocket.WebSocketException, OSError):
            self.socket.close(timeout=1)
        self.socket.shutdown()  # type: ignore[no-untyped-call]

    @property
    def raw(self) -> socket.socket:
        """The TCP socket, for what no good client does."""
        assert self.socket.sock is not None
        return self.socket.sock

    def say(self, **message: object) -> None:
        self.socket.send(orjson.dumps(message).decode())

    def subscribe(self, asset: str, **more: object) -> Message:
        """Ask and wait for the answer."""
        self.say(type="subscribe", asset=asset, **more)
        return self.until("subscribed")

    def read(self) -> Message:
        """The next message. Raises websocket's exceptions at the end."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise Closed(int.from_bytes(data[:2], "big"), data[2:].decode())
        message: Message = orjson.loads(data)
        return message

    def until(self, kind: str) -> Message:
        """The next message of a type; others before it are passed over."""
        while True:
            message = self.read()
            if message["type"] == kind:
                return message

    def ticks(self, count: int) -> list[list[Any]]:
        """The rows of so many ticks that come live, at least."""
        rows: list[list[Any]] = []
        while len(rows) < count:
            rows += self.until("ticks")["ticks"]
        return rows

    def closed(self) -> "Closed":
        """Read to the end; how it was closed."""
        try:
            while True:
                self.read()
        except Closed as closed:
            return closed


class Closed(Exception):
    """The server's close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason
