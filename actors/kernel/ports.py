"""What the kernel needs from the world: time, a thread of its own for decisions, and threads for actors.

Two implementations: `Threads` (Pykka) and `Stepped` (one thread, a clock moved by hand).
"""

from collections.abc import Callable
from typing import Protocol

from tickwire.actors.kernel.behaviour import Timer, Waits


class Flag(Protocol):
    """Set once, waited for."""

    def set(self) -> None: ...

    def is_set(self) -> bool: ...

    def wait(self, timeout: float, /) -> bool:
        """Whether it was set within `timeout` seconds."""


class Runnable(Protocol):
    """An incarnation, as a runtime sees it. All but `over` and the flags is called by its worker alone."""

    @property
    def id(self) -> str: ...

    @property
    def over(self) -> bool:
        """It has ended; its worker may go."""

    @property
    def waits(self) -> bool:
        """Its behaviour waits for itself: after a turn comes `rest`, then at once the next turn."""

    @property
    def collect_s(self) -> float:
        """How long to let messages gather before a turn; 0 where nothing is to be gathered now."""

    def begin(self, worker: "Worker", /) -> None: ...

    def gather(self) -> None:
        """Block while messages gather, if they shall."""

    def turn(self) -> bool:
        """Take the mailbox and step; whether another turn is due without a wake."""

    def rest(self) -> None:
        """Let the behaviour wait."""

    def taken_away(self) -> None:
        """The worker was stopped by others."""


class Worker(Protocol):
    """Who runs one incarnation."""

    def wake(self) -> None:
        """A turn is due. Any thread; never blocks; harmless once the incarnation is over."""

    def waker(self, behaviour: Waits) -> Callable[[], None]:
        """What wakes an incarnation whose behaviour waits for itself."""


class Runtime(Protocol):
    def monotonic(self) -> float: ...

    def post(self, act: Callable[[], None]) -> None:
        """Run `act` soon in the supervisor's thread, after those posted before. Any thread."""

    def after(self, delay_s: float, act: Callable[[], None]) -> Timer:
        """Run `act` in the supervisor's thread after `delay_s`, unless cancelled. Any thread."""

    def flag(self) -> Flag: ...

    def spawn(self, incarnation: Runnable) -> None:
        """Have a worker begin an incarnation and run its turns. Returns before it has begun."""

    def aside(self, act: Callable[[], None]) -> None:
        """Run what may block, away from the supervisor's thread."""

    def open(self, name: str, broken: Callable[[Exception], None]) -> None:
        """`broken` is told, in the supervisor's thread, of what a posted or timed act raised."""

    def close(self) -> None:
        """Run nothing more. Called in the supervisor's thread."""

    def join(self, timeout_s: float) -> None:
        """Wait until the threads that were told to end have."""
