"""The inbound side: a venue's WebSocket and what opens it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedProfile:
    """What a TickIngestor must know of its feed."""

    name: str
    source: str
    """The venue whose frames they are; part of each tick's uid."""
    unit: str = "s"
    """Of the wire's stamps: s, ms, us or ns."""
    unique_stamps: bool = False
    estimates_offset: bool = False
    """The venue's clock is off by whole quarter hours, which is found from arrival times."""
    arrivals_from_pings: bool = False
    """A replay: pings `t=<µs>` say when the frames behind them arrived."""
    reconnects_after_end: bool = True
    """Whether a close with 1000 `ended` is a drop like any other."""
    assets: Sequence[str] = ()
    """Subscribed to once the session is open."""


TEXT: int = 1


BINARY: int = 2


CLOSE: int = 8


PING: int = 9


PONG: int = 10


class FeedSocket(Protocol):
    """A connected WebSocket client, made by a `FeedConnector`."""

    def fileno(self) -> int: ...

    def receive(self) -> Sequence[tuple[int, bytes]]:
        """Whole data, ping and pong frames of one read that does not block, as (opcode, payload); empty if none.

        Pings have been answered already; they and pongs are handed over too, as signs of life. Raises FeedClosed,
        after everything that arrived before the end has been returned.
        """

    @property
    def pending(self) -> bool:
        """Whether `receive` would find more without the socket becoming readable (TLS, buffered frames)."""

    def send(self, payload: str | bytes) -> None: ...

    def ping(self) -> None: ...

    def close(self) -> None: ...


class Waiter(Protocol):
    """Waits on one socket and on being woken (a selector beside a socket pair)."""

    def wait(self, socket: FeedSocket | None, timeout_s: float) -> None:
        """Return when `socket` (if any) is readable, when woken, or after `timeout_s`."""

    def wake(self) -> None:
        """End a wait under way, or the next one. Any thread."""

    def close(self) -> None: ...


class FeedConnector(Protocol):
    """Opens the feed's socket, with deadlines. Raises FeedClosed with the reason."""

    def connect(self) -> FeedSocket: ...


@dataclass(frozen=True, slots=True)
class Dialled:
    """A dialler's message to its actor: the socket is open."""

    socket: FeedSocket
    attempt: int


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A dialler's message to its actor: this attempt came to nothing."""

    reason: str
    attempt: int


class FeedDialler(Protocol):
    """Connects off the actor's thread, with deadlines, and tells the outcome: one Dialled or DialFailed a call."""

    def dial(self, attempt: int, tell: Callable[[object], object]) -> None: ...
