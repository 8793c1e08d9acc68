"""The table `candles`, as every store has it: what goes into it and comes out of it."""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from tickwire.actors.ports import StoreRefusedRows
from tickwire.market.bars import WORST_FIRST
from tickwire.market.candle_rows import CandleRow, best
from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle
from tickwire.runtime.stores.table import BAD_VALUE, MOST_PAIR

CANDLES = "candles"
LAST_TS = 253_402_300_800
"""The year 10000: no store asks for later ones."""
_MOST_TICKS = 2**63
_BELOW = 1e10

Values = tuple[str, str, int, float, float, float, float, float, int, str]


def candle_values(row: CandleRow) -> Values:
    """asset, timeframe, timestamp, open, high, low, close, volume, ticks, quality."""
    c = row.candle
    return row.asset, c.timeframe, c.timestamp, c.open, c.high, c.low, c.close, c.volume, c.ticks, c.quality


_NAMES = ("asset", "timeframe", "timestamp", "open", "high", "low", "close", "volume", "ticks", "quality")


def candle_json(rows: Sequence[CandleRow]) -> str:
    """The argument of `tickwire_write_candles`."""
    return json.dumps([dict(zip(_NAMES, candle_values(row), strict=True)) for row in rows], allow_nan=False)


def fit(rows: Sequence[CandleRow]) -> list[CandleRow]:
    """Of each candle its best state. Raises StoreRefusedRows where one is no candle that a store may hold."""
    for row in rows:
        wrong = candle_fault(row)
        if wrong is not None:
            raise StoreRefusedRows(BAD_VALUE, wrong)
    return best(rows)


def candle_fault(row: CandleRow) -> str | None:
    """What is wrong with a row, None where nothing is: the same for every store."""
    candle = row.candle
    if not 0 < len(row.asset) <= MOST_PAIR or not row.asset.isprintable():
        return f"asset {row.asset!r} has not 1 to {MOST_PAIR} printable characters"
    seconds = SECONDS.get(candle.timeframe)
    if seconds is None or candle.timestamp % seconds or not 0 <= candle.timestamp < LAST_TS:
        return f"timestamp {candle.timestamp} begins no candle of {candle.timeframe!r}"
    if not candle.is_closed or candle.quality not in WORST_FIRST or not 0 <= candle.ticks < _MOST_TICKS:
        return f"a candle that is open, of quality {candle.quality!r} or of {candle.ticks} ticks is not stored"
    numbers = (candle.low, candle.open, candle.close, candle.high)
    if not all(isfinite(number) and 0 < number < _BELOW for number in numbers) or not isfinite(candle.volume):
        return f"prices {numbers} are not all above 0 and below 1e10"
    if not candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high:
        return f"low {candle.low} and high {candle.high} do not hold open and close"
    return None


def within_time(from_ts: int, until_ts: int) -> tuple[int, int]:
    """A span of seconds that every store understands."""
    return max(0, min(from_ts, LAST_TS)), max(0, min(until_ts, LAST_TS))


def stored_candle(row: Mapping[str, Any], timeframe: str) -> Candle:
    """A candle out of what a store gave, its numbers as numbers or text. Raises as a wrong answer does."""
    quality = row["quality"]
    return Candle(
        timestamp=int(row["timestamp"]),
        open=float(row["open"]),
        high=float(row["high"]),
        low=float(row["low"]),
        close=float(row["close"]),
        volume=float(row["volume"]),
        is_closed=True,
        timeframe=timeframe,
        ticks=int(row["ticks"]),
        quality=next((known for known in WORST_FIRST if known == quality), "partial"),
    )
