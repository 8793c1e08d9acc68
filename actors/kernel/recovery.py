"""Bringing members back after a death: the others of the group are stopped, the backoff passes, all start in order."""

from collections.abc import Sequence
from typing import Protocol

from tickwire.actors.kernel.behaviour import Timer
from tickwire.actors.kernel.child import Member
from tickwire.actors.kernel.ports import Runtime
from tickwire.actors.kernel.sequence import StartInOrder, StopInReverse


class Recoverer(Protocol):
    """Who is told how it went."""

    def recovered(self, recovery: "Recovery", /) -> None: ...

    def not_recovered(self, member: Member, error: BaseException, /) -> None: ...

    def gone(self, member: Member, /) -> None: ...


class Recovery:
    """One at a time for each member; a further death among them cancels it for a wider one."""

    def __init__(
        self, members: Sequence[Member], died: Member, delay_s: float, runtime: Runtime, recoverer: Recoverer
    ) -> None:
        self.members = list(members)
        self._died = died
        self._delay_s = delay_s
        self._runtime = runtime
        self._recoverer = recoverer
        self._timer: Timer | None = None
        self._stop = StopInReverse(self.members, each=self._at_rest, then=self._pause)
        self._start: StartInOrder | None = None

    def begin(self) -> None:
        self._stop.begin()

    def cancel(self) -> None:
        self._stop.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._start is not None:
            self._start.cancel()

    def _at_rest(self, member: Member) -> None:
        if member.restart == "temporary" and member is not self._died:
            self.members.remove(member)
            self._recoverer.gone(member)
        else:
            member.awaits_restart()

    def _pause(self) -> None:
        self._timer = self._runtime.after(self._delay_s, self._again)

    def _again(self) -> None:
        self._start = StartInOrder(self.members, self._went)
        self._start.begin()

    def _went(self, member: Member | None, error: BaseException | None) -> None:
        if member is not None and error is not None:
            self._recoverer.not_recovered(member, error)
        else:
            self._recoverer.recovered(self)
