"""The kernel's runtime for simulations: one thread, virtual time, and the next turn is whose the seed says.

The supervisor's own decisions keep their order, as they do in its thread; actors' turns have none among each other. A
turn may be under way while others go on (`between`): that is what happens at a port's call.
"""

from collections import deque
from collections.abc import Callable

from simulation.chance import Chance
from simulation.clock import Act, SimClock, SimTimer

from tickwire.actors.kernel.behaviour import Waits
from tickwire.actors.kernel.ports import Runnable
from tickwire.actors.ports import FeedSocket

IDLE_S = 0.25
"""A behaviour that waits for itself comes back after so long at the latest."""


class SimWaiter:
    """`ports.Waiter` that never blocks: its worker looks at what it waits for."""

    def __init__(self) -> None:
        self.socket: FeedSocket | None = None

    def wait(self, socket: FeedSocket | None, timeout_s: float) -> None:
        self.socket = socket

    def wake(self) -> None:
        """The worker is told by itself."""

    def close(self) -> None:
        self.socket = None


class _Worker:
    """One incarnation's turns."""

    def __init__(self, incarnation: Runnable, runtime: "SeededRuntime", waiter: SimWaiter | None) -> None:
        self.incarnation = incarnation
        self.busy = False
        self._runtime = runtime
        self._waiter = waiter
        self._woken = False
        self._idle: SimTimer | None = None

    @property
    def due(self) -> bool:
        if self.busy:
            return False
        return self._woken or (
            self._waiter is not None and self._waiter.socket is not None and self._waiter.socket.pending
        )

    def begin(self) -> None:
        self._guarded(lambda: self.incarnation.begin(self))

    def wake(self) -> None:
        self._woken = True

    def waker(self, behaviour: Waits) -> Act:
        return self.wake

    def turn(self) -> None:
        self._woken = False
        self._guarded(self._turn)

    def _turn(self) -> None:
        incarnation = self.incarnation
        if self._waiter is not None:
            self._waiter.socket = None
        again = incarnation.turn()
        if again and incarnation.waits:
            incarnation.rest()
            if self._idle is not None:
                self._idle.cancel()
            self._idle = self._runtime.after(IDLE_S, self.wake)
        elif again:
            self._woken = True

    def _guarded(self, act: Act) -> None:
        self.busy = True
        self._runtime.turns.append(self.incarnation.id)
        try:
            act()
        finally:
            self.busy = False
            self._runtime.turns.pop()
            if self.incarnation.over:
                self._runtime.leave(self)


class _Flag:
    def __init__(self, runtime: "SeededRuntime") -> None:
        self._runtime = runtime
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float, /) -> bool:
        self._runtime.wait(self.is_set, timeout)
        return self._set


class SeededRuntime:
    """`Runtime` of one process's life. `wait` is how whoever asks lets the world go on until a condition holds."""

    def __init__(
        self,
        clock: SimClock,
        chance: Chance,
        *,
        wait: Callable[[Callable[[], bool], float], None],
        waiters: Callable[[str], SimWaiter | None],
    ) -> None:
        self.wait = wait
        self._clock = clock
        self._chance = chance
        self._waiters = waiters
        self._acts: deque[Act] = deque()
        self._workers: list[_Worker] = []
        self._closed = False
        self.turns: list[str] = []
        """Whose are under way, the latest last."""

    @property
    def whose(self) -> str:
        return self.turns[-1] if self.turns else ""

    def monotonic(self) -> float:
        return self._clock.seconds

    def post(self, act: Act) -> None:
        if not self._closed:
            self._acts.append(act)

    def after(self, delay_s: float, act: Act) -> SimTimer:
        return self._clock.later(delay_s, lambda: None if self._closed else act())

    def flag(self) -> _Flag:
        return _Flag(self)

    def spawn(self, incarnation: Runnable) -> None:
        worker = _Worker(incarnation, self, self._waiters(incarnation.id))
        self._workers.append(worker)
        self.post(worker.begin)

    def aside(self, act: Act) -> None:
        self.post(act)

    def open(self, name: str, broken: Callable[[Exception], None]) -> None:
        """There is no thread to start; what a decision raises ends the run."""

    def close(self) -> None:
        """The process is over, in order or not."""
        self._closed = True
        self._acts.clear()
        self._workers.clear()

    def join(self, timeout_s: float) -> None:
        """There is no thread to wait for."""

    def leave(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)

    def step(self) -> str | None:
        """One decision of the supervisor or one turn of an actor; whose, None where nothing is due."""
        due = [worker for worker in self._workers if worker.due]
        if self._acts and (not due or self._chance.random.random() < 0.5):
            self._acts.popleft()()
            return "supervisor"
        if not due:
            return None
        worker = self._chance.choose(due)
        worker.turn()
        return worker.incarnation.id
