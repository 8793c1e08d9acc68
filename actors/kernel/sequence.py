"""Starting members in order and stopping them in reverse, each awaited before the next. Supervisor's thread."""

from collections.abc import Callable, Sequence

from tickwire.actors.kernel.child import Member, Stopped

ALIVE = ("starting", "running", "stopping")

Outcome = Callable[[Member | None, BaseException | None], None]
"""Told (None, None) when all have started, else who failed and why."""


class StartInOrder:
    """Start each member that does not run, one after another."""

    def __init__(self, members: Sequence[Member], then: Outcome) -> None:
        self._left = list(members)
        self._then = then
        self._cancelled = False

    def begin(self) -> None:
        while self._left and self._left[0].state in ("starting", "running"):
            self._left.pop(0)
        if not self._left:
            self._then(None, None)
            return
        member = self._left.pop(0)
        member.start(lambda error: self._went(member, error))

    def cancel(self) -> None:
        """Start no further one, and tell nobody."""
        self._cancelled = True

    def _went(self, member: Member, error: BaseException | None) -> None:
        if self._cancelled:
            return
        if error is not None:
            self._then(member, error)
        else:
            self.begin()


class StopInReverse:
    """Stop each member, last first; each has its own deadline, so the next is always reached."""

    def __init__(self, members: Sequence[Member], *, each: Callable[[Member], None], then: Stopped) -> None:
        """`each` is told every member once it is at rest."""
        self._left = list(members)
        self._each = each
        self._then = then
        self._cancelled = False

    def begin(self) -> None:
        if self._cancelled:
            return
        while self._left and self._left[-1].state not in ALIVE:
            self._each(self._left.pop())
        if self._left:
            self._left[-1].stop(self.begin)
        else:
            self._then()

    def cancel(self) -> None:
        """Stop no further one, and tell nobody."""
        self._cancelled = True
