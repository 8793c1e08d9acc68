"""A child as its supervisor sees it: mailbox and address that last, incarnations that come and go.

All of it runs in the supervisor's thread. An end is told once: to whoever is starting or stopping the child, else to
the group it belongs to.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from tickwire.actors.kernel.behaviour import Timer
from tickwire.actors.kernel.context import Surroundings
from tickwire.actors.kernel.errors import StartFailed
from tickwire.actors.kernel.incarnation import Incarnation
from tickwire.actors.kernel.mailbox import Mailbox
from tickwire.actors.kernel.restart import Exit
from tickwire.actors.kernel.specs import ChildSpec, Restart

_log = structlog.get_logger("tickwire.kernel")

State = Literal["new", "starting", "running", "stopping", "restarting", "stopped"]

Started = Callable[[BaseException | None], None]
"""Told None when the start has succeeded, else why not."""
Stopped = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildState:
    """A child, seen from outside."""

    id: str
    state: State
    """`restarting` is dead for now: waiting for its backoff or for others of its group."""
    incarnation: int
    restarts: int
    last_error: str | None
    mailbox_depth: int
    oldest_age_s: float


class Member(Protocol):
    """What a group is made of: actors and groups within."""

    @property
    def id(self) -> str: ...

    @property
    def restart(self) -> Restart: ...

    @property
    def state(self) -> State: ...

    @property
    def ran_s(self) -> float:
        """How long its latest run lasted, from its start on; 0 if it did not start."""

    def start(self, then: Started) -> None: ...

    def stop(self, then: Stopped) -> None:
        """Ask it to end, within its deadline; at once where it does not run."""

    def hurry(self) -> None:
        """Ask it to end now, and all that is in it, not one after another."""

    def abandon(self) -> None:
        """Its time is up: it counts as stopped now, whatever its threads do."""

    def awaits_restart(self) -> None:
        """It is to come back."""

    def retire(self) -> None:
        """It comes back no more: what waits for it is dead."""

    def states(self) -> Iterable[ChildState]: ...


class ZombieKeeper(Protocol):
    """Counts threads that did not end when they should."""

    def add(self, incarnation: Incarnation, /) -> None: ...

    def gone(self, incarnation: Incarnation, /) -> None: ...


class Child:
    """`Member` that is an actor."""

    def __init__(
        self,
        spec: ChildSpec,
        mailbox: Mailbox,
        given: Surroundings,
        zombies: ZombieKeeper,
        exited: Callable[["Child", Exit], None],
    ) -> None:
        self.spec = spec
        self.id = spec.id
        self.restart = spec.restart
        self.mailbox = mailbox
        self.state: State = "new"
        self.current: Incarnation | None = None
        self.ran_s = 0.0
        self.number = 0
        self.late_notices = 0
        """Of incarnations that were given up before."""
        self._given = given
        self._zombies = zombies
        self._exited = exited
        self._last_error: BaseException | None = None
        self._started_at = 0.0
        self._deadline: Timer | None = None
        self._on_started: Started | None = None
        self._on_stopped: list[Stopped] = []
        self._crash_next = False

    # -- what the group asks -------------------------------------------------------------------------------------------

    def start(self, then: Started) -> None:
        self.number += 1
        self.state = "starting"
        self.mailbox.open()
        self._on_started = then
        self.current = Incarnation(self.spec, self.number, self.mailbox, self._given, self)
        self._await(self.spec.start_deadline_s, self._start_is_late)
        self.current.start()

    def stop(self, then: Stopped) -> None:
        if self.state in ("starting", "running"):
            assert self.current is not None
            self.state = "stopping"
            self._on_started = None
            self._on_stopped = [then]
            self._await(self.spec.shutdown_s, self.abandon)
            self.current.stop()
        elif self.state == "stopping":
            self._on_stopped.append(then)
        else:
            self.state = "stopped"
            then()

    def hurry(self) -> None:
        if self.state in ("starting", "running"):
            self.stop(lambda: None)

    def abandon(self) -> None:
        if self.current is not None:
            stack = self.current.stack()
            _log.warning("actor_abandoned", child=self.id, incarnation=self.number, stack=stack)
            self._give_up(self.current)
        self._is_stopped()

    def awaits_restart(self) -> None:
        self.state = "restarting"

    def retire(self) -> None:
        self.state = "stopped"
        left = self.mailbox.close()
        if left:
            self._given.dropped(self.id, "stopped", left)
        self._given.asks.ended(self.id)

    def crash(self) -> None:
        """Fail in the next turn, be it the next incarnation's."""
        if self.current is not None:
            self.current.crash()
        else:
            self._crash_next = True

    def states(self) -> Iterable[ChildState]:
        error = self._last_error
        yield ChildState(
            id=self.id,
            state=self.state,
            incarnation=self.number,
            restarts=max(0, self.number - 1),
            last_error=None if error is None else f"{type(error).__name__}: {error}",
            mailbox_depth=self.mailbox.depth,
            oldest_age_s=self.mailbox.oldest_age_s,
        )

    # -- what incarnations tell ----------------------------------------------------------------------------------------

    def started(self, incarnation: Incarnation) -> None:
        if incarnation is not self.current or self.state != "starting":
            return
        self._no_deadline()
        self.state = "running"
        self._started_at = self._given.runtime.monotonic()
        if self._crash_next:
            self._crash_next = False
            incarnation.crash()
        then, self._on_started = self._on_started, None
        if then is not None:
            then(None)

    def ended(self, incarnation: Incarnation, exit: Exit) -> None:
        if incarnation is not self.current:
            self.late_notices += 1
            self._zombies.gone(incarnation)
            return
        self._is_over(exit)

    def hung(self, incarnation: Incarnation) -> None:
        """The watchdog has given this incarnation up."""
        if incarnation is self.current:
            self._give_up(incarnation)
            self._is_over(Exit(reason="hung", error=TimeoutError(f"no progress within {self.spec.hang_after_s} s")))

    def _start_is_late(self) -> None:
        assert self.current is not None
        self._give_up(self.current)
        error = StartFailed(f"{self.id} has not started within start_deadline_s={self.spec.start_deadline_s}")
        self._is_over(Exit(reason="start_failed", error=error))

    def _give_up(self, incarnation: Incarnation) -> None:
        """Its thread may still run, for ever: it is fenced, freed if it can be, and counted."""
        self.current = None
        incarnation.fence()
        incarnation.free()
        self._zombies.add(incarnation)

    def _is_over(self, exit: Exit) -> None:
        self.current = None
        if exit.error is not None:
            self._last_error = exit.error
        before, self.state = self.state, "stopped"
        self.ran_s = 0.0 if before == "starting" else self._given.runtime.monotonic() - self._started_at
        self._no_deadline()
        if before == "stopping":
            self._is_stopped()
        elif before == "starting":
            then, self._on_started = self._on_started, None
            if then is not None:
                then(exit.error or StartFailed(f"{self.id} ended while it started ({exit.reason})"))
        else:
            self._exited(self, exit)

    def _is_stopped(self) -> None:
        self._no_deadline()
        self.state = "stopped"
        waiting, self._on_stopped = self._on_stopped, []
        for then in waiting:
            then()

    def _await(self, seconds: float, late: Callable[[], None]) -> None:
        self._no_deadline()
        self._deadline = self._given.runtime.after(seconds, late)

    def _no_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
