"""One actor's own connection to Redis: a state machine with its own reconnecting, and round trips of packed bytes.

Two threads. The *owner* (the actor) makes round trips with `call`. The *keeper*, a daemon thread of the link, connects,
watches for the peer hanging up, reconnects with backoff, closes old sockets, and tells the listener. The owner
never connects and never closes: when a round trip fails it marks the link degraded, shuts the socket, wakes the keeper.
"""

import select
import selectors
import socket
import threading
import time
from collections import deque
from typing import Any

import hiredis
import redis.exceptions
import structlog

from tickwire.actors.kernel.behaviour import Fence
from tickwire.actors.ports import LinkDown, Listener
from tickwire.config.urls import RedisServer
from tickwire.messages.lifecycle import LinkState
from tickwire.runtime.redisio.faults import DOWN, TIMEOUT, detail_of
from tickwire.runtime.redisio.handshake import Opening, shut
from tickwire.runtime.redisio.pause import BACKOFF_S, pause_s
from tickwire.runtime.waker import Waker

TIMEOUT_S = 2.0
"""Deadline of a round trip, writing and reading together."""
STABLE_S = 1.0
"""A connection that lived shorter counts as a failed attempt, or accepting and hanging up would be a busy loop."""
CLOSE_S = 0.25
SEND_CHUNK = 256 * 1024
RECEIVE_CHUNK = 64 * 1024

_END = object()
_log = structlog.get_logger("tickwire.redis")


