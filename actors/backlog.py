"""What waits for the store, told once a second and, while it is worked off after a trouble, logged. BatchWriter's."""

from collections.abc import Callable

import structlog

from tickwire.actors.ports import Clock
from tickwire.market.catch_up import CatchUp, Waiting
from tickwire.messages.telemetry import BacklogMeasured

TELL_S = 1.0
LOG_S = 5.0

_log = structlog.get_logger("tickwire.batch_writer")


class Backlog:
    """Used in its actor's thread alone."""

    def __init__(self, *, few: int, clock: Clock, tell: Callable[[BacklogMeasured], None]) -> None:
        """`few` rows are no backlog."""
        self._catch_up = CatchUp(few=few)
        self._clock = clock
        self._tell = tell
        self._told_at: float | None = None
        self._logged_at = self._began_at = 0.0
        self._stored = 0
        self._was_catching_up = False
        self.seen = self._catch_up.seen
        self.troubled = self._catch_up.troubled

    def stored(self, rows: int) -> None:
        if self._catch_up.is_troubled:
            self._told_at = None
        self._stored += rows
        self._catch_up.stored(rows)

    def spooled(self, entries: int) -> None:
        """So many entries are in the spool, not known to be stored."""
        now = self._clock.monotonic()
        if self._told_at is not None and now - self._told_at < TELL_S:
            return
        self._told_at = now
        waiting = self._catch_up.measure(now, entries)
        told = BacklogMeasured(
            rows=waiting.rows, catching_up=waiting.catching_up, rate=waiting.rate, eta_s=waiting.eta_s
        )
        self._tell(told)
        self._log(now, waiting)

    def _log(self, now: float, waiting: Waiting) -> None:
        began = waiting.catching_up and not self._was_catching_up
        ended = self._was_catching_up and not waiting.catching_up
        self._was_catching_up = waiting.catching_up
        if began:
            self._began_at, self._stored = now, 0
        if began or (waiting.catching_up and now - self._logged_at >= LOG_S):
            self._logged_at = now
            eta_s = None if waiting.eta_s is None else round(waiting.eta_s)
            _log.info("catching_up", rows_left=waiting.rows, rows_per_s=round(waiting.rate), eta_s=eta_s)
        elif ended:
            event = "catching_up_broken_off" if self._catch_up.is_troubled else "caught_up"
            _log.info(event, rows=self._stored, seconds=round(now - self._began_at, 1), rows_left=waiting.rows)
