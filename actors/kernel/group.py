"""A supervisor's children: started in order, restarted by strategy, stopped in reverse. Supervisor's thread."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import structlog

from tickwire.actors.kernel.child import ChildState, Member, Started, Stopped
from tickwire.actors.kernel.errors import StartFailed, TooManyRestarts
from tickwire.actors.kernel.ports import Runtime
from tickwire.actors.kernel.recovery import Recovery
from tickwire.actors.kernel.restart import Exit, ExitReason, RestartWindow, affected, delay_s, wants_restart
from tickwire.actors.kernel.sequence import StartInOrder, StopInReverse
from tickwire.actors.kernel.specs import SupervisorSpec

_log = structlog.get_logger("tickwire.kernel")

Phase = Literal["stopped", "starting", "running", "stopping"]
Before = Callable[[Callable[[], None]], None]
"""Does something, then calls on."""


def _at_once(then: Callable[[], None]) -> None:
    then()


class Group:
    def __init__(
        self,
        id: str,
        spec: SupervisorSpec,
        runtime: Runtime,
        *,
        uniform: Callable[[], float],
        failed: Callable[[BaseException], None],
        before_failing: Before = _at_once,
        final: bool = False,
    ) -> None:
        """`failed` is told once it has given up and all members are at rest. A `final` one retires what it stops."""
        self.id = id
        self.phase: Phase = "stopped"
        self.members: Sequence[Member] = ()
        self._spec = spec
        self._runtime = runtime
        self._uniform = uniform
        self._failed = failed
        self._before_failing = before_failing
        self._final = final
        self._window = RestartWindow(intensity=spec.intensity, period_s=spec.period_s)
        self._attempts: dict[str, int] = {}
        self._ended: set[str] = set()
        self._recoveries: list[Recovery] = []
        self._deferred: list[tuple[Member, Exit]] = []
        self._start: tuple[StartInOrder, Started] | None = None
        self._failure: BaseException | None = None
        self._on_rest: list[Stopped] = []

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self, then: Started) -> None:
        self.phase = "starting"
        self._failure = None
        self._window.clear()
        self._attempts.clear()
        self._ended.clear()
        sequence = StartInOrder(self.members, self._start_went)
        self._start = (sequence, then)
        sequence.begin()

    def stop(self, then: Stopped) -> None:
        """Idempotent; `then` is told when all are at rest."""
        self._on_rest.append(then)
        if self.phase != "stopping":
            self._break_off(StartFailed(f"{self.id} was stopped while it started"))
            self._stop_all()

    def fail(self, error: BaseException) -> None:
        """Give up: stop everything, then tell."""
        if self.phase not in ("starting", "running"):
            return
        _log.critical("supervisor_gives_up", supervisor=self.id, error=str(error))
        self._break_off(error)
        self._failure = error
        self.phase = "stopping"
        self._before_failing(self._stop_all)

    def hurry(self) -> None:
        """Ask all that still run to end now, not one after another."""
        for member in reversed(self.members):
            member.hurry()

    def abandon(self) -> None:
        """Time is up."""
        for member in reversed(self.members):
            member.abandon()

    def retire(self) -> None:
        for member in reversed(self.members):
            member.retire()

    def states(self) -> Iterable[ChildState]:
        for member in self.members:
            yield from member.states()

    def _start_went(self, member: Member | None, error: BaseException | None) -> None:
        assert self._start is not None
        _sequence, then = self._start
        self._start = None
        if member is not None:
            failure = StartFailed(f"{member.id} did not start: {error}")
            failure.__cause__ = error
            self._on_rest.append(lambda: then(failure))
            self._stop_all()
            return
        self.phase = "running"
        then(None)
        deferred, self._deferred = self._deferred, []
        for died, exit in deferred:
            self.exited(died, exit)

    def _break_off(self, why: BaseException) -> None:
        """Whatever is being started goes on no further."""
        for recovery in self._recoveries:
            recovery.cancel()
        self._recoveries.clear()
        self._deferred.clear()
        if self._start is not None:
            (sequence, then), self._start = self._start, None
            sequence.cancel()
            self._on_rest.append(lambda: then(why))

    def _stop_all(self) -> None:
        self.phase = "stopping"
        StopInReverse(self.members, each=self._at_rest, then=self._all_at_rest).begin()

    def _at_rest(self, member: Member) -> None:
        if self._final:
            member.retire()

    def _all_at_rest(self) -> None:
        self.phase = "stopped"
        failure, self._failure = self._failure, None
        waiting, self._on_rest = self._on_rest, []
        if failure is not None:
            self._failed(failure)
        for then in waiting:
            then()

    # -- deaths ----------------------------------------------------------------------------------------------------

    def exited(self, member: Member, exit: Exit) -> None:
        """A member that ran has ended by itself."""
        if self.phase == "starting":
            self._deferred.append((member, exit))
        elif self.phase == "running":
            self._answer(member, exit.reason, exit.error)

    def recovered(self, recovery: Recovery) -> None:
        self._recoveries.remove(recovery)

    def not_recovered(self, member: Member, error: BaseException) -> None:
        """A member did not start again."""
        self._answer(member, "start_failed", error)

    def _answer(self, member: Member, reason: ExitReason, error: BaseException | None) -> None:
        if not wants_restart(member.restart, reason):
            _log.info("actor_ended", child=member.id, reason=reason)
            self._ended.add(member.id)
            member.retire()
            return
        if self._window.count(self._runtime.monotonic()):
            spec = self._spec
            failure = TooManyRestarts(
                f"{self.id}: more than {spec.intensity} restarts within {spec.period_s:g} s; the last to die was "
                f"{member.id}: {type(error).__name__}: {error}"
            )
            failure.__cause__ = error
            self.fail(failure)
            return
        self._recover(member, reason)

    def _recover(self, member: Member, reason: ExitReason) -> None:
        backoff = self._spec.backoff
        if member.ran_s >= backoff.reset_after_s:
            self._attempts.pop(member.id, None)
        attempt = self._attempts.get(member.id, 0)
        self._attempts[member.id] = attempt + 1
        delay = delay_s(backoff, attempt, self._uniform())
        members = self._widen(affected(self._spec.strategy, [each.id for each in self.members], member.id))
        _log.warning(
            "restarting", child=member.id, reason=reason, in_s=round(delay, 3), members=[each.id for each in members]
        )
        recovery = Recovery(members, member, delay, self._runtime, self)
        self._recoveries.append(recovery)
        recovery.begin()

    def _widen(self, ids: Iterable[str]) -> Sequence[Member]:
        """These and those of the recoveries that they are part of, which are over with that."""
        wanted = set(ids)
        for recovery in list(self._recoveries):
            members = {each.id for each in recovery.members}
            if members & wanted:
                recovery.cancel()
                self._recoveries.remove(recovery)
                wanted |= members
        return [each for each in self.members if each.id in wanted and each.id not in self._ended]

    def gone(self, member: Member) -> None:
        """A temporary member that was stopped together with others does not come back."""
        self._ended.add(member.id)
        member.retire()
