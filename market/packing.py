"""Accepted ticks as bytes: the same for a spool row and an outbox entry. Packed columns, not JSON ticks.

    [2, [[source, recv_us, asset, offset_us, [ts_us …], [stamp …], [price …], [ordinal …], [trade id …] | null], …],
        [[asset, minute, count, reason], …]]

as compact JSON (orjson), which packs and unpacks a thousand ticks faster than any record format in pure Python. The
second list is what the ledger is told besides the ticks themselves (`received` there only by how much it differs from
the ticks and counts of this entry: 0 mostly, and then left out).

An entry of candles is of version 3, with a third list:

    [3, […], […], [[asset, timeframe, timestamp, open, high, low, close, volume, ticks, quality], …]]
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from tickwire.market.candle_rows import CandleRow
from tickwire.market.identity import tick_uids
from tickwire.market.ledger import minute_of
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle, Quality
from tickwire.messages.ticks import BAD_CANDLE, RECEIVED, BackfillReceived, TicksReceived

VERSION = 2
WITH_CANDLES = 3

Counted = tuple[str, int, int, str]
"""(asset, minute of receipt, how many, `received` or `duplicate` or why rejected)."""


class UnknownPacking(ValueError):
    """Bytes that this version cannot unpack: written by a newer tickwire, or damaged."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One entry: rows in the order they were received, and what else the ledger is to know."""

    rows: Sequence[Row]
    counted: Sequence[Counted] = ()
    candles: Sequence[CandleRow] = ()


def pack(messages: Iterable[TicksReceived | BackfillReceived]) -> bytes:
    """Pack the ticks and counts of several messages; `unpack` gives them back, as rows with their uids."""
    columns = []
    counts: Counter[tuple[str, int, str]] = Counter()
    for m in messages:
        minute = minute_of(m.recv_us)
        for c in m.columns:
            columns.append(
                [m.source, m.recv_us, c.asset, c.offset_us, c.ts_us, c.stamps, c.prices, c.ordinals, c.trade_ids]
            )
            counts[c.asset, minute, RECEIVED] -= len(c.ts_us)
        for count in m.counts:
            counts[count.asset, minute, count.reason] += count.count
            if count.reason not in (RECEIVED, BAD_CANDLE):
                counts[count.asset, minute, RECEIVED] -= count.count
    counted = [(asset, minute, count, reason) for (asset, minute, reason), count in counts.items() if count]
    return orjson.dumps([VERSION, columns, counted])


def pack_candles(rows: Iterable[CandleRow]) -> bytes:
    """Pack closed candles; `unpack` gives them back."""
    packed = [
        [r.asset, c.timeframe, c.timestamp, c.open, c.high, c.low, c.close, c.volume, c.ticks, c.quality]
        for r in rows
        for c in (r.candle,)
    ]
    return orjson.dumps([WITH_CANDLES, [], [], packed])


def unpack(payload: bytes) -> Unpacked:
    """Raises UnknownPacking."""
    rows: list[Row] = []
    try:
        version, *rest = orjson.loads(payload)
        if version not in (VERSION, WITH_CANDLES):
            raise UnknownPacking(f"packing version {version}, this tickwire knows {VERSION} and {WITH_CANDLES}")
        columns, counted, *more = rest
        candles = [_candle(*packed) for packed in more[0]] if more else []
        for source, recv_us, asset, offset_us, ts_us, stamps, prices, ordinals, trade_ids in columns:
            uids = tick_uids(
                source=source,
                asset=asset,
                raw_us=[ts + offset_us for ts in ts_us],
                stamps=stamps,
                prices=prices,
                ordinals=trade_ids or ordinals,
            )
            rows.extend(
                Row(uid, asset, price, ts, recv_us, source) for uid, price, ts in zip(uids, prices, ts_us, strict=True)
            )
        return Unpacked(rows, [(asset, minute, count, reason) for asset, minute, count, reason in counted], candles)
    except UnknownPacking:
        raise
    except (TypeError, ValueError) as error:  # orjson's JSONDecodeError is a ValueError
        raise UnknownPacking(f"not a packed entry: {error}") from error


def unpack_rows(payload: bytes) -> Sequence[Row]:
    """The rows alone. Raises UnknownPacking."""
    return unpack(payload).rows


def _candle(
    asset: str, timeframe: str, timestamp: int, opened: float, high: float, low: float, closed: float, volume: float,
    ticks: int, quality: Quality,
) -> CandleRow:  # fmt: skip
    candle = Candle(
        timestamp=timestamp, open=opened, high=high, low=low, close=closed, volume=volume, is_closed=True,
        timeframe=timeframe, ticks=ticks, quality=quality,
    )  # fmt: skip
    return CandleRow(asset, candle)
