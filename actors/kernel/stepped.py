"""The kernel in one thread on a clock moved by hand: for tests, and for simulations that step real actors.

Nothing runs until `run`, `advance`, or somebody waits for a flag; then decisions and turns run one after another in a
fixed order. A behaviour that advances the clock inside its own step is one that blocks for so long: all others go on
meanwhile, on the same stack.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from random import Random

from tickwire.actors.kernel.behaviour import Waits
from tickwire.actors.kernel.ports import Runnable

Act = Callable[[], None]


class _StepTimer:
    def __init__(self, act: Act) -> None:
        self.act: Act | None = act

    def cancel(self) -> None:
        self.act = None


class _StepFlag:
    def __init__(self, stepped: "Stepped") -> None:
        self._stepped = stepped
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float, /) -> bool:
        self._stepped.run_until(self.is_set, timeout)
        return self._set


class _StepWorker:
    """Runs one incarnation, never two of its turns at once, and at most one of them due."""

    def __init__(self, incarnation: Runnable, stepped: "Stepped") -> None:
        self._incarnation = incarnation
        self._stepped = stepped
        self._later: _StepTimer | None = None
        self._soon = False
        self._busy = False
        self._missed = False

    def begin(self) -> None:
        self._busy = True
        self._incarnation.begin(self)
        self._busy = False
        self._catch_up()

    def wake(self) -> None:
        if self._busy:
            self._missed = True
            return
        collect_s = self._incarnation.collect_s
        if collect_s > 0:
            if self._later is None:
                self._later = self._stepped.after(collect_s, self._turn)
        elif not self._soon:
            self._soon = True
            self._stepped.turn(self._turn)

    def waker(self, behaviour: Waits) -> Act:
        def wake() -> None:
            behaviour.wake()
            self.wake()

        return wake

    def _turn(self) -> None:
        if self._busy:
            self._missed = True
            return
        self._soon = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._busy = True
        again = self._incarnation.turn()
        self._busy = False
        if again and self._incarnation.waits:
            self._later = self._stepped.after(self._stepped.poll_s, self._turn)
        elif again:
            self._missed = True
        self._catch_up()

    def _catch_up(self) -> None:
        """Woken while it was busy, which may have been in a step that let the clock go on."""
        if self._missed:
            self._missed = False
            if not self._incarnation.over:
                self.wake()


class Stepped:
    """`Runtime` for one thread. A behaviour that waits for itself is not let wait: it is stepped each `poll_s`."""

    def __init__(self, *, start_s: float = 1000.0, poll_s: float = 0.01, interleave: Random | None = None) -> None:
        """Turns come in the order of their wakes; `interleave` picks the next by chance instead, as threads might."""
        self.poll_s = poll_s
        self._interleave = interleave
        self._turns: list[Act] = []
        self._now = start_s
        self._acts: deque[Act] = deque()
        self._timers: list[tuple[float, int, _StepTimer]] = []
        self._ticket = itertools.count()
        self._closed = False
        self._broken: Callable[[Exception], None] = lambda _error: None
        self.acts_run = 0
        """Decisions and turns so far: what a scenario costs."""

    def monotonic(self) -> float:
        return self._now

    def post(self, act: Act) -> None:
        if not self._closed:
            self._acts.append(act)

    def turn(self, act: Act) -> None:
        """An actor's turn is due."""
        if self._interleave is None:
            self.post(act)
        elif not self._closed:
            self._turns.append(act)

    def after(self, delay_s: float, act: Act) -> _StepTimer:
        timer = _StepTimer(act)
        if not self._closed:
            heapq.heappush(self._timers, (self._now + max(0.0, delay_s), next(self._ticket), timer))
        return timer

    def flag(self) -> _StepFlag:
        return _StepFlag(self)

    def spawn(self, incarnation: Runnable) -> None:
        self.turn(_StepWorker(incarnation, self).begin)

    def aside(self, act: Act) -> None:
        self.post(act)

    def open(self, name: str, broken: Callable[[Exception], None]) -> None:
        self._broken = broken

    def close(self) -> None:
        self._closed = True
        self._acts.clear()
        self._turns.clear()
        self._timers.clear()

    def join(self, timeout_s: float) -> None:
        """There is no thread to wait for."""

    # -- whoever moves the clock -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Everything that is due now."""
        self._run(lambda: False)

    def advance(self, seconds: float) -> None:
        """Move the clock, stopping at each timer on the way."""
        self.run_until(lambda: False, seconds)

    def run_until(self, done: Callable[[], bool], within_s: float) -> None:
        """Move the clock until `done`, by at most `within_s`."""
        end = self._now + within_s
        self._run(done)
        while not done() and self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            if timer.act is not None:
                self._do(timer.act)
            self._run(done)
        if not done():
            self._now = max(self._now, end)

    def _run(self, done: Callable[[], bool]) -> None:
        while (self._acts or self._turns) and not done():
            self._do(self._next())

    def _do(self, act: Act) -> None:
        self.acts_run += 1
        try:
            act()
        except Exception as error:
            self._broken(error)
            raise

    def _next(self) -> Act:
        if self._interleave is None or not self._turns:
            return self._acts.popleft()
        chosen = self._interleave.randrange(len(self._turns) + bool(self._acts))
        return self._turns.pop(chosen) if chosen < len(self._turns) else self._acts.popleft()
