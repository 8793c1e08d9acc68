"""Engine.IO spoken by hand, for what no stock client says: over a WebSocket that reads when told to, and by polling."""

import json
import socket
import time
from contextlib import suppress
from typing import Any

import httpx
import websocket

PATIENCE_S = 20.0
SEPARATOR = "\x1e"


class Gone(Exception):
    """The server has ended the connection."""


class RawSocket:
    """Over a WebSocket. Every read has a deadline."""

    def __init__(
        self, url: str, *, query: str = "", sockopt: list[tuple[int, int, int]] | None = None,
        origin: str | None = None, host: str | None = None, header: list[str] | None = None,
    ) -> None:  # fmt: skip
        options: dict[str, Any] = {"suppress_origin": True} if origin is None else {"origin": origin}
        self.socket = websocket.WebSocket(sockopt=sockopt or [])
        self.socket.settimeout(PATIENCE_S)
        address = f"{url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket{query}"
        try:
            self.socket.connect(  # type: ignore[no-untyped-call]  # websocket-client
                address, host=host, header=header or [], **options
            )
        except BaseException:
            self.socket.shutdown()  # type: ignore[no-untyped-call]
            raise

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(websocket.WebSocketException, OSError):
            self.socket.close(timeout=1)
        self.socket.shutdown()  # type: ignore[no-untyped-call]

    @property
    def tcp(self) -> socket.socket:
        assert self.socket.sock is not None
        return self.socket.sock

    def join(self, auth: object = None) -> "RawSocket":
        """Be let in at the namespace /."""
        assert self.read().startswith("0{")
        self.send("40" if auth is None else f"40{json.dumps(auth)}")
        assert self.read().startswith("40{")
        return self

    def upgrade(self) -> "RawSocket":
        """Take over from polling, whose `sid` was shown in the query."""
        self.send("2probe")
        assert self.read() == "3probe"
        self.send("5")
        return self

    def send(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.socket.send_binary(frame)
        else:
            self.socket.send(frame)

    def emit(self, event: str, *data: object) -> None:
        self.send("42" + json.dumps([event, *data]))

    def read(self) -> str:
        """Raises Gone."""
        try:
            said = self.socket.recv()
        except (websocket.WebSocketConnectionClosedException, ConnectionError) as error:
            raise Gone from error
        if not said:
            raise Gone
        return said if isinstance(said, str) else said.decode()

    def frame(self, start: str) -> str:
        """The next frame that begins like this; others before it are left out. Raises Gone."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            frame = self.read()
            if frame.startswith(start):
                return frame
        raise AssertionError(f"no frame {start}… within {PATIENCE_S:.0f} s")

    def until(self, event: str) -> Any:
        """The argument of the next such event. Raises Gone."""
        return json.loads(self.frame(f'42["{event}"')[2:])[1]

    def is_ended(self) -> bool:
        """Read on until the server ends the connection."""
        deadline = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < deadline:
                self.read()
        except Gone:
            return True
        return False


class RawPolling:
    """By long polling, a request at a time."""

    def __init__(self, url: str) -> None:
        self._heard: list[list[Any]] = []
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE_S)
        opening = self.http.get("/socket.io/?EIO=4&transport=polling")
        assert opening.status_code == 200, opening.text
        self.sid = json.loads(opening.text[1:])["sid"]
        self.path = f"/socket.io/?EIO=4&transport=polling&sid={self.sid}"

    def __enter__(self) -> "RawPolling":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(httpx.HTTPError):
            self.http.post(self.path, content="1")
        self.http.close()

    def join(self) -> "RawPolling":
        assert self.post("40").status_code == 200
        assert self.get().text.startswith("40{")
        return self

    def post(self, *frames: str) -> httpx.Response:
        return self.http.post(self.path, content=SEPARATOR.join(frames).encode())

    def get(self) -> httpx.Response:
        return self.http.get(self.path)

    def until(self, event: str) -> Any:
        """The argument of the next such event; others before it are left out."""
        while True:
            while not self._heard:
                frames = self.get().text.split(SEPARATOR)
                self._heard += [json.loads(frame[2:]) for frame in frames if frame.startswith("42")]
            name, *data = self._heard.pop(0)
            if name == event:
                return data[0]
