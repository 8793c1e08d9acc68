"""The root supervisor: what a host starts, asks and stops.

Everything is decided in one thread of the kernel's own (the runtime's), which does no I/O and never blocks; all
methods here may be called from any other. Several supervisors may live in one process and share nothing.
"""

import random as _random
from collections.abc import Callable, Mapping, Sequence

import structlog

from tickwire.actors.kernel.address import Asks, MailAddress
from tickwire.actors.kernel.child import Child, ChildState, Member
from tickwire.actors.kernel.context import Surroundings
from tickwire.actors.kernel.dead_letters import DeadLetters, Heard
from tickwire.actors.kernel.errors import StartFailed, SupervisorFailed, TooManyZombies, UnknownAddress
from tickwire.actors.kernel.group import Group
from tickwire.actors.kernel.mailbox import Mailbox
from tickwire.actors.kernel.ports import Runtime
from tickwire.actors.kernel.specs import ChildSpec, MemberSpec, SupervisorSpec, check_unique
from tickwire.actors.kernel.subtree import Subtree
from tickwire.actors.kernel.threads import Threads
from tickwire.actors.kernel.watchdog import Watchdog, Zombies

_log = structlog.get_logger("tickwire.kernel")

STOP_S = 8.0
"""A stop takes no longer, whatever hangs."""
HURRY = 0.75
"""After this part of a stop's time all that still run are asked to end at once, so that each has a chance to close."""
DRAIN_S = 2.0
"""How long the host may drain before a supervisor that gave up stops its children."""
MOST_ZOMBIES = 2
JOIN_S = 1.0


