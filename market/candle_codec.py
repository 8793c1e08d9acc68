"""Candle JSON, the contract that readers of `historical:{asset}:{timeframe}` and `tickwire:candles` rely on.

    {"timestamp":1702934400,"open":…,"high":…,"low":…,"close":…,"volume":0,"is_closed":true,
     "timeframe":"1m","ticks":118,"quality":"live"}

orjson writes `messages.candles.Candle` field by field, in this order.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, get_args

import orjson

from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle, Quality

_QUALITIES: Mapping[str, Quality] = MappingProxyType({quality: quality for quality in get_args(Quality)})
_LATEST_S = 1e11
"""Far beyond any time in seconds: a larger stamp is in milliseconds."""
_LARGEST = sys.float_info.max
"""JSON's whole numbers may be larger: those are refused."""
_NUMBERS = frozenset({int, float})


class BadCandles(ValueError):
    """A cached value that is no JSON array of candles."""


def candle_dict(candle: Candle) -> dict[str, Any]:
    """The candle as JSON's object, keys in the contract's order."""
    return {
        "timestamp": candle.timestamp,
        "open": candle.open,
        "high": candle.high,
        "low": candle.low,
        "close": candle.close,
        "volume": candle.volume,
        "is_closed": candle.is_closed,
        "timeframe": candle.timeframe,
        "ticks": candle.ticks,
        "quality": candle.quality,
    }


def encode_candles(candles: Sequence[Candle]) -> bytes:
    """A JSON array, in the order given."""
    return orjson.dumps(list(candles))


def decode_candles(payload: bytes, timeframe: str) -> list[Candle]:
    """Closed candles of a cached array, ascending. Items that are no whole candle are left out.

    `timeframe` is canonical. QuFLX v1 wrote into the same keys: its items lack our last four fields. Raises BadCandles.
    """
    try:
        items = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadCandles(f"not JSON: {error}") from error
    if type(items) is not list:
        raise BadCandles(f"a JSON {type(items).__name__} instead of an array")
    candles = {c.timestamp: c for c in (_candle(item, timeframe) for item in items) if c is not None and c.is_closed}
    return [candles[timestamp] for timestamp in sorted(candles)]


def _candle(item: Any, timeframe: str) -> Candle | None:
    if type(item) is not dict:
        return None
    get: Callable[[str], Any] = item.get
    timestamp, opened, high, low, closed = get("timestamp"), get("open"), get("high"), get("low"), get("close")
    if not {type(timestamp), type(opened), type(high), type(low), type(closed)} <= _NUMBERS:
        return None
    if not 0 < timestamp < _LATEST_S or timestamp % SECONDS[timeframe] != 0:
        return None
    if not (0 < low <= opened <= high <= _LARGEST and low <= closed <= high):  # what is no number fails here, too
        return None
    volume, ticks, quality = item.get("volume"), item.get("ticks"), item.get("quality")
    return Candle(
        timestamp=int(timestamp),
        open=float(opened),
        high=float(high),
        low=float(low),
        close=float(closed),
        volume=0 if volume is None or _number(volume) is None else volume,
        is_closed=item.get("is_closed", True) is True,
        timeframe=timeframe,
        ticks=ticks if type(ticks) is int and ticks >= 0 else 0,
        quality=_QUALITIES.get(quality, "backfilled") if type(quality) is str else "backfilled",
    )


def _number(value: Any) -> float | None:
    return float(value) if type(value) in _NUMBERS and -_LARGEST <= value <= _LARGEST else None


MOST_OFFERED = 5000
"""Candles that a client may offer in one message."""


def offered_candles(items: Any, timeframe: str) -> list[Candle]:
    """Candles that a client offers, ascending, all closed. Unlike a cache's, one bad item refuses all.

    `timeframe` is canonical. Raises BadCandles with the place and what is wrong.
    """
    if type(items) is not list or not items:
        raise BadCandles("an array of candles is needed, each {timestamp,open,high,low,close,volume}")
    if len(items) > MOST_OFFERED:
        raise BadCandles(f"{len(items)} candles; at most {MOST_OFFERED} at once")
    candles: list[Candle] = []
    for place, item in enumerate(items):
        candle = _candle(item, timeframe)
        if candle is None:
            raise BadCandles(
                f"item {place} is no candle of {timeframe}: whole seconds on its bucket, low ≤ others ≤ high"
            )
        if candles and candle.timestamp <= candles[-1].timestamp:
            raise BadCandles(f"item {place} is not later than the one before it")
        candles.append(replace(candle, is_closed=True, quality="backfilled"))
    return candles
