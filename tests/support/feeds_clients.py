"""Clients and frames for tests of feeds: plain ones, and the own one read by a selector."""

import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tickwire.actors.ports import FeedClosed
from tickwire.runtime.feeds.websocket import WebSocketConnector, WebSocketFeed

DEADLINE_S = 30.0


class RealClock:
    """`actors.ports.Clock` as the machine has it."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


class SteppedClock:
    """A clock that the test moves; a server that waits looks at it again when its client pings."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now_us(self) -> int:
        return 1_700_000_000_000_000 + round(self.seconds * 1e6)

    def monotonic(self) -> float:
        return self.seconds


def read_to_the_end(url: str) -> tuple[list[str | bytes], int | None, str]:
    """Every message that a plain client gets, and the close frame's code and reason."""
    messages: list[str | bytes] = []
    with connect(url, max_size=None, compression=None, ping_interval=None, proxy=None) as client:
        try:
            while True:
                messages.append(client.recv(DEADLINE_S))
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                return messages, None, ""
            return messages, closed.rcvd.code, closed.rcvd.reason


@contextmanager
def connected(url: str) -> Iterator[WebSocketFeed]:
    """The own client, connected."""
    feed = WebSocketConnector(lambda: url).connect()
    try:
        yield feed
    finally:
        feed.close()


def receive_until(
    feed: WebSocketFeed,
    done: Callable[[Sequence[tuple[int, bytes]]], bool],
    frames: list[tuple[int, bytes]] | None = None,
) -> list[tuple[int, bytes]]:
    """Add to `frames` what comes, in order, until `done` says so of them. Raises FeedClosed."""
    frames = [] if frames is None else frames
    deadline = time.monotonic() + DEADLINE_S
    with selectors.DefaultSelector() as selector:
        selector.register(feed, selectors.EVENT_READ)
        while not done(frames):
            left = deadline - time.monotonic()
            assert left > 0, f"nothing more came after {len(frames)} frames"
            if feed.pending or selector.select(left):
                frames.extend(feed.receive())
    return frames


def receive_to_the_end(feed: WebSocketFeed) -> tuple[list[tuple[int, bytes]], FeedClosed]:
    """Everything until the connection ends, and how it ended."""
    frames: list[tuple[int, bytes]] = []
    try:
        receive_until(feed, lambda _: False, frames)
    except FeedClosed as closed:
        return frames, closed
    raise AssertionError("unreachable: receive_until fails by its deadline")
