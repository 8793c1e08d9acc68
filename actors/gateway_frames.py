"""The messages that Gateway's clients read, as JSON bytes (docs/http.md has their shapes)."""

from collections.abc import Sequence

import orjson

from tickwire.market.candle_codec import candle_dict
from tickwire.market.tick_book import Gap, TickBook
from tickwire.messages.candles import Candle
from tickwire.messages.clients import CandleOut, GapOut, Position, TicksOut
from tickwire.messages.ticks import TickColumns


def ticks_out(columns: Sequence[TickColumns], source: str = "") -> TicksOut:
    """Consecutive columns of one asset and epoch as one piece of a `ticks` message. Rows keep the price's digits."""
    first, last = columns[0], columns[-1]
    rows = ",".join(
        row
        for column in columns
        for row in map(
            "[%d,%r,%s]".__mod__,
            zip(
                range(column.first_seq, column.first_seq + len(column.prices)),
                [us / 1e6 for us in column.ts_us],
                column.prices,
                strict=True,
            ),
        )
    )
    return TicksOut(
        asset=first.asset,
        source=source,
        epoch=first.epoch,
        first_seq=first.first_seq,
        last_seq=last.first_seq + len(last.prices) - 1,
        ts_us=last.ts_us[-1],
        rows=rows.encode(),
        prices=first.prices if first is last else [price for column in columns for price in column.prices],
    )


def subscribed(asset: str, book: TickBook, since: Position | None) -> bytes:
    """`subscribed`: the missed ticks if the position is known, else the latest."""
    recovered = since is not None and book.has_since(since.epoch, since.seq)
    jsons = book.jsons(after=since.seq if recovered and since is not None else 0)
    ticks = orjson.loads(b"[" + b",".join(jsons) + b"]")
    message = {
        "type": "subscribed",
        "asset": asset,
        "recovered": recovered,
        "epoch": book.epoch,
        "seq": book.last,
        "snapshot": [(tick["seq"], tick["timestamp"], tick["price"]) for tick in ticks],
    }
    return orjson.dumps(message)


def subscribed_to_candles(asset: str, book: TickBook, timeframe: str) -> bytes:
    """`subscribed` of a candle channel: candles of the past are asked for over HTTP."""
    message = {
        "type": "subscribed",
        "asset": asset,
        "recovered": False,
        "epoch": book.epoch,
        "seq": book.last,
        "snapshot": [],
        "mode": "candles",
        "timeframe": timeframe,
    }
    return orjson.dumps(message)


def gap_out(asset: str, gap: Gap) -> GapOut:
    message = {"type": "gap", "asset": asset, "from": gap.first, "to": gap.last}
    return GapOut(asset=asset, payload=orjson.dumps(message))


def candle_out(asset: str, candle: Candle) -> CandleOut:
    payload = orjson.dumps({"type": "candle", "asset": asset, **candle_dict(candle)})
    return CandleOut(asset=asset, timeframe=candle.timeframe, timestamp=candle.timestamp, payload=payload)


def error(code: str, message: str, asset: str) -> bytes:
    return orjson.dumps({"type": "error", "code": code, "message": message, "asset": asset})
