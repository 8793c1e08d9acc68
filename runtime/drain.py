"""The stop's drain: the feeds are read no more and their candles handed on, then the spool is forwarded, then stored.

Each step is a question to an actor with a deadline; what the store does not get in time stays in the spool, for the
next start on the same data directory.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from tickwire.actors.kernel import AddressDead, AskTimeout, ReplyTo, Supervisor
from tickwire.messages.lifecycle import DrainRequested, FlushRequested, OutboxForwarded

_log = structlog.get_logger("tickwire.drain")

FEED_S = 3.0
"""The most a feed's ingestor may take to hand on what it has read."""
CANDLES_S = 1.0
SPOOL_S = 2.0
LEAST_S = 0.1
ROUND_S = 0.05
"""Between rounds: an actor that answers at once that it can't is not asked in a whirl."""
PATIENT_S = 8.0
"""One round of a patient drain."""


def drain(
    supervisor: Supervisor, ingestors: Iterable[str], within_s: float, *, patient: Callable[[], bool] = lambda: False
) -> bool:
    """Drain the actors; whether the store has all that was accepted.

    `patient` says, again before each further round, whether to go on past `within_s` for as long as the store takes.
    """
    deadline = time.monotonic() + within_s
    for ingestor in ingestors:
        _ask(supervisor, ingestor, lambda to: DrainRequested(reply_to=to), min(FEED_S, _left(deadline)))
    _ask(supervisor, "cache_manager", lambda to: DrainRequested(reply_to=to), min(CANDLES_S, _left(deadline)))
    while True:
        entries = _round(supervisor, deadline)
        if entries == 0:
            return True
        if _left(deadline) <= LEAST_S:
            if not patient():
                _log.warning("left_in_the_spool", entries=entries, remedy="start again on this data directory")
                return False
            deadline = time.monotonic() + PATIENT_S
        time.sleep(ROUND_S)


def flush(supervisor: Supervisor, ingestors: Iterable[str], within_s: float) -> bool:
    """Store what was pushed so far, now; whether the store has all that was accepted. Everything goes on afterwards.

    `ingestors` are those whose ticks the host pushes: they read no socket that a drain would close.
    """
    deadline = time.monotonic() + within_s
    for ingestor in ingestors:
        _ask(supervisor, ingestor, lambda to: DrainRequested(reply_to=to), min(FEED_S, _left(deadline)))
    while _round(supervisor, deadline) != 0:
        if _left(deadline) <= LEAST_S:
            return False
        time.sleep(ROUND_S)
    return True


def settle(supervisor: Supervisor, ingestors: Iterable[str], within_s: float) -> bool:
    """Wait until what was pushed so far is in the spool and, where Redis is up, in its list; whether it is."""
    deadline = time.monotonic() + within_s
    asked = [
        _ask(supervisor, actor, lambda to: DrainRequested(reply_to=to), _left(deadline))
        for actor in (*ingestors, "buffer_keeper")
    ]
    return None not in asked


def _round(supervisor: Supervisor, deadline: float) -> int | None:
    """Spool to stream, stream to store; how many entries the spool still holds, None where nobody says."""

    def forward() -> Any:
        return _ask(supervisor, "buffer_keeper", lambda to: DrainRequested(reply_to=to), min(SPOOL_S, _left(deadline)))

    forward()
    _ask(supervisor, "batch_writer", lambda to: FlushRequested(reply_to=to), _left(deadline))
    left = forward()
    return left.spool_rows if isinstance(left, OutboxForwarded) else None


def _ask(supervisor: Supervisor, actor: str, build: Callable[[ReplyTo], object], timeout_s: float) -> Any:
    try:
        return supervisor.address(actor).ask(build, timeout_s=max(LEAST_S, timeout_s))
    except (AskTimeout, AddressDead) as error:
        _log.warning("no_answer", actor=actor, error=str(error))
        return None


def _left(deadline: float) -> float:
    return deadline - time.monotonic()
