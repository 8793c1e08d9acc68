"""Messages of ticks as TickIngestor would send them."""

from collections.abc import Sequence

import orjson

from tickwire.market.codec import encode_ticks
from tickwire.messages.ticks import RECEIVED, BackfillReceived, Count, HistoryColumns, TickColumns, TicksReceived

START_US = 1_756_866_774_000_000
EPOCH = "01K47AAAAAAAAAAAAAAAAAAAAA"


def columns(asset: str, first_seq: int, count: int, *, epoch: str = EPOCH, source: str = "pocketoption") -> TickColumns:
    """`count` ticks, one a millisecond, from the first_seq-th millisecond on."""
    ts_us = [START_US + (first_seq + i) * 1000 for i in range(count)]
    prices = [f"1.{10000 + first_seq + i}" for i in range(count)]
    return TickColumns(
        asset=asset,
        epoch=epoch,
        first_seq=first_seq,
        offset_us=0,
        ts_us=ts_us,
        stamps=[repr(us / 1e6) for us in ts_us],
        prices=prices,
        ordinals=[0] * count,
        encoded=encode_ticks(
            asset=asset, source=source, epoch=epoch, first_seq=first_seq, recv_us=START_US, ts_us=ts_us, prices=prices
        ),
    )


def received(number: int, *cols: TickColumns, feed: str = "f1", sender: str = "run/f1") -> TicksReceived:
    return TicksReceived(
        sender=sender,
        number=number,
        feed=feed,
        source="pocketoption",
        recv_us=START_US,
        ticks=sum(len(column.encoded) for column in cols),
        columns=cols,
        counts=[Count(asset=column.asset, reason=RECEIVED, count=len(column.encoded)) for column in cols],
    )


def backfill(number: int, asset: str, first: int, count: int, *, sender: str = "run/f1") -> BackfillReceived:
    live = columns(asset, first, count)
    past = HistoryColumns(
        asset=asset, offset_us=0, ts_us=live.ts_us, stamps=live.stamps, prices=live.prices, ordinals=live.ordinals
    )
    return BackfillReceived(
        sender=sender,
        number=number,
        feed="f1",
        source="pocketoption",
        recv_us=START_US,
        ticks=count,
        columns=[past],
        counts=[Count(asset=asset, reason=RECEIVED, count=count)],
    )


def seqs(jsons: Sequence[bytes]) -> list[int]:
    """The seqs of JSON ticks."""
    return [orjson.loads(json)["seq"] for json in jsons]