class RedisLink:
    """An `actors.ports.Link`. All but `call` may be used from any thread; `call` is the owner's."""

    def __init__(
        self,
        url: RedisServer,
        owner: str,
        *,
        listener: Listener | None = None,
        fence: Fence | None = None,
        timeout_s: float = TIMEOUT_S,
        backoff_s: tuple[float, float] = BACKOFF_S,
    ) -> None:
        self.url = url
        self.owner = owner
        self._listener = listener
        self._fence = fence
        self._timeout_s = timeout_s
        self._backoff_s = backoff_s
        self._state: LinkState = "connecting"
        self._detail = ""
        self._socket: socket.socket | None = None
        self._reader = hiredis.Reader(notEnoughData=_END)
        self._lock = threading.Lock()
        """Guards state, socket and opening; never held over I/O."""
        self._calling = threading.Lock()
        """Held over a round trip: a socket is closed only when nobody is in it, or its number might be reused."""
        self._changes: deque[tuple[LinkState, str]] = deque()
        self._closing = threading.Event()
        self._opening: Opening | None = None
        self._waker = Waker()
        self._keeper = threading.Thread(target=self._keep, name=f"redis-link-{owner}", daemon=True)

    # -- what the owner sees

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def detail(self) -> str:
        return self._detail

    @property
    def up(self) -> bool:
        return self._state == "up"

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._keeper.start()

    def call(self, payload: bytes, replies: int) -> list[Any]:
        """Write packed commands, read their replies: one round trip of at most `timeout_s`.

        An error reply comes back as a `hiredis.ReplyError` value, also inside EXEC's array. Raises LinkDown when
        the link is not up or fails on the way (the commands may have been carried out or not), and whatever the
        fence raises.
        """
        if self._fence is not None:
            self._fence.check()
        with self._calling:
            connected = self._socket
            if connected is None or self._state != "up":
                raise LinkDown(self._detail or self._state)
            deadline = time.monotonic() + self._timeout_s
            try:
                self._send(connected, payload, deadline)
                return self._receive(connected, replies, deadline)
            except (OSError, hiredis.HiredisError) as error:
                detail = TIMEOUT if isinstance(error, TimeoutError) else DOWN
                self._fail(connected, detail, error)
                raise LinkDown(detail) from error

    def close(self) -> None:
        """End the connection and the keeper; idempotent. A call under way ends with LinkDown.

        A keeper that is just connecting to a host that says nothing is not waited for: it ends at its own deadline.
        """
        self._closing.set()
        with self._lock:
            opening, connected = self._opening, self._socket
            if self._state == "up":
                self._state, self._detail = "degraded", "closed"
        if opening is not None:
            opening.abort()
        if connected is not None:
            shut(connected)
        self._waker.wake()
        if self._keeper.ident is None:
            self._waker.close()
        elif self._keeper is not threading.current_thread():
            self._keeper.join(CLOSE_S)

    def shut(self) -> None:
        """Break a call under way (`Context.guard`): it ends with LinkDown and the link reconnects. Any thread."""
        connected = self._socket
        if connected is not None:
            shut(connected)

    # -- the round trip, in the owner's thread

    def _send(self, connected: socket.socket, payload: bytes, deadline: float) -> None:
        view = memoryview(payload)
        while view:
            connected.settimeout(_left(deadline))
            view = view[connected.send(view[:SEND_CHUNK]) :]

    def _receive(self, connected: socket.socket, replies: int, deadline: float) -> list[Any]:
        reader = self._reader
        taken: list[Any] = []
        while len(taken) < replies:
            connected.settimeout(_left(deadline))
            data = connected.recv(RECEIVE_CHUNK)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            reader.feed(data)
            # iter() with a sentinel takes replies in C: a batch of PUBLISHes has thousands.
            taken.extend(iter(reader.gets, _END))
        if len(taken) > replies:
            raise hiredis.ProtocolError(f"{len(taken)} replies to {replies} commands")
        return taken

    def _fail(self, connected: socket.socket, detail: str, error: BaseException | None) -> None:
        with self._lock:
            if self._socket is not connected or self._state != "up":
                return
            self._change("degraded", detail)
        _log.debug("redis_call_failed", owner=self.owner, detail=detail, error=str(error))
        shut(connected)
        self._waker.wake()

    # -- the keeper

    def _keep(self) -> None:
        attempt = 0
        while not self._closing.is_set():
            connected = self._connect()
            self._tell()
            if connected is not None:
                since = time.monotonic()
                self._watch(connected)
                self._tell()
                attempt = 0 if time.monotonic() - since >= STABLE_S else attempt
            self._closing.wait(pause_s(attempt, self._backoff_s))
            attempt += 1
        self._waker.close()

    def _connect(self) -> socket.socket | None:
        opening = Opening(self.url, f"tickwire:{self.owner}", timeout_s=self._timeout_s)
        with self._lock:
            self._opening = opening
        if self._closing.is_set():
            return None
        try:
            connected = opening.connect()
        except (OSError, redis.exceptions.RedisError, ValueError) as error:
            with self._lock:
                self._opening = None
                if not self._closing.is_set():
                    self._change("degraded", detail_of(error))
            _log.debug("redis_connect_failed", owner=self.owner, url=self.url.masked, error=str(error))
            return None
        with self._lock:
            self._opening = None
            self._socket = connected
            self._reader = hiredis.Reader(notEnoughData=_END)
            if not self._closing.is_set():
                self._change("up", "")
        return connected

    def _watch(self, connected: socket.socket) -> None:
        """Return when the connection has ended: marked by the owner, hung up by the peer, or closing."""
        self._waker.clear()
        while self._state == "up" and not self._closing.is_set():
            if _hung_up(connected, self._waker.ear):
                self._fail(connected, DOWN, None)
            self._waker.clear()
        with self._calling:
            self._socket = None
            connected.close()

    def _change(self, state: LinkState, detail: str) -> None:
        """Note a change for the keeper to tell. Holding the lock."""
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._changes.append((state, detail))

    def _tell(self) -> None:
        while self._changes:
            state, detail = self._changes.popleft()
            _log.info("redis_link_changed", owner=self.owner, state=state, detail=detail, url=self.url.masked)
            if self._listener is not None:
                self._listener(state, detail)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline of the round trip is over")
    return left


def _hung_up(connected: socket.socket, wake: socket.socket) -> bool:
    """Wait until woken or, where the system can tell without reading (Linux), until the peer has hung up."""
    if not hasattr(select, "POLLRDHUP"):
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            selector.select()
        return False
    poller = select.poll()
    poller.register(wake, select.POLLIN)
    # No POLLIN here: replies are the owner's to read, and must not wake this thread.
    poller.register(connected, select.POLLRDHUP)
    return any(fd != wake.fileno() for fd, _ in poller.poll())
