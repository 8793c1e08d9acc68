"""Connecting to Redis: redis-py does it (addresses, TLS, authentication, SELECT, client name), we take the socket.

Retries are redis-py's no longer: the link has its own backoff, and a write must never be sent twice unasked.
"""

import contextlib
import socket
import struct
import sys
import traceback
from typing import Any

import redis
import redis.exceptions

from tickwire.config.urls import RedisServer
from tickwire.runtime.redisio.faults import kind_of

CONNECT_TIMEOUT_S = 1.0
_NO_LINGERING = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Opening:
    """One attempt to connect. `abort` ends it early, from any thread."""

    def __init__(self, url: RedisServer, client_name: str, *, timeout_s: float) -> None:
        options: dict[str, Any] = {
            "host": url.host,
            "port": url.port,
            "db": url.db,
            "username": url.username,
            "password": url.password,
            "client_name": client_name,
            "protocol": 2,
            "driver_info": None,
            "socket_connect_timeout": min(CONNECT_TIMEOUT_S, timeout_s),
            "socket_timeout": timeout_s,
        }
        made_by: Any = _Plain if url.tls is None else _Tls  # redis-py's connections are untyped
        self._connection: Any = made_by(**options, **(url.tls or {}))

    def connect(self) -> socket.socket:
        """The connected, authenticated socket, past a PING. Raises redis-py's errors and OSError."""
        try:
            self._connection.connect()
            self._probe()
            connected: socket.socket = self._connection.release()
            return connected
        except BaseException as error:
            self._connection.disconnect()
            _clear_frames(error)
            raise
        finally:
            self._connection.open_circles()

    def _probe(self) -> None:
        """PING: a loading server takes the handshake's own commands, and refuses this one."""
        self._connection.send_command("PING", check_health=False)
        try:
            self._connection.read_response(disconnect_on_error=False)
        except redis.exceptions.ResponseError as error:
            # A server that can't persist refuses even PING, yet reads and publishes go on.
            if kind_of(str(error)) != "misconf":
                raise

    def abort(self) -> None:
        """End the attempt: a read under way returns at once, a TCP connect within its second."""
        self._connection.abort()


def _clear_frames(error: BaseException | None) -> None:
    """Let go of what the frames hold that an error went through: redis-py's keep the error itself, in a circle.

    The collector would find it, but that hardly ever runs in a process of ours.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class _Releasing:
    """The one place that touches redis-py's socket."""

    _sock: Any
    _parser: Any
    _aborted = False

    def release(self) -> socket.socket:
        """Hand the connected socket over; this object forgets it."""
        connected: socket.socket | None = self._sock
        self._sock = None
        if connected is None:
            raise redis.exceptions.ConnectionError("the connection is closed")
        return connected

    def open_circles(self) -> None:
        """redis-py's parser refers to itself, and would keep its read buffer until the collector came."""
        self._parser.pubsub_push_handler_func = None

    def abort(self) -> None:
        self._aborted = True
        connected: socket.socket | None = self._sock
        if connected is not None:
            shut(connected)

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """redis-py's handshake. Its socket is set by now, so an abort is either seen here or shuts that socket."""
        if self._aborted:
            raise redis.exceptions.ConnectionError("closed while connecting")
        super().on_connect_check_health(check_health)  # type: ignore[misc]  # redis.Connection is the next in line


class _Plain(_Releasing, redis.Connection):
    """Over TCP."""


class _Tls(_Releasing, redis.SSLConnection):
    """Over TLS; certificate and host are checked, which is redis-py's default."""


def shut(connected: socket.socket) -> None:
    """Wake whoever reads from or writes to the socket; closing it is its owner's. Any thread.

    What the system has not delivered yet is thrown away at closing: nobody may hear of an abandoned connection's
    commands after those of the next one.

    Below TLS on purpose: SSLSocket.shutdown would drop the TLS object under the thread that is using it.
    """
    with contextlib.suppress(OSError):  # not connected any more: what was wanted
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
