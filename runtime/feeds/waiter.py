"""One thread waits on its socket and on its mailbox."""

import selectors

from tickwire.actors.ports import FeedSocket
from tickwire.runtime.waker import Waker


class SelectorWaiter:
    """`actors.ports.Waiter`. `wake` may be called by any thread, the rest by the owner's."""

    def __init__(self) -> None:
        self._waker = Waker()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._waker.ear, selectors.EVENT_READ)
        self._watched: FeedSocket | None = None

    def wait(self, socket: FeedSocket | None, timeout_s: float) -> None:
        if socket is not self._watched:
            self._watch(socket)
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._waker.ear:
                self._waker.clear()

    def _watch(self, socket: FeedSocket | None) -> None:
        # The old one may be closed by now, its descriptor even in use again: forget everything but the ear.
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._waker.ear:
                self._selector.unregister(key.fileobj)
        if socket is not None:
            self._selector.register(socket.fileno(), selectors.EVENT_READ)
        self._watched = socket

    def wake(self) -> None:
        self._waker.wake()

    def close(self) -> None:
        self._selector.close()
        self._waker.close()
