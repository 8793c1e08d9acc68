"""Timeframes: the eight that candles are kept for, and every spelling that clients use for them."""

import re
from collections.abc import Mapping
from types import MappingProxyType

SECONDS: Mapping[str, int] = MappingProxyType(
    {"15s": 15, "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "1d": 86_400}
)
"""Canonical spelling → length in seconds, ascending; each is a multiple of the one before it."""

TIMEFRAMES = tuple(SECONDS)

_BY_SECONDS: Mapping[int, str] = MappingProxyType({seconds: name for name, seconds in SECONDS.items()})
_MINUTES = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


class UnknownTimeframe(ValueError):
    """A timeframe that no candle is kept for."""

    def __init__(self, value: object) -> None:
        super().__init__(f"timeframe {value!r:.40}: take one of {' '.join(TIMEFRAMES)}, or whole minutes (1, 60)")


def parse_timeframe(value: str | int) -> str:
    """The canonical spelling of `15s`, `1m`, `1M` (QuFLX v1: M is minute), `4H`, `60` (minutes) and the like.

    Nothing here means month. Raises UnknownTimeframe.
    """
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise UnknownTimeframe(value)
    name = value.lower()
    if name in SECONDS:
        return name
    if _MINUTES.fullmatch(value) and int(value) * 60 in _BY_SECONDS:
        return _BY_SECONDS[int(value) * 60]
    raise UnknownTimeframe(value)


def bucket_start(ts_us: int, seconds: int) -> int:
    """The opening second of the bucket of length `seconds` that holds a stamp of whole µs UTC."""
    return ts_us // 1_000_000 // seconds * seconds
