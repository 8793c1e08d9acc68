"""Accepted ticks as bytes: the same for a spool row and an outbox entry. Packed columns, not JSON ticks.

    [1, [[source, recv_us, asset, offset_us, [ts_us …], [stamp …], [price …], [ordinal …], [trade id …] | null], …]]

as compact JSON (orjson), which packs and unpacks a thousand ticks faster than any record format in pure Python.
"""

from collections.abc import Iterable

import orjson

from tickwire.market.identity import tick_uids
from tickwire.market.rows import Row
from tickwire.messages.ticks import BackfillReceived, TicksReceived

VERSION = 1


class UnknownPacking(ValueError):
    """Bytes that this version cannot unpack: written by a newer tickwire, or damaged."""


def pack(messages: Iterable[TicksReceived | BackfillReceived]) -> bytes:
    """Pack the ticks of several messages; `unpack_rows` gives them back as rows with their uids."""
    return orjson.dumps(
        [
            VERSION,
            [
                [m.source, m.recv_us, c.asset, c.offset_us, c.ts_us, c.stamps, c.prices, c.ordinals, c.trade_ids]
                for m in messages
                for c in m.columns
            ],
        ]
    )


def unpack_rows(payload: bytes) -> list[Row]:
    """Rows of one packed entry, in the order they were received. Raises UnknownPacking."""
    rows: list[Row] = []
    try:
        version, columns = orjson.loads(payload)
        if version != VERSION:
            raise UnknownPacking(f"packing version {version}, this tickwire knows {VERSION}")
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
    except UnknownPacking:
        raise
    except (TypeError, ValueError) as error:  # orjson's JSONDecodeError is a ValueError
        raise UnknownPacking(f"not a packed entry: {error}") from error
    return rows
