"""From a venue's rows to good ticks, by column: which stamps, assets and prices are accepted, and why others are not.

A column is checked as a whole (types, minimum, maximum); only where that leaves a doubt are its elements looked at
one by one. What is refused is counted by asset and reason, and apart from that how many arrived at all; the good
elements of a mixed batch are kept.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tickwire.market.ordinals import Ordinals, ordinals_of_history
from tickwire.market.values import DAY_US, EARLIEST_US, good_asset, price_text, price_texts, stamp_us, stamps_us
from tickwire.market.wire import CandleRows, HistoryRows, LiveRows
from tickwire.messages.ticks import BAD_CANDLE, DUPLICATE, RECEIVED, BrokerCandles, Count

UNKNOWN_ASSET = "?"
"""The asset under which a tick is counted whose asset is no asset."""

MAX_ASSETS = 20_000
"""More distinct names than any venue has: beyond it a feed is inventing them, and further ones are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodTicks:
    """Checked ticks of one asset in arrival order, not yet numbered; columns of equal length, at least 1."""

    asset: str
    raw_us: Sequence[int]
    stamps: Sequence[str]
    prices: Sequence[str]
    ordinals: Sequence[int]
    trade_ids: Sequence[str] | None = None


@dataclass(slots=True)
class _Column:
    stamps: list[Any] = field(default_factory=list)
    prices: list[Any] = field(default_factory=list)
    trade_ids: list[Any] = field(default_factory=list)


