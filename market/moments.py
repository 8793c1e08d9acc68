"""Moments as people and programs write them: seconds UTC, or ISO 8601. Pure."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

US = 1_000_000
MOST_S = 253_402_300_800
"""The year 10000; stamps in milliseconds are far beyond it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEDY = "write seconds UTC (1756866774) or ISO 8601 (2025-09-03T02:32:54Z, 2025-09-03)"


class BadMoment(ValueError):
    """Text that is no moment; says how one is written."""

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(f"{text[:40]!r} is no moment{why}: {_REMEDY}")


def parse_moment(text: str) -> int:
    """Whole µs UTC. ISO 8601 without an offset is UTC, a date alone its midnight. Raises BadMoment."""
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        return _parse_iso(text)
    if not seconds.is_finite() or not 0 <= seconds < MOST_S:
        raise BadMoment(text, " between 1970 and 9999 (milliseconds?)")
    return int(seconds * US)


def _parse_iso(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadMoment(text) from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    us = (moment - _EPOCH) // timedelta(microseconds=1)
    if us < 0:
        raise BadMoment(text, " since 1970")
    return us
