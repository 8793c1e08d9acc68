"""A supervisor as a member of another's group. Supervisor's thread."""

from collections.abc import Callable, Iterable

from tickwire.actors.kernel.child import ChildState, Member, Started, State, Stopped
from tickwire.actors.kernel.group import Group
from tickwire.actors.kernel.ports import Runtime
from tickwire.actors.kernel.restart import Exit
from tickwire.actors.kernel.specs import SubtreeSpec


class Subtree:
    """`Member` that is a group of its own."""

    def __init__(self, spec: SubtreeSpec, runtime: Runtime, exited: Callable[[Member, Exit], None]) -> None:
        self.id = spec.id
        self.restart = spec.restart
        self.state: State = "new"
        self.ran_s = 0.0
        self.group: Group
        self._runtime = runtime
        self._exited = exited
        self._starts = 0
        self._started_at = 0.0
        self._last_error: BaseException | None = None

    def start(self, then: Started) -> None:
        self._starts += 1
        self.state = "starting"

        def went(error: BaseException | None) -> None:
            if error is None:
                self.state = "running"
                self._started_at = self._runtime.monotonic()
            else:
                self.state = "stopped"
                self.ran_s = 0.0
                self._last_error = error
            then(error)

        self.group.start(went)

    def stop(self, then: Stopped) -> None:
        self.state = "stopping"

        def stopped() -> None:
            self.state = "stopped"
            then()

        self.group.stop(stopped)

    def hurry(self) -> None:
        if self.state in ("starting", "running"):
            self.stop(lambda: None)
        self.group.hurry()

    def failed(self, error: BaseException) -> None:
        """Its group gave up."""
        self._last_error = error
        if self.state == "running":
            self.state = "stopped"
            self.ran_s = self._runtime.monotonic() - self._started_at
            self._exited(self, Exit(reason="failure", error=error))

    def abandon(self) -> None:
        self.group.abandon()

    def awaits_restart(self) -> None:
        self.state = "restarting"

    def retire(self) -> None:
        self.state = "stopped"
        self.group.retire()

    def states(self) -> Iterable[ChildState]:
        error = self._last_error
        yield ChildState(
            id=self.id,
            state=self.state,
            incarnation=self._starts,
            restarts=max(0, self._starts - 1),
            last_error=None if error is None else f"{type(error).__name__}: {error}",
            mailbox_depth=0,
            oldest_age_s=0.0,
        )
        yield from self.group.states()