class Supervisor:
    """Starts once and stops once.

    `drain(within_s)` is called in a thread of its own when the supervisor has given up, before its children are
    stopped: whatever of them still runs can be asked to put things in safety. It is not waited for longer than
    `within_s`. `on_failure(error)` is called when all have ended, in the supervisor's thread: it must not block.
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        children: Sequence[MemberSpec],
        *,
        on_failure: Callable[[BaseException], None] | None = None,
        drain: Callable[[float], object] | None = None,
        on_dead: Heard | None = None,
        name: str = "root",
        runtime: Runtime | None = None,
        random: _random.Random | None = None,
    ) -> None:
        """`on_dead(recipient, reason, messages)` hears of each dead letter, in whatever thread. Raises SpecError if an
        id occurs twice."""
        check_unique(children)
        self.name = name
        self.failure: BaseException | None = None
        """Why it gave up, once all its children have ended."""
        self._runtime: Runtime = runtime or Threads()
        self._uniform = (random or _random.Random()).random
        self._on_failure = on_failure
        self._drain = drain
        self._on_dead = on_dead
        self._ended = self._runtime.flag()
        self._opened = False
        self._build(spec, children)

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self, timeout_s: float = 30.0) -> None:
        """Start the children in order, each once the one before has opened.

        Raises StartFailed, with the cause chained, when one does not; those before it are stopped again.
        """
        if self._opened:
            raise StartFailed(f"{self.name} has been started before: build another")
        went: list[BaseException | None] = []
        over = self._runtime.flag()

        def then(error: BaseException | None) -> None:
            went.append(error)
            over.set()

        self._opened = True
        self._runtime.open(self.name, self._broken)
        self._runtime.post(lambda: self._root.start(then))
        self._runtime.post(self._watchdog.begin)
        if not over.wait(timeout_s):
            self.stop()
            raise StartFailed(f"{self.name} has not started within {timeout_s} s: {self._unstarted()}")
        error = went[0]
        if error is not None:
            self.stop()
            if isinstance(error, StartFailed):
                raise error
            raise StartFailed(str(error)) from error

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the children in reverse order and return when all have ended or time is up. Idempotent."""
        if not self._opened:
            self._root.retire()
            return
        self._runtime.post(lambda: self._begin_stop(timeout_s))
        if not self._ended.wait(timeout_s + JOIN_S):
            _log.critical("supervisor_stands_still", supervisor=self.name)
        self._runtime.join(JOIN_S)

    def _begin_stop(self, timeout_s: float) -> None:
        self._limit(timeout_s)
        self._root.stop(self._finish)

    def _limit(self, seconds: float) -> None:
        self._runtime.after(seconds * HURRY, self._root.hurry)
        self._runtime.after(seconds, self._root.abandon)

    def _before_failing(self, then: Callable[[], None]) -> None:
        self._limit(STOP_S)
        drain = self._drain
        if drain is None:
            then()
            return
        over = False

        def go_on() -> None:
            nonlocal over
            if not over:
                over = True
                then()

        def drained() -> None:
            try:
                drain(DRAIN_S)
            except Exception as error:
                _log.error("drain_failed", supervisor=self.name, exc_info=error)
            self._runtime.post(go_on)

        self._runtime.aside(drained)
        self._runtime.after(DRAIN_S, go_on)

    def _failed(self, error: BaseException) -> None:
        self.failure = error
        self._ended.set()
        if self._on_failure is not None:
            try:
                self._on_failure(error)
            except Exception as second:
                _log.error("on_failure_failed", supervisor=self.name, exc_info=second)
        self._finish()

    def _broken(self, error: Exception) -> None:
        """A decision raised, so what it decided is half done: better no supervisor than one that supervises nobody."""
        _log.critical("supervisor_error", supervisor=self.name, exc_info=error)
        failure = SupervisorFailed(f"{self.name}: the supervisor itself failed: {type(error).__name__}: {error}")
        failure.__cause__ = error
        self._root.fail(failure)

    def _finish(self) -> None:
        self.dead_letters.summarize()
        self._ended.set()
        self._runtime.close()

    # -- what a host may know and do -----------------------------------------------------------------------------------

    def address(self, name: str) -> MailAddress:
        """Raises UnknownAddress for a name that no spec has."""
        return MailAddress(self._child(name).mailbox, self._asks)

    def states(self) -> list[ChildState]:
        """Every child, and every supervisor within, in start order."""
        return list(self._root.states())

    @property
    def zombies(self) -> int:
        """Threads that were given up as hung and still run."""
        return self._zombies.count

    def dead_letter_weights(self) -> Mapping[tuple[str, str], int]:
        """(recipient, reason) → weight, in the recipient's units, of all messages that nobody took."""
        return self.dead_letters.weights()

    def crash(self, name: str) -> None:
        """Make an actor fail in its next turn, blaming no message: for tests of what follows."""
        child = self._child(name)
        self._runtime.post(child.crash)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _build(self, spec: SupervisorSpec, children: Sequence[MemberSpec]) -> None:
        runtime = self._runtime
        self._children: dict[str, Child] = {}
        self._zombies = Zombies(MOST_ZOMBIES, self._too_many_zombies)
        self._asks = Asks(runtime.flag)
        self.dead_letters = DeadLetters(
            runtime, self._weigh, self._asks.lost, quiet=self._is_stopping, heard=self._on_dead
        )
        self._given = Surroundings(
            runtime=runtime,
            asks=self._asks,
            mailbox=lambda name: self._child(name).mailbox,
            dropped=self.dead_letters.record,
        )
        self._root = Group(
            self.name,
            spec,
            runtime,
            uniform=self._uniform,
            failed=self._failed,
            before_failing=self._before_failing,
            final=True,
        )
        self._root.members = [self._member(each, self._root) for each in children]
        self._watchdog = Watchdog(list(self._children.values()), runtime)

    def _member(self, spec: MemberSpec, group: Group) -> Member:
        if isinstance(spec, ChildSpec):
            mailbox = Mailbox(spec.id, spec.mailbox, now=self._runtime.monotonic, dropped=self.dead_letters.record)
            child = Child(spec, mailbox, self._given, self._zombies, group.exited)
            self._children[spec.id] = child
            return child
        subtree = Subtree(spec, self._runtime, group.exited)
        subtree.group = Group(spec.id, spec.supervisor, self._runtime, uniform=self._uniform, failed=subtree.failed)
        subtree.group.members = [self._member(each, subtree.group) for each in spec.children]
        return subtree

    def _child(self, name: str) -> Child:
        try:
            return self._children[name]
        except KeyError:
            raise UnknownAddress(f"there is no actor {name!r}: {', '.join(self._children) or 'none at all'}") from None

    def _is_stopping(self) -> bool:
        return self._opened and self._root.phase in ("stopping", "stopped")

    def _weigh(self, recipient: str, message: object) -> int:
        weigh = self._child(recipient).spec.mailbox.weigh
        return 1 if weigh is None else weigh(message)

    def _unstarted(self) -> str:
        return ", ".join(f"{state.id} is {state.state}" for state in self.states() if state.state != "running")

    def _too_many_zombies(self, count: int) -> None:
        failure = TooManyZombies(f"{self.name}: {count} threads hang for good; only a new process frees them")
        self._runtime.post(lambda: self._root.fail(failure))  # later: the child is about to tell its group of its end
