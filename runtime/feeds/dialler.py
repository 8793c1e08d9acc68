"""Connects to a feed off the actor's thread: a handshake may take seconds, a stop must not wait for it."""

import threading
from collections.abc import Callable

from tickwire.actors.ports import DialFailed, Dialled, FeedClosed, FeedConnector


class ThreadDialler:
    """`actors.ports.FeedDialler`: a short-lived daemon thread an attempt; its end is always a message."""

    def __init__(self, connector: FeedConnector) -> None:
        self._connector = connector

    def dial(self, attempt: int, tell: Callable[[object], object]) -> None:
        threading.Thread(target=self._run, args=(attempt, tell), name=f"dial-{attempt}", daemon=True).start()

    def _run(self, attempt: int, tell: Callable[[object], object]) -> None:
        try:
            socket = self._connector.connect()
        except FeedClosed as error:
            tell(DialFailed(error.reason, attempt))
        else:
            tell(Dialled(socket, attempt))
