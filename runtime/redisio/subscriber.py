"""A pub/sub subscription for a gateway that runs apart from the relay.

Pub/sub fails silently: after a server's restart nothing but a second confirmation tells that messages were missed,
and a half-open connection stays silent for ever. So the relay's heartbeat is listened to as well: without one in
6 s the connection is given up, and every subscription after the first is a gap, to be refilled from the buffer.
"""

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import hiredis
import redis.exceptions
import structlog

from tickwire.config.urls import RedisServer
from tickwire.runtime.redisio.faults import detail_of
from tickwire.runtime.redisio.handshake import Opening
from tickwire.runtime.redisio.link import CLOSE_S, RECEIVE_CHUNK, TIMEOUT_S
from tickwire.runtime.redisio.pause import BACKOFF_S, pause_s
from tickwire.runtime.redisio.resp import pack
from tickwire.runtime.waker import Waker

SILENCE_S = 6.0
"""Three missed heartbeats."""

_END = object()
_log = structlog.get_logger("tickwire.redis")


class Subscriber:
    """Reads in a thread of its own and calls back in it; `subscribe`, `unsubscribe` and `close` from any thread.

    on_message(channel, payload); on_gap(channel) once a channel is subscribed again: it may have missed messages;
    on_state(heard, detail): whether heartbeats are heard. A deaf gateway is not ready.
    """

    def __init__(
        self,
        url: RedisServer,
        heartbeat: str,
        *,
        on_message: Callable[[str, bytes], None],
        on_gap: Callable[[str], None],
        on_state: Callable[[bool, str], None],
        silence_s: float = SILENCE_S,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:
        self._url = url
        self._heartbeat = heartbeat
        self._on_message = on_message
        self._on_gap = on_gap
        self._on_state = on_state
        self._silence_s = silence_s
        self._backoff_s = backoff_s
        self._lock = threading.Lock()
        self._wanted: dict[str, bool] = {}
        """Channel → whether it was confirmed before."""
        self._commands: list[bytes] = []
        self._state: tuple[bool, str] = (False, "connecting")
        self._closing = threading.Event()
        self._opening: Opening | None = None
        self._waker = Waker()
        self._thread = threading.Thread(target=self._run, name="redis-subscriber", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def subscribe(self, channel: str) -> None:
        """Want a channel's messages; the first confirmation is no gap."""
        with self._lock:
            if channel not in self._wanted:
                self._wanted[channel] = False
                self._commands.append(pack("SUBSCRIBE", channel))
        self._waker.wake()

    def unsubscribe(self, channel: str) -> None:
        with self._lock:
            if self._wanted.pop(channel, None) is not None:
                self._commands.append(pack("UNSUBSCRIBE", channel))
        self._waker.wake()

    def close(self) -> None:
        """End the thread; idempotent."""
        self._closing.set()
        with self._lock:
            opening = self._opening
        if opening is not None:
            opening.abort()
        self._waker.wake()
        if self._thread.ident is None:
            self._waker.close()
        elif self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)

    # -- the thread

    def _run(self) -> None:
        attempt = 0
        while not self._closing.is_set():
            try:
                with contextlib.closing(self._connect()) as connected:
                    heard = self._read(connected)
                    attempt = 0 if heard else attempt
            except (OSError, redis.exceptions.RedisError, hiredis.HiredisError) as error:
                self._tell(False, detail_of(error))
            self._closing.wait(pause_s(attempt, self._backoff_s))
            attempt += 1
        self._waker.close()

    def _connect(self) -> socket.socket:
        opening = Opening(self._url, "tickwire:subscriber", timeout_s=TIMEOUT_S)
        with self._lock:
            self._opening = opening
        if self._closing.is_set():
            raise ConnectionAbortedError("closing")
        connected = opening.connect()
        with self._lock:
            self._opening = None
            self._commands = [pack("SUBSCRIBE", self._heartbeat, *self._wanted)]
        return connected

    def _read(self, connected: socket.socket) -> bool:
        """Read until the connection ends or is deaf; returns whether a heartbeat was heard on it."""
        reader = hiredis.Reader(notEnoughData=_END)
        heard = False
        deadline = time.monotonic() + self._silence_s
        with selectors.DefaultSelector() as selector:
            selector.register(connected, selectors.EVENT_READ)
            selector.register(self._waker.ear, selectors.EVENT_READ)
            while not self._closing.is_set():
                self._send_commands(connected)
                left = deadline - time.monotonic()
                if left <= 0:
                    self._tell(False, "no heartbeat")
                    break
                if not self._readable(selector, connected, left):
                    continue
                data = connected.recv(RECEIVE_CHUNK)
                if not data:
                    raise ConnectionResetError("the server closed the connection")
                reader.feed(data)
                for push in iter(reader.gets, _END):
                    if self._take(push):
                        heard, deadline = True, time.monotonic() + self._silence_s
        return heard

    def _readable(self, selector: selectors.BaseSelector, connected: socket.socket, timeout_s: float) -> bool:
        # Bytes that TLS has decrypted already don't make the socket readable.
        if isinstance(connected, ssl.SSLSocket) and connected.pending():
            return True
        ready = [key.fileobj for key, _ in selector.select(timeout_s)]
        if self._waker.ear in ready:
            self._waker.clear()
        return connected in ready

    def _take(self, push: Any) -> bool:
        """Handle one push; True for a heartbeat."""
        if isinstance(push, hiredis.ReplyError):
            raise push
        kind, name, payload = push
        channel = name.decode()
        if kind == b"message" and channel == self._heartbeat:
            self._tell(True, "")
            return True
        if kind == b"message":
            self._on_message(channel, payload)
        elif kind == b"subscribe":
            with self._lock:
                again = self._wanted.get(channel, False)
                if channel in self._wanted:
                    self._wanted[channel] = True
            if again:
                self._on_gap(channel)
        return False

    def _send_commands(self, connected: socket.socket) -> None:
        with self._lock:
            payload = b"".join(self._commands)
            self._commands.clear()
        if payload:
            connected.settimeout(TIMEOUT_S)
            connected.sendall(payload)

    def _tell(self, heard: bool, detail: str) -> None:
        if (heard, detail) != self._state and not self._closing.is_set():
            self._state = (heard, detail)
            _log.info("redis_subscriber_changed", heard=heard, detail=detail, url=self._url.masked)
            self._on_state(heard, detail)
