"""Finds incarnations that hang, without asking them: a step that takes too long, messages that nobody looks at.

First its stack is logged and its guards shut what it may block on; if that does not free it, its child is told to give
it up. What was given up and still runs is a *zombie*.
"""

from collections.abc import Callable, Sequence

import structlog

from tickwire.actors.kernel.child import Child
from tickwire.actors.kernel.incarnation import Incarnation
from tickwire.actors.kernel.ports import Runtime

_log = structlog.get_logger("tickwire.kernel")

GRACE_S = 2.0
"""From the guards' shutting to the fence."""
LOOKS = 4
"""Looks within the shortest `hang_after_s`."""
SELDOM_S = 1.0
"""Looks are no further apart."""


class Watchdog:
    """Supervisor's thread."""

    def __init__(self, children: Sequence[Child], runtime: Runtime) -> None:
        self._children = [child for child in children if child.spec.hang_after_s is not None]
        self._runtime = runtime
        self._suspects: set[Incarnation] = set()

    def begin(self) -> None:
        shortest = min((child.spec.hang_after_s or SELDOM_S for child in self._children), default=None)
        if shortest is not None:
            self._every_s = min(SELDOM_S, shortest / LOOKS)
            self._runtime.after(self._every_s, self._look)

    def _look(self) -> None:
        now = self._runtime.monotonic()
        for child in self._children:
            incarnation = child.current
            if incarnation is None or child.state != "running" or incarnation in self._suspects:
                continue
            if incarnation.stalled_s(now) > (child.spec.hang_after_s or 0.0):
                self._suspect(child, incarnation)
        self._runtime.after(self._every_s, self._look)

    def _suspect(self, child: Child, incarnation: Incarnation) -> None:
        self._suspects.add(incarnation)
        _log.error("actor_hangs", child=child.id, incarnation=incarnation.number, stack=incarnation.stack())
        incarnation.free()
        turns = incarnation.turns
        self._runtime.after(GRACE_S, lambda: self._judge(child, incarnation, turns))

    def _judge(self, child: Child, incarnation: Incarnation, turns: int) -> None:
        self._suspects.discard(incarnation)
        stalled = incarnation.stalled_s(self._runtime.monotonic()) > (child.spec.hang_after_s or 0.0)
        if incarnation.turns == turns and not incarnation.over and stalled:
            child.hung(incarnation)


class Zombies:
    """Incarnations that were given up and have not ended. Supervisor's thread writes, any reads."""

    def __init__(self, most: int, too_many: Callable[[int], None]) -> None:
        self._most = most
        self._too_many = too_many
        self._living: set[Incarnation] = set()

    @property
    def count(self) -> int:
        return len(self._living)

    def add(self, incarnation: Incarnation) -> None:
        self._living.add(incarnation)
        _log.error("zombie", child=incarnation.id, incarnation=incarnation.number, count=self.count)
        if self.count > self._most:
            self._too_many(self.count)

    def gone(self, incarnation: Incarnation) -> None:
        if incarnation in self._living:
            self._living.discard(incarnation)
            _log.info("zombie_ended", child=incarnation.id, incarnation=incarnation.number, count=self.count)
