"""The kernel on real threads: Pykka runs the actors, one thread of the kernel's own decides and keeps time.

Of Pykka only the public API is used. A shell's inbox carries nothing but wake tokens, so what Pykka does to an inbox
when its actor fails or stops loses no message; and nothing a behaviour raises ever reaches Pykka's own loop.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pykka
import structlog

from tickwire.actors.kernel.behaviour import Waits
from tickwire.actors.kernel.ports import Flag, Runnable

_log = structlog.get_logger("tickwire.kernel")

WAKE = None
"""The one token."""

Act = Callable[[], None]


class Shell(pykka.ThreadingActor):
    """One incarnation's thread. A daemon: one that hangs must not keep the process alive."""

    use_daemon_thread = True

    def __init__(self, incarnation: Runnable, threads: "Threads") -> None:
        super().__init__()
        self._incarnation = incarnation
        self._threads = threads

    def on_start(self) -> None:
        thread = threading.current_thread()
        thread.name = f"{self._threads.name}-{self._incarnation.id}"
        self._threads.enter(thread, self._incarnation)
        self._incarnation.begin(_ShellWorker(self.actor_ref))
        if self._incarnation.over:
            self.stop()

    def on_receive(self, _token: Any) -> Any:
        incarnation = self._incarnation
        incarnation.gather()
        again = incarnation.turn()
        if again and incarnation.waits:
            incarnation.rest()
        if incarnation.over:
            self.stop()
        elif again:
            self.actor_ref.tell(WAKE)

    def on_stop(self) -> None:
        self._incarnation.taken_away()


class _ShellWorker:
    def __init__(self, ref: "pykka.ActorRef[Shell]") -> None:
        self._ref = ref

    def wake(self) -> None:
        with suppress(pykka.ActorDeadError):
            self._ref.tell(WAKE)

    def waker(self, behaviour: Waits) -> Act:
        def wake() -> None:
            try:
                behaviour.wake()
            except Exception as error:  # the sender that wakes it is not to blame
                _log.error("wake_failed", exc_info=error)

        return wake


class _ThreadTimer:
    def __init__(self, act: Act) -> None:
        self.act: Act | None = act

    def cancel(self) -> None:
        self.act = None


class Threads:
    """`Runtime` for real."""

    def __init__(self) -> None:
        self.name = "kernel"
        self._condition = threading.Condition()
        self._acts: deque[Act] = deque()
        self._timers: list[tuple[float, int, _ThreadTimer]] = []
        self._ticket = itertools.count()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._broken: Callable[[Exception], None] = lambda _error: None
        self._actors: dict[threading.Thread, Runnable] = {}

    # -- the supervisor's thread -------------------------------------------------------------------------------------

    def open(self, name: str, broken: Callable[[Exception], None]) -> None:
        self.name = name
        self._broken = broken
        self._thread = threading.Thread(target=self._run, name=f"{name}-supervisor", daemon=True)
        self._thread.start()

    def monotonic(self) -> float:
        return time.monotonic()

    def post(self, act: Act) -> None:
        with self._condition:
            if not self._closed:
                self._acts.append(act)
                self._condition.notify()

    def after(self, delay_s: float, act: Act) -> _ThreadTimer:
        timer = _ThreadTimer(act)
        due = time.monotonic() + delay_s
        with self._condition:
            if not self._closed:
                heapq.heappush(self._timers, (due, next(self._ticket), timer))
                if self._timers[0][2] is timer:
                    self._condition.notify()
        return timer

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._acts.clear()
            self._timers.clear()
            self._condition.notify()

    def _run(self) -> None:
        while True:
            act = self._next()
            if act is None:
                return
            try:
                act()
            except Exception as error:
                self._broken(error)

    def _next(self) -> Act | None:
        """The next thing to do, when it is due; None at the end."""
        with self._condition:
            while not self._closed:
                if self._acts:
                    return self._acts.popleft()
                wait_s = None
                if self._timers:
                    wait_s = self._timers[0][0] - time.monotonic()
                    if wait_s <= 0:
                        act = heapq.heappop(self._timers)[2].act
                        if act is None:
                            continue
                        return act
                self._condition.wait(wait_s)
            return None

    # -- other threads -----------------------------------------------------------------------------------------------

    def flag(self) -> Flag:
        return threading.Event()

    def spawn(self, incarnation: Runnable) -> None:
        Shell.start(incarnation, self)

    def aside(self, act: Act) -> None:
        threading.Thread(target=act, name=f"{self.name}-aside", daemon=True).start()

    def enter(self, thread: threading.Thread, incarnation: Runnable) -> None:
        """Called by an actor's thread when it starts."""
        with self._condition:
            self._actors = {each: runs for each, runs in self._actors.items() if each.is_alive()}
            self._actors[thread] = incarnation

    def join(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with self._condition:
            ending = [thread for thread, incarnation in self._actors.items() if incarnation.over]
        if self._thread is not None:
            ending.append(self._thread)
        for thread in ending:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
