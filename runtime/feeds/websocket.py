"""The client's side of a feed: websocket-client makes the connection, an own splitter reads it.

`WebSocketConnector` and `WebSocketFeed` fill `actors.ports.FeedConnector` and `FeedSocket`. A socket belongs to one
thread at a time; nothing here blocks for longer than its deadline.
"""

import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import websocket

from tickwire.actors.ports import BINARY, CLOSE, PING, PONG, TEXT, FeedClosed
from tickwire.runtime.feeds.splitter import MAX_MESSAGE, NORMAL, End, FrameSplitter

READ_BYTES = 65_536
CONNECT_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 2.0
_NOTHING_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class WebSocketFeed:
    """A connected client. Not thread-safe; `close` may be called again."""

    def __init__(
        self, connected: socket.socket, *, send_timeout_s: float = SEND_TIMEOUT_S, max_message: int = MAX_MESSAGE
    ) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._tls = connected if isinstance(connected, ssl.SSLSocket) else None
        self._splitter = FrameSplitter(max_message)
        self._send_timeout_s = send_timeout_s
        self._end: FeedClosed | None = None

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether `receive` would find more, or raise, without the socket becoming readable."""
        return self._end is not None or (self._tls is not None and self._tls.pending() > 0)

    def receive(self) -> Sequence[tuple[int, bytes]]:
        """One read's whole data frames, pings (answered already) and pongs; empty if none. Raises FeedClosed."""
        if self._end is not None:
            raise self._end
        try:
            data = self._socket.recv(READ_BYTES)
        except _NOTHING_YET:
            return ()
        except OSError as error:
            self._end = FeedClosed(f"connection lost: {_words(error)}")
            raise self._end from error
        if not data:
            self._end = FeedClosed("connection lost: the server closed it without a word")
            raise self._end
        frames = self._splitter.split(data)
        if self._splitter.ping is not None:
            self._answer_ping(self._splitter.ping)
        if self._splitter.end is not None:
            end = self._finish(self._splitter.end)
            if not frames:
                raise end
        return frames

    def send(self, payload: str | bytes) -> None:
        """Send a text (str) or binary (bytes) frame. Raises FeedClosed, also where it takes over the deadline."""
        if self._end is not None:
            raise self._end
        self._send(
            payload.encode() if isinstance(payload, str) else payload, TEXT if isinstance(payload, str) else BINARY
        )

    def ping(self) -> None:
        if self._end is not None:
            raise self._end
        self._send(b"", PING)

    def close(self) -> None:
        """Say goodbye if that needs no waiting, and release the socket."""
        if self._socket.fileno() < 0:
            return
        if self._end is None:
            self._end = FeedClosed("closed by us")
            self._try_close_frame(NORMAL)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _answer_ping(self, payload: bytes) -> None:
        # Only the newest of a read has to be answered (RFC 6455, 5.5.3).
        self._splitter.ping = None
        with suppress(FeedClosed):  # raised by the next receive, after what has arrived
            self._send(payload, PONG)

    def _finish(self, end: End) -> FeedClosed:
        self._end = FeedClosed(end.reason, end.code)
        self._try_close_frame(end.answer)
        return self._end

    def _try_close_frame(self, code: int) -> None:
        payload = code.to_bytes(2, "big") if 1000 <= code <= 4999 else b""
        with suppress(OSError):
            self._socket.send(_frame(payload, CLOSE))

    def _send(self, payload: bytes, opcode: int) -> None:
        rest = memoryview(_frame(payload, opcode))
        deadline = time.monotonic() + self._send_timeout_s
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except _NOTHING_YET as wanted:
                if not self._wait_until_sendable(deadline, reading=isinstance(wanted, ssl.SSLWantReadError)):
                    self._end = FeedClosed(f"the server took nothing for {self._send_timeout_s:g} s")
                    raise self._end from None
            except OSError as error:
                self._end = FeedClosed(f"connection lost: {_words(error)}")
                raise self._end from error

    def _wait_until_sendable(self, deadline: float, *, reading: bool) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ if reading else selectors.EVENT_WRITE)
            return bool(selector.select(max(0.0, deadline - time.monotonic()))) and time.monotonic() < deadline


class WebSocketConnector:
    """Opens a feed's WebSocket within a deadline: TCP, TLS (verified) and handshake, no redirects."""

    def __init__(
        self,
        address: Callable[[], str],
        *,
        origin: str | None = None,
        timeout_s: float = CONNECT_TIMEOUT_S,
        send_timeout_s: float = SEND_TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        max_message: int = MAX_MESSAGE,
    ) -> None:
        """`address` gives the `ws://` or `wss://` URL at each attempt (a server of ours has it once started)."""
        self._address = address
        self._origin = origin
        self._timeout_s = timeout_s
        self._send_timeout_s = send_timeout_s
        self._tls = tls
        self._max_message = max_message

    def connect(self) -> WebSocketFeed:
        """Raises FeedClosed with the reason."""
        options = {"context": self._tls} if self._tls is not None else {}
        client = websocket.WebSocket(sslopt=options, enable_multithread=False)
        client.settimeout(self._timeout_s)
        # The library's time-out is one of each read: a server that drips its answer needs a deadline over all.
        deadline = threading.Timer(self._timeout_s, _shut, [client])
        deadline.daemon = True
        deadline.start()
        try:
            self._handshake(client, self._address())
        except websocket.WebSocketBadStatusException as error:
            raise FeedClosed(f"the server refused the connection with HTTP {error.status_code}") from error
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise FeedClosed(f"no connection: {_words(error)}") from error
        finally:
            deadline.cancel()
        connected, client.sock = client.sock, None
        if connected is None:
            raise FeedClosed(f"no connection within {self._timeout_s:g} s")
        return WebSocketFeed(connected, send_timeout_s=self._send_timeout_s, max_message=self._max_message)

    def _handshake(self, client: websocket.WebSocket, address: str) -> None:
        client.connect(  # type: ignore[no-untyped-call]  # the library types most of itself, not this
            address,
            socket=_loopback(address, self._timeout_s),
            origin=self._origin,
            suppress_origin=self._origin is None,
            redirect_limit=0,
        )


def _loopback(address: str, timeout_s: float) -> socket.socket | None:
    """A connection to a server on this machine, past any proxy that the environment names; None for other hosts."""
    parts = urlsplit(address)
    if parts.scheme != "ws" or parts.hostname not in _LOOPBACK:
        return None
    connected = socket.create_connection((parts.hostname, parts.port or 80), timeout_s)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _frame(payload: bytes, opcode: int) -> bytes:
    frame: bytes = websocket.ABNF.create_frame(payload, opcode).format()
    return frame


def _shut(client: websocket.WebSocket) -> None:
    connecting = client.sock
    if connecting is not None:
        with suppress(OSError):
            connecting.shutdown(socket.SHUT_RDWR)


def _words(error: BaseException) -> str:
    """An exception's text on one line, short enough to show: it may hold what a server sent."""
    text = (getattr(error, "strerror", None) if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split())[:200] or type(error).__name__
