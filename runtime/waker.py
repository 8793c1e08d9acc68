"""Ends a `select` that another thread waits in: a socket pair, of which the selector holds one end."""

import socket
from contextlib import suppress


class Waker:
    """`wake` may be called by any thread, the rest by the one that waits."""

    def __init__(self) -> None:
        self.ear, self._mouth = socket.socketpair()
        self.ear.setblocking(False)
        self._mouth.setblocking(False)

    def wake(self) -> None:
        with suppress(OSError):  # full: a wake is pending already; closed: nobody waits any more
            self._mouth.send(b"w")

    def clear(self) -> None:
        with suppress(BlockingIOError):
            self.ear.recv(4096)

    def close(self) -> None:
        self.ear.close()
        self._mouth.close()
