"""A stage for one actor: a context of its own, peers that only record, a clock that tests move.

stage = Stage("buffer_keeper")
actor = BufferKeeper(stage.context, …); stage.open(actor)
stage.step(message, …)                    # what the mailbox would hand over
stage.advance(0.25)                       # timers that fall due put their messages, the actor is stepped
stage.told("batch_writer", TicksAccepted)
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tickwire.actors.kernel.behaviour import Behaviour, PutResult

M = TypeVar("M")

START_US = 1_756_866_774_000_000


class StageClock:
    """`ports.Clock` that moves by `advance` alone."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now_us(self) -> int:
        return START_US + round((self.seconds - 1000.0) * 1e6)

    def monotonic(self) -> float:
        return self.seconds


class Peer:
    """An address that keeps what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.congested = False
        self.messages: list[object] = []
        self.listeners: list[Callable[[str, bool], None]] = []

    def tell(self, message: object, /, *, control: bool = False) -> PutResult:
        self.messages.append(message)
        return PutResult.ACCEPTED

    def ask(self, build: Callable[[Any], object], *, timeout_s: float, control: bool = False) -> Any:
        raise AssertionError("actors tell; asking is for the edge")

    def watch(self, listener: Callable[[str, bool], None], /) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def congest(self, congested: bool) -> None:
        self.congested = congested
        for listener in self.listeners:
            listener(self.name, congested)


@dataclass
class StageTimer:
    due: float
    message: object
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class StageFence:
    closed = False

    def check(self) -> None:
        assert not self.closed


@dataclass
class StageContext:
    id: str
    clock: StageClock
    incarnation: int = 1
    fence: StageFence = field(default_factory=StageFence)
    peers: dict[str, Peer] = field(default_factory=dict)
    timers: list[StageTimer] = field(default_factory=list)
    me: Peer = field(init=False)

    def __post_init__(self) -> None:
        self.me = Peer(self.id)

    def address(self, name: str) -> Peer:
        return self.peers.setdefault(name, Peer(name))

    def after(self, delay_s: float, message: object) -> StageTimer:
        timer = StageTimer(self.clock.seconds + delay_s, message)
        self.timers.append(timer)
        return timer

    def guard(self, shut: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class Stage:
    def __init__(self, name: str) -> None:
        self.clock = StageClock()
        self.context = StageContext(name, self.clock)
        self.actor: Behaviour | None = None

    def open(self, actor: Behaviour) -> None:
        self.actor = actor
        actor.open()
        self.settle()

    def step(self, *messages: object) -> None:
        """Hand over a batch, then whatever the actor told itself."""
        assert self.actor is not None
        self.actor.step(list(messages))
        self.settle()

    def settle(self) -> None:
        assert self.actor is not None
        while self.context.me.messages:
            batch, self.context.me.messages = self.context.me.messages, []
            self.actor.step(batch)

    def advance(self, seconds: float) -> None:
        """Move the clock, timer by timer."""
        assert self.actor is not None
        end = self.clock.seconds + seconds
        while True:
            due = [timer for timer in self.context.timers if not timer.cancelled and timer.due <= end]
            if not due:
                break
            timer = min(due, key=lambda each: each.due)
            self.context.timers.remove(timer)
            self.clock.seconds = max(self.clock.seconds, timer.due)
            self.actor.step([timer.message])
            self.settle()
        self.clock.seconds = end

    def told(self, peer: str, kind: type[M]) -> list[M]:
        """What a peer was told, of one kind, in order."""
        return [message for message in self.context.address(peer).messages if isinstance(message, kind)]

    def forget(self) -> None:
        for peer in self.context.peers.values():
            peer.messages.clear()


class Asker:
    """A reply's receiver."""

    def __init__(self) -> None:
        self.answers: list[object] = []

    def tell(self, message: object, /) -> object:
        self.answers.append(message)
        return None


def by_kind(messages: Sequence[object]) -> dict[str, int]:
    """How many messages of each class."""
    counts: dict[str, int] = defaultdict(int)
    for message in messages:
        counts[type(message).__name__] += 1
    return dict(counts)
