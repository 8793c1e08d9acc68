"""Supervision as data: what a child, a mailbox and a supervisor are to be. Checked when built."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from tickwire.actors.kernel.behaviour import Factory
from tickwire.actors.kernel.errors import SpecError

Restart = Literal["permanent", "transient", "temporary"]
Overflow = Literal["reject", "drop_newest", "drop_oldest"]
Strategy = Literal["one_for_one", "rest_for_one", "one_for_all"]

REACH = 0.95
"""The part of a period that backoffs may take up: dying and starting take time, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSpec:
    """How much may wait for an actor, in units of `weigh` (None: a message counts one; it is asked about any message).

    `capacity` None is no bound: the watermarks must hold the senders. Over it, `reject` refuses the message and leaves
    it with its sender; `drop_newest` refuses it into the dead letters; `drop_oldest` takes it and moves the oldest
    there. A single message heavier than the capacity is taken by an empty mailbox. The control lane has no bound.

    Above `high` the address is `congested`, until at or below `low`.
    """

    capacity: int | None = None
    overflow: Overflow = "reject"
    high: int | None = None
    low: int | None = None
    weigh: Callable[[object], int] | None = None

    def __post_init__(self) -> None:
        _word("overflow", self.overflow, get_args(Overflow))
        if self.capacity is not None:
            _at_least("capacity", self.capacity, 1)
        if (self.high is None) != (self.low is None):
            raise SpecError(f"watermarks high={self.high} low={self.low}: give both or neither")
        if self.high is not None and self.low is not None:
            _at_least("low", self.low, 0)
            _ordered("low", self.low, "high", self.high)
            if self.capacity is not None and self.high >= self.capacity:
                raise SpecError(f"high={self.high} is never passed with capacity={self.capacity}: take less")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One actor.

    `restart`: permanent after any end, transient after an abnormal one, temporary never.
    `shutdown_s`, `start_deadline_s`: how long its end and its start may take before it is given up.
    `hang_after_s`: how long a step may take, or messages wait unlooked at, before it counts as hung; None is for ever.
    `longest_call_s`: the longest deadline of its blocking calls, under half of `hang_after_s`.
    `max_crashes_per_message`: crashes by one message alone before it goes to the dead letters.
    `collect_s`: how long it may gather its mailbox before a step; a control message or its end cuts that short.
    """

    id: str
    factory: Factory
    restart: Restart = "permanent"
    shutdown_s: float = 5.0
    start_deadline_s: float = 10.0
    hang_after_s: float | None = None
    mailbox: MailboxSpec = field(default_factory=MailboxSpec)
    max_crashes_per_message: int = 1
    collect_s: float = 0.0
    longest_call_s: float | None = None

    def __post_init__(self) -> None:
        where = f"child {self.id!r}: "
        if not self.id:
            raise SpecError("a child's id is empty: name it")
        _word("restart", self.restart, get_args(Restart), where)
        _at_least("shutdown_s", self.shutdown_s, 0, where)
        _positive("start_deadline_s", self.start_deadline_s, where)
        _at_least("max_crashes_per_message", self.max_crashes_per_message, 1, where)
        _at_least("collect_s", self.collect_s, 0, where)
        if self.longest_call_s is not None:
            _positive("longest_call_s", self.longest_call_s, where)
        if self.hang_after_s is not None:
            self._check_hang(self.hang_after_s, where)

    def _check_hang(self, hang_after_s: float, where: str) -> None:
        _positive("hang_after_s", hang_after_s, where)
        if self.longest_call_s is not None and self.longest_call_s >= hang_after_s / 2:
            raise SpecError(
                f"{where}longest_call_s={self.longest_call_s} is not under half of hang_after_s={hang_after_s}: "
                "a slow call would pass for a hang"
            )
        if self.collect_s >= hang_after_s / 2:
            raise SpecError(f"{where}collect_s={self.collect_s} is not under half of hang_after_s={hang_after_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Before restart n (from 0): min(max_s, min_s·2ⁿ)·(1 + U·random_factor), U uniform in [0, 1).

    n falls back to 0 after `reset_after_s` of health.
    """

    min_s: float = 0.2
    max_s: float = 30.0
    random_factor: float = 0.2
    reset_after_s: float = 30.0

    def __post_init__(self) -> None:
        _positive("backoff min_s", self.min_s)
        _ordered("backoff min_s", self.min_s, "max_s", self.max_s)
        _at_least("backoff random_factor", self.random_factor, 0)
        _positive("backoff reset_after_s", self.reset_after_s)

    def whole_s(self, attempt: int) -> float:
        """The delay before restart `attempt` (from 0) without its random part."""
        return min(self.max_s, self.min_s * 2.0 ** min(attempt, 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """How the deaths of children are answered: more than `intensity` restarts within `period_s` end the supervisor."""

    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period_s: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        _word("strategy", self.strategy, get_args(Strategy))
        _at_least("intensity", self.intensity, 0)
        _positive("period_s", self.period_s)
        slowest = sum(map(self.backoff.whole_s, range(self.intensity))) * (1 + self.backoff.random_factor)
        if slowest > self.period_s * REACH:
            raise SpecError(
                f"intensity={self.intensity} within period_s={self.period_s} is never passed: the backoffs of a child "
                f"that dies at once take {slowest:.1f} s for so many restarts. Take a longer period, less intensity or "
                "a smaller backoff max_s"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtreeSpec:
    """A supervisor as a child of another. Ids are unique over the whole tree."""

    id: str
    children: "Sequence[MemberSpec]"
    supervisor: SupervisorSpec = field(default_factory=SupervisorSpec)
    restart: Restart = "permanent"

    def __post_init__(self) -> None:
        if not self.id:
            raise SpecError("a subtree's id is empty: name it")
        _word("restart", self.restart, get_args(Restart), f"subtree {self.id!r}: ")


MemberSpec: TypeAlias = ChildSpec | SubtreeSpec


def check_unique(members: Sequence[MemberSpec]) -> None:
    """Raises SpecError if an id occurs twice in the tree."""
    twice = [id for id, count in Counter(_ids(members)).items() if count > 1]
    if twice:
        raise SpecError(f"child id {twice[0]!r} is given twice: ids are unique over the whole tree")


def _ids(members: Sequence[MemberSpec]) -> Iterator[str]:
    for member in members:
        yield member.id
        if isinstance(member, SubtreeSpec):
            yield from _ids(member.children)


def _word(name: str, value: str, known: Sequence[str], where: str = "") -> None:
    if value not in known:
        raise SpecError(f"{where}{name}={value!r} is unknown: take one of {', '.join(known)}")


def _positive(name: str, value: float, where: str = "") -> None:
    if not value > 0:
        raise SpecError(f"{where}{name}={value}: take more than 0")


def _at_least(name: str, value: float, least: float, where: str = "") -> None:
    if not value >= least:
        raise SpecError(f"{where}{name}={value}: take at least {least}")


def _ordered(name: str, value: float, above: str, bound: float) -> None:
    if not value <= bound:
        raise SpecError(f"{name}={value} is more than {above}={bound}: take at most as much")
