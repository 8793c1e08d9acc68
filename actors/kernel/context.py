"""What an incarnation is given: addresses, timers and a fence that all end with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tickwire.actors.kernel.address import Asks, Gate, GatedAddress
from tickwire.actors.kernel.behaviour import Timer
from tickwire.actors.kernel.errors import Fenced
from tickwire.actors.kernel.mailbox import Dropped, Mailbox
from tickwire.actors.kernel.ports import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all incarnations of one kernel share."""

    runtime: Runtime
    asks: Asks
    mailbox: Callable[[str], Mailbox]
    """By name; raises UnknownAddress."""
    dropped: Dropped


class IncarnationFence:
    """Closed for good when the supervisor has given the incarnation up."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @property
    def closed(self) -> bool:
        return self._gate.closed

    def check(self) -> None:
        if self._gate.closed:
            raise Fenced("this incarnation was given up as hung and replaced")


class _NoTimer:
    def cancel(self) -> None:
        """There is nothing to cancel."""


@dataclass(slots=True, kw_only=True)
class Ties:
    """What an incarnation leaves with others, undone at its end."""

    over: bool = False
    guards: dict[object, Callable[[], None]] = field(default_factory=dict)
    watches: list[Callable[[], None]] = field(default_factory=list)


class IncarnationContext:
    """`Context` of one incarnation."""

    def __init__(self, id: str, number: int, given: Surroundings, gate: Gate, ties: Ties) -> None:
        self.id = id
        self.incarnation = number
        self.fence = IncarnationFence(gate)
        self._given = given
        self._gate = gate
        self._ties = ties
        self.me = self.address(id)

    def address(self, name: str) -> GatedAddress:
        given = self._given
        mailbox = given.mailbox(name)
        return GatedAddress(mailbox, given.asks, self._gate, refused=given.dropped, on_watch=self._ties.watches.append)

    def after(self, delay_s: float, message: object) -> Timer:
        if self._gate.closed or self._ties.over:
            return _NoTimer()
        return self._given.runtime.after(delay_s, partial(self._due, message))

    def _due(self, message: object) -> None:
        if not self._gate.closed and not self._ties.over:
            self.me.tell(message)

    def guard(self, shut: Callable[[], None]) -> Callable[[], None]:
        guards, key = self._ties.guards, object()
        guards[key] = shut

        def undo() -> None:
            guards.pop(key, None)

        return undo