class Intake:
    """One feed's checks. Not thread-safe: owned by its TickIngestor."""

    def __init__(
        self,
        *,
        unit: str = "s",
        unique_stamps: bool,
        ordinals: Ordinals,
        selected: Collection[str] = (),
    ) -> None:
        """`unit` of the wire's stamps (s, ms, us, ns); `selected` assets, all where empty."""
        self._unit = unit
        self._unique = unique_stamps
        self._ordinals = ordinals
        self._selected = frozenset(selected)
        self._verdicts: dict[str, str | None] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def take_counts(self) -> list[Count]:
        """What arrived (`received`), was refused or repeated since the last call."""
        counts = [Count(asset=a, reason=r, count=n) for (a, r), n in self._counts.items() if n]
        self._counts.clear()
        return counts

    def count(self, asset: str, reason: str, count: int) -> None:
        """Add to the counts what became of ticks that were taken here: `not_owner` is found outside."""
        self._counts[asset, reason] += count

    def malformed(self, count: int) -> None:
        """So many elements arrived of which not even the asset can be read."""
        self._counts[UNKNOWN_ASSET, RECEIVED] += count
        self._counts[UNKNOWN_ASSET, "malformed"] += count

    def live(self, rows: LiveRows, clock_us: int) -> list[GoodTicks]:
        """Check live ticks. `clock_us`: the source's clock now; stamps over a day ahead of it are refused."""
        whole = self._whole(rows.stamps, rows.prices, clock_us) if rows.trade_ids is None else None
        if whole is not None:
            return self._parted(rows.assets, *whole)
        good = []
        for asset, column in self._by_asset(rows):
            self._counts[asset, RECEIVED] += len(column.stamps)
            checked = self._columns(asset, column, clock_us)
            if checked is not None:
                good.append(checked)
        return good

    def history(self, rows: HistoryRows, clock_us: int) -> GoodTicks | None:
        """Check a history message: ordinals count from 0 in it; where stamps are unique repeats are duplicates."""
        if self._refused(rows.asset, len(rows.stamps)) or not rows.stamps:
            return None
        self._counts[rows.asset, RECEIVED] += len(rows.stamps)
        values = self._values(rows.asset, rows.stamps, rows.prices, None, clock_us)
        if values is None:
            return None
        us, stamps, prices, _ = values
        return self._numbered(rows.asset, us, stamps, prices, None, ordinals_of_history(us, prices))

    def candles(self, rows: CandleRows, offset_us: int, clock_us: int) -> BrokerCandles | None:
        """Check the broker's candles; their opening second is corrected by the clock offset."""
        if self._refused(rows.asset, 0):
            return None
        good = []
        for stamp, *prices in rows.rows:
            at = stamp_us(stamp, self._unit)
            texts = [price_text(price) for price in prices]
            if at is None or None in texts or not EARLIEST_US < at[0] <= clock_us + DAY_US:
                self._counts[rows.asset, BAD_CANDLE] += 1
                continue
            opened, high, low, closed = (float(text) for text in texts if text is not None)
            if not low <= min(opened, closed) <= max(opened, closed) <= high:
                self._counts[rows.asset, BAD_CANDLE] += 1
                continue
            good.append(((at[0] - offset_us) // 1_000_000, opened, high, low, closed))
        return BrokerCandles(asset=rows.asset, period_s=rows.period_s, rows=good) if good else None

    def _parted(self, assets: Sequence[Any], us: list[int], stamps: list[str], prices: list[str]) -> list[GoodTicks]:
        """Good values by asset: a read of many assets is checked as one."""
        first = assets[0]
        if type(first) is str and assets.count(first) == len(assets):
            if self._refused(first, len(assets)):
                return []
            columns = {first: (us, stamps, prices)}
        else:
            columns = {}
            for asset, at, stamp, price in zip(assets, us, stamps, prices, strict=True):
                column = columns.get(asset) if type(asset) is str else None
                if column is None:
                    if self._refused(asset, 1):
                        continue
                    column = columns[asset] = ([], [], [])
                column[0].append(at)
                column[1].append(stamp)
                column[2].append(price)
        parted = (self._live(asset, *column) for asset, column in columns.items())
        return [ticks for ticks in parted if ticks is not None]

    def _live(self, asset: str, us: list[int], stamps: list[str], prices: list[str]) -> GoodTicks | None:
        self._counts[asset, RECEIVED] += len(us)
        return self._numbered(asset, us, stamps, prices, None, self._ordinals.assign(asset, us, prices))

    def _by_asset(self, rows: LiveRows) -> list[tuple[str, _Column]]:
        assets = rows.assets
        first = assets[0]
        if type(first) is str and assets.count(first) == len(assets):
            if self._refused(first, len(assets)):
                return []
            ids = list(rows.trade_ids) if rows.trade_ids is not None else []
            return [(first, _Column(list(rows.stamps), list(rows.prices), ids))]
        columns: dict[str, _Column] = {}
        trade_ids = rows.trade_ids
        for i, (asset, stamp, price) in enumerate(zip(assets, rows.stamps, rows.prices, strict=True)):
            column = columns.get(asset) if type(asset) is str else None
            if column is None:
                if self._refused(asset, 1):
                    continue
                column = columns[asset] = _Column()
            column.stamps.append(stamp)
            column.prices.append(price)
            if trade_ids is not None:
                column.trade_ids.append(trade_ids[i])
        return list(columns.items())

    def _refused(self, asset: object, count: int) -> bool:
        if type(asset) is not str:
            self._refuse(UNKNOWN_ASSET, "bad_asset", count)
            return True
        verdict = self._verdicts.get(asset, "unknown")
        if verdict == "unknown":
            verdict = self._judge(asset)
        if verdict is not None:
            self._refuse(asset if verdict == "not_selected" else UNKNOWN_ASSET, verdict, count)
        return verdict is not None

    def _refuse(self, asset: str, reason: str, count: int) -> None:
        self._counts[asset, RECEIVED] += count
        self._counts[asset, reason] += count

    def _judge(self, asset: str) -> str | None:
        if not good_asset(asset):
            return "bad_asset"
        if len(self._verdicts) >= MAX_ASSETS:
            return "too_many_assets"
        verdict = "not_selected" if self._selected and asset not in self._selected else None
        self._verdicts[asset] = verdict
        return verdict

    def _columns(self, asset: str, column: _Column, clock_us: int) -> GoodTicks | None:
        values = self._values(asset, column.stamps, column.prices, column.trade_ids or None, clock_us)
        if values is None:
            return None
        us, stamps, prices, trade_ids = values
        if trade_ids is not None:
            return GoodTicks(
                asset=asset, raw_us=us, stamps=stamps, prices=prices, ordinals=[0] * len(us), trade_ids=trade_ids
            )
        return self._numbered(asset, us, stamps, prices, trade_ids, self._ordinals.assign(asset, us, prices))

    def _numbered(
        self,
        asset: str,
        us: Sequence[int],
        stamps: Sequence[str],
        prices: Sequence[str],
        trade_ids: Sequence[str] | None,
        ordinals: Sequence[int],
    ) -> GoodTicks | None:
        if self._unique and any(ordinals):
            keep = [i for i, ordinal in enumerate(ordinals) if not ordinal]
            self._counts[asset, DUPLICATE] += len(us) - len(keep)
            if not keep:
                return None
            us = [us[i] for i in keep]
            stamps = [stamps[i] for i in keep]
            prices = [prices[i] for i in keep]
            ordinals = [0] * len(keep)
        return GoodTicks(asset=asset, raw_us=us, stamps=stamps, prices=prices, ordinals=ordinals, trade_ids=trade_ids)

    def _values(
        self,
        asset: str,
        raw_stamps: Sequence[Any],
        raw_prices: Sequence[Any],
        trade_ids: Sequence[Any] | None,
        clock_us: int,
    ) -> tuple[Sequence[int], Sequence[str], Sequence[str], Sequence[str] | None] | None:
        """(raw µs, stamp texts, price texts, trade ids) of the good ones; None if there are none."""
        if trade_ids is None:
            whole = self._whole(raw_stamps, raw_prices, clock_us)
            if whole is not None:
                return *whole, None
        return self._one_by_one(asset, raw_stamps, raw_prices, trade_ids, clock_us)

    def _whole(
        self, raw_stamps: Sequence[Any], raw_prices: Sequence[Any], clock_us: int
    ) -> tuple[list[int], list[str], list[str]] | None:
        """(raw µs, stamp texts, price texts) where all are good beyond doubt."""
        at = stamps_us(raw_stamps, self._unit)
        if at is None or min(at[0]) <= EARLIEST_US or max(at[0]) > clock_us + DAY_US:
            return None
        prices = price_texts(raw_prices)
        return (*at, prices) if prices is not None else None

    def _one_by_one(
        self,
        asset: str,
        raw_stamps: Sequence[Any],
        raw_prices: Sequence[Any],
        trade_ids: Sequence[Any] | None,
        clock_us: int,
    ) -> tuple[list[int], list[str], list[str], list[str] | None] | None:
        us: list[int] = []
        stamps: list[str] = []
        prices: list[str] = []
        ids: list[str] = []
        for i, (raw_stamp, raw_price) in enumerate(zip(raw_stamps, raw_prices, strict=True)):
            at = stamp_us(raw_stamp, self._unit)
            if at is None or not EARLIEST_US < at[0] <= clock_us + DAY_US:
                self._counts[asset, "bad_stamp"] += 1
                continue
            price = price_text(raw_price)
            if price is None:
                self._counts[asset, "bad_price"] += 1
                continue
            if trade_ids is not None:
                if type(trade_ids[i]) not in (str, int) or not 0 < len(str(trade_ids[i])) <= 64:
                    self._counts[asset, "bad_trade_id"] += 1
                    continue
                ids.append(str(trade_ids[i]))
            us.append(at[0])
            stamps.append(at[1])
            prices.append(price)
        return (us, stamps, prices, ids if trade_ids is not None else None) if us else None
