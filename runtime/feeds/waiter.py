"""One thread waits on its socket and on its mailbox: a selector beside a socket pair."""

import selectors
import socket
from contextlib import suppress

from tickwire.actors.ports import FeedSocket


class SelectorWaiter:
    """`actors.ports.Waiter`. `wake` may be called by any thread, the rest by the owner's."""

    def __init__(self) -> None:
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._watched: FeedSocket | None = None

    def wait(self, socket: FeedSocket | None, timeout_s: float) -> None:
        if socket is not self._watched:
            self._watch(socket)
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._ear:
                with suppress(BlockingIOError):
                    self._ear.recv(4096)

    def _watch(self, socket: FeedSocket | None) -> None:
        # The old one may be closed by now, its descriptor even in use again: forget everything but the ear.
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._ear:
                self._selector.unregister(key.fileobj)
        if socket is not None:
            self._selector.register(socket.fileno(), selectors.EVENT_READ)
        self._watched = socket

    def wake(self) -> None:
        with suppress(OSError):  # full: a wake is pending already; closed: nobody waits any more
            self._mouth.send(b"w")

    def close(self) -> None:
        self._selector.close()
        self._ear.close()
        self._mouth.close()
