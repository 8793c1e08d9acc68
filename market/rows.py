"""A tick as the store keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `historical_ticks`. `uid` is 36 characters; `price` decimal text; `timestamp` is ts_us // 10**6."""

    uid: str
    pair: str
    price: str
    ts_us: int
    recv_us: int
    source: str
