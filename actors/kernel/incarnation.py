"""One start of a child: its behaviour, what it is given, its turns. A worker (a Pykka actor, or a test) runs it.

Life: `begin` builds and opens the behaviour, each `turn` takes the mailbox and steps it, the end closes it and gives
exactly one notice. A fenced one takes nothing, tells nobody, and ends as soon as its thread comes back.
"""

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, cast

import structlog

from tickwire.actors.kernel.address import Gate
from tickwire.actors.kernel.behaviour import Behaviour, Waits
from tickwire.actors.kernel.context import IncarnationContext, Surroundings, Ties
from tickwire.actors.kernel.errors import ActorDone, InjectedCrash, StoppedFromOutside
from tickwire.actors.kernel.mailbox import Mailbox
from tickwire.actors.kernel.ports import Worker
from tickwire.actors.kernel.restart import Exit, ExitReason
from tickwire.actors.kernel.specs import ChildSpec

_log = structlog.get_logger("tickwire.kernel")


class Notices(Protocol):
    """Told in the supervisor's thread, about this incarnation: at most one start, exactly one end."""

    def started(self, incarnation: "Incarnation", /) -> None: ...

    def ended(self, incarnation: "Incarnation", exit: Exit, /) -> None: ...


class Incarnation:
    def __init__(self, spec: ChildSpec, number: int, mailbox: Mailbox, given: Surroundings, notices: Notices) -> None:
        self.id = spec.id
        self.number = number
        self.over = False
        self.waits = False
        self.turns = 0
        """Counts on with each turn done: the watchdog sees progress without asking."""
        self.batch: Sequence[object] = ()
        """In flight."""
        self._spec = spec
        self._mailbox = mailbox
        self._given = given
        self._notices = notices
        self._gate = Gate()
        self._ties = Ties()
        self._thread_id = 0
        self._behaviour: Behaviour | None = None
        self._wake: Callable[[], None] | None = None
        self._busy_since: float | None = None
        self._interrupted = False
        self._ending = False
        self._crash = False

    # -- the worker's ------------------------------------------------------------------------------------------------

    def begin(self, worker: Worker) -> None:
        self._thread_id = threading.get_ident()
        self._busy_since = self._given.runtime.monotonic()
        try:
            context = IncarnationContext(self.id, self.number, self._given, self._gate, self._ties)
            self._behaviour = self._spec.factory(context)
            self._behaviour.open()
            self.waits = isinstance(self._behaviour, Waits)
        except BaseException as error:
            self._die(error, "start_failed")
            return
        wake = worker.waker(cast(Waits, self._behaviour)) if self.waits else worker.wake
        self._busy_since = None
        self._mailbox.attach(self, wake, unless=lambda: self._gate.closed)
        self._wake = wake
        self._given.runtime.post(partial(self._notices.started, self))
        worker.wake()

    @property
    def collect_s(self) -> float:
        hurried = self._interrupted or self._gate.closed or self._mailbox.urgent or self._mailbox.more
        return 0.0 if hurried else self._spec.collect_s

    def gather(self) -> None:
        if self._spec.collect_s:
            self._mailbox.gather(self.collect_s)

    def turn(self) -> bool:
        if self.over:
            return False
        if (self._interrupted or self._gate.closed) and self._interrupt():
            return False
        behaviour = self._behaviour
        assert behaviour is not None
        try:
            batch = self._mailbox.drain(self)
            if batch or self.waits:
                self._busy_since = self._given.runtime.monotonic()
                self.batch = batch
                behaviour.step(batch)
                self.batch = ()
                self._busy_since = None
        except BaseException as error:
            self._die(error, "failure")
            return False
        self.turns += 1
        if self._gate.closed:
            return not self._interrupt()
        return self.waits or self._mailbox.more

    def rest(self) -> None:
        """A stop asked for before the wait is not missed: the behaviour's wake ends the next wait, too."""
        if self._interrupted or self._gate.closed or self.over:
            return
        try:
            cast(Waits, self._behaviour).wait()
        except BaseException as error:
            self._die(error, "failure")

    def taken_away(self) -> None:
        if not self.over:
            self._die(StoppedFromOutside(f"{self.id}: its Pykka actor was stopped by others"), "failure")

    def _interrupt(self) -> bool:
        """Whether this is the end."""
        self._interrupted = False
        if self._gate.closed:
            self._end(Exit(reason="fenced"))
        elif self._ending:
            self._mailbox.detach(self)
            self._end(Exit(reason="normal"))
        elif self._crash:
            self._crash = False
            self._die(InjectedCrash(f"{self.id}: a crash that was asked for"), "failure")
        return self.over

    def _die(self, error: BaseException, reason: ExitReason) -> None:
        if isinstance(error, ActorDone):
            self._mailbox.give_back(self, error.unhandled, crashes_allowed=None)
            self._end(Exit(reason="normal"))
            return
        if self._gate.closed:
            reason = "fenced"
        elif not isinstance(error, Exception):
            reason = "base_exception"
        try:
            _log.error("actor_died", child=self.id, incarnation=self.number, reason=reason, exc_info=error)
        finally:  # a host's log that fails must not keep the death from being told
            self.give_back("poison")
            self._end(Exit(reason=reason, error=error))

    def _end(self, exit: Exit) -> None:
        self.batch = ()
        self._ties.over = True
        self._busy_since = self._given.runtime.monotonic()
        self._untie()
        try:
            if self._behaviour is not None:
                self._behaviour.close()
        except BaseException as error:
            exit = Exit(reason=exit.reason, error=exit.error or error)
            _log.error("close_failed", child=self.id, incarnation=self.number, exc_info=error)
        finally:
            self._busy_since = None
            self.over = True
            self._given.runtime.post(partial(self._notices.ended, self, exit))

    def _untie(self) -> None:
        for undo in self._ties.watches:
            undo()
        self._ties.watches.clear()

    # -- the supervisor's --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns at once; `Notices` tell."""
        try:
            self._given.runtime.spawn(self)
        except Exception as error:  # no thread is to be had
            self._die(error, "start_failed")

    def stop(self) -> None:
        """End before the next message."""
        self._ending = True
        self._rouse()

    def crash(self) -> None:
        """Fail in the next turn."""
        self._crash = True
        self._rouse()

    def _rouse(self) -> None:
        self._interrupted = True
        self._mailbox.hurry()
        wake = self._wake
        if wake is not None:
            wake()  # before the start there is no need: the first turn comes by itself

    def stalled_s(self, now: float) -> float:
        """For how long it has been in one step, or has left its mailbox unlooked at. Being idle is no stall."""
        busy_since = self._busy_since
        if busy_since is not None:
            return now - busy_since
        return self._mailbox.oldest_age_s

    def stack(self) -> str:
        """Where its thread is now."""
        frame = sys._current_frames().get(self._thread_id)
        return "" if frame is None else "".join(traceback.format_stack(frame))

    def free(self) -> None:
        """Shut what its thread may block on."""
        for shut in list(self._ties.guards.values()):
            try:
                shut()
            except Exception as error:
                _log.error("guard_failed", child=self.id, incarnation=self.number, exc_info=error)

    def fence(self) -> None:
        """Give it up: it takes and tells nothing more. What it had in flight goes back; if one message, to the dead."""
        self._gate.closed = True
        self.give_back("hung")
        self._untie()
        wake = self._wake
        if wake is not None:
            wake()

    def give_back(self, reason: str) -> None:
        """The batch in flight lies at the mailbox's head again, without the poison in it."""
        poison = self._mailbox.give_back(self, self.batch, crashes_allowed=self._spec.max_crashes_per_message)
        if poison:
            self._given.dropped(self.id, reason, poison)
