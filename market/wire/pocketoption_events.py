"""What PocketOption's events hold, taken apart: a payload's value in, events out. No state.

    updateStream           [[asset, stamp, price], …]
    updateHistoryNewFast   {asset, period, history: [[stamp, price], … ascending],
                            candles: [[opening stamp, open, close, high, low], … newest first]}
    loadHistoryPeriodFast  {asset, index, period, data: [{symbol_id, time, open, close, high, low}, … ascending]}
    updateAssets           rows; 0 id, 1 symbol, 2 name, 3 type, 5 payout %, 9 is OTC, 14 open now

Note the order open, close, high, low. Stamps are seconds of the broker's clock, about two hours ahead of UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tickwire.market.values import good_asset
from tickwire.market.wire import AssetInfo, AssetsListed, CandleRows, Event, HistoryRows, Malformed
from tickwire.market.wire.columns import RowCollector
from tickwire.market.wire.jsontext import malformed

MAX_TEXT = 200
"""Of an asset's display name: it is shown, and kept in Redis."""
MAX_PERIOD_S = 31 * 86_400
_SYMBOL, _NAME, _KIND, _OTC, _OPEN = 1, 2, 3, 9, 14


def not_rows(value: Any) -> Malformed:
    """A stream's payload that is no list."""
    return malformed(f"updateStream: a {type(value).__name__} instead of rows", value)


def stream(value: Any) -> Sequence[Event]:
    rows = RowCollector()
    if type(value) is list:
        rows.add(value)
    else:
        rows.fail(not_rows(value))
    return rows.events()


def history(value: Any) -> Sequence[Event]:
    """Past ticks first, then the candles before and around them."""
    if type(value) is not dict:
        return [malformed(f"updateHistoryNewFast: a {type(value).__name__}", value)]
    events: list[Event] = []
    asset = value.get("asset")
    ticks = _good(value.get("history"), 2, "history row", events)
    if ticks:
        stamps, prices = zip(*ticks, strict=True)
        events.insert(0, HistoryRows(asset, stamps, prices))
    candles = _good(value.get("candles"), 5, "candle row", events)
    # Theirs is open, close, high, low; ours open, high, low, close.
    rows = [(stamp, opened, high, low, closed) for stamp, opened, closed, high, low in candles]
    return [*events, *_candles(value, asset, rows)]


def older_candles(value: Any) -> Sequence[Event]:
    if type(value) is not dict:
        return [malformed(f"loadHistoryPeriodFast: a {type(value).__name__}", value)]
    events: list[Event] = []
    data = value.get("data")
    items = data if type(data) is list else []
    if items is not data:
        events.append(malformed("loadHistoryPeriodFast: no list of candles", data))
    names = ("time", "open", "high", "low", "close")
    good = [item for item in items if type(item) is dict and all(name in item for name in names)]
    if len(good) < len(items):
        first = next(item for item in items if type(item) is not dict or any(name not in item for name in names))
        events.append(malformed("candle", first, len(items) - len(good)))
    rows = [(item["time"], item["open"], item["high"], item["low"], item["close"]) for item in good]
    return [*events, *_candles(value, value.get("asset"), rows)]


def assets(value: Any) -> Sequence[Event]:
    if type(value) is not list:
        return [malformed(f"updateAssets: a {type(value).__name__} instead of rows", value)]
    listed = [_asset(row) for row in value]
    good = [info for info in listed if info is not None]
    events: list[Event] = [AssetsListed(good)] if good else []
    if len(good) < len(listed):
        events.append(malformed("asset row", value[listed.index(None)], len(listed) - len(good)))
    return events


def _asset(row: Any) -> AssetInfo | None:
    if type(row) is not list or len(row) <= _OPEN or not good_asset(row[_SYMBOL]):
        return None
    name, kind = row[_NAME], row[_KIND]
    if not all(type(text) is str and len(text) <= MAX_TEXT and text.isprintable() for text in (name, kind)):
        return None
    return AssetInfo(row[_SYMBOL], name, kind, is_otc=row[_OTC] in (1, True), is_open=row[_OPEN] in (1, True))


def _good(rows: Any, length: int, reason: str, events: list[Event]) -> list[list[Any]]:
    """The rows that are lists of `length`; a missing list is empty."""
    if rows is None:
        return []
    if type(rows) is not list:
        events.append(malformed(f"{reason}s: a {type(rows).__name__}", rows))
        return []
    good = [row for row in rows if type(row) is list and len(row) == length]
    if len(good) < len(rows):
        first = next(row for row in rows if type(row) is not list or len(row) != length)
        events.append(malformed(reason, first, len(rows) - len(good)))
    return good


def _candles(value: dict[str, Any], asset: Any, rows: list[tuple[Any, Any, Any, Any, Any]]) -> list[Event]:
    if not rows:
        return []
    period = value.get("period")
    if type(period) is not int or not 0 < period <= MAX_PERIOD_S:
        return [malformed(f"candles of period {period!r:.40}", rows[0], len(rows))]
    if all(type(row[0]) in (int, float) for row in rows):
        rows.sort(key=lambda row: row[0])
    return [CandleRows(asset, period, rows)]


READERS: Mapping[str, Callable[[Any], Sequence[Event]]] = MappingProxyType(
    {
        "updateStream": stream,
        "updateHistoryNewFast": history,
        "loadHistoryPeriodFast": older_candles,
        "updateAssets": assets,
    }
)
"""Event → what takes its payload apart."""
