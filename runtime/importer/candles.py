"""Candles of a CSV file as rows of the store.

QuFLX names such files `ASSET_TIMEFRAME_YYYY_MM_DD_hh_mm_ss.csv`; their columns are `timestamp,open,close,high,low`, in
any order, `volume` perhaps beside. They count no ticks, so a whole candle that the relay made of ticks is kept before
them. The newest of a file may have been forming when it was saved: it is `partial`, the others are `backfilled`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tickwire.market.candle_rows import CandleRow
from tickwire.market.timeframes import UnknownTimeframe, parse_timeframe
from tickwire.market.values import DAY_US, EARLIEST_US, good_asset, price_text
from tickwire.messages.candles import Candle, Quality
from tickwire.runtime.feeds.csv_ticks import ASSET_NAMES, TIME_NAMES, CsvError, CsvTimes, column_of
from tickwire.runtime.importer.lines import BadLine, ImportFileError, Lines, Taken
from tickwire.runtime.stores.candle_table import candle_fault

PRICES = ("open", "high", "low", "close")
_NAMED = re.compile(r"(?P<asset>.+?)_(?P<timeframe>[0-9]+[A-Za-z])(?:_[0-9]{4}_?[0-9]{2}_?[0-9]{2}.*)?")
_SAVED = re.compile(r".*_([0-9]{4}_[0-9]{2}_[0-9]{2}_[0-9]{2}_[0-9]{2}_[0-9]{2})")
QUARTER_S = 900
"""Clocks differ by whole quarters of an hour."""
_VOLUME = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


class CandleFile:
    """One file's meaning. `asset` and `timeframe` are what the command line gives; `ahead_s` moves times to UTC."""

    kind = "candles"

    def __init__(
        self, lines: Lines, header: Sequence[str], asset: str | None, timeframe: str | None, now_us: int, ahead_s: int
    ) -> None:
        """Raises ImportFileError."""
        self._lines = lines
        self._header = list(header)
        self._latest_us = now_us + DAY_US
        self._ahead_s = ahead_s
        self.note = ""
        """Known once all is read."""
        name = lines.path.name
        named = _NAMED.fullmatch(name.removesuffix(".gz").removesuffix(".csv"))
        try:
            self._time = column_of(header, TIME_NAMES, name)
            self._prices = [column_of(header, (price,), name) for price in PRICES]
        except CsvError as error:
            raise ImportFileError(f"{lines.path}: {error}") from error
        self._volume = header.index("volume") if "volume" in header else None
        self._asset_column = next((i for i, title in enumerate(header) if title in ASSET_NAMES), None)
        self._asset = asset or (named["asset"] if named else "")
        if self._asset_column is None and not good_asset(self._asset):
            raise ImportFileError(f"{lines.path}: neither a column nor its name tells the asset; give --asset ASSET")
        self._timeframe = self._find_timeframe(timeframe or (named["timeframe"] if named else None))

    def _find_timeframe(self, spelled: str | None) -> str:
        if spelled is None:
            raise ImportFileError(f"{self._lines.path}: its name tells no timeframe; give --timeframe 1m")
        try:
            return parse_timeframe(spelled)
        except UnknownTimeframe as error:
            raise ImportFileError(f"{self._lines.path}: {error}") from error

    def read(self, rows: Iterator[list[str]]) -> Iterator[Taken[CandleRow] | BadLine]:
        """The newest candle of each asset comes at the end, once it is known which that is."""
        newest: dict[str, Taken[CandleRow]] = {}
        times = CsvTimes(None, -self._ahead_s)
        for row in rows:
            if row == self._header:
                continue
            taken = self._candle(row, times)
            if isinstance(taken, BadLine):
                yield taken
                continue
            before = newest.get(taken.value.asset)
            if before is not None and taken.value.candle.timestamp < before.value.candle.timestamp:
                yield taken
                continue
            newest[taken.value.asset] = taken
            if before is not None:
                yield before
        self.note = self._ahead_of_name([last.value.candle.timestamp for last in newest.values()])
        for last in newest.values():
            yield Taken(last.line, self._as(last.value, "partial"))

    def _ahead_of_name(self, newest: Sequence[int]) -> str:
        """What to say where candles open after the time at which, by its name, the file was saved."""
        named = _SAVED.fullmatch(self._lines.path.name.removesuffix(".gz").removesuffix(".csv"))
        try:
            saved = datetime.strptime(named[1], "%Y_%m_%d_%H_%M_%S").replace(tzinfo=UTC) if named else None
        except ValueError:
            return ""
        ahead_s = max(newest) - saved.timestamp() if saved is not None and newest else 0.0
        quarters = round(ahead_s / QUARTER_S)
        if quarters < 1:
            return ""
        return (
            f"its newest candle opens {ahead_s / 3600:.1f} h after the time in its name; if that is UTC, the broker's"
            f" clock ran ahead: import it with --ahead {quarters * QUARTER_S + self._ahead_s}"
        )

    def _candle(self, row: Sequence[str], times: CsvTimes) -> Taken[CandleRow] | BadLine:
        if len(row) != len(self._header):
            return self._lines.bad("its columns are not those of the header")
        asset = self._asset if self._asset_column is None else row[self._asset_column]
        if not good_asset(asset):
            return self._lines.bad("bad asset")
        _, at_us = times.read(row[self._time])
        if at_us is None or not EARLIEST_US < at_us <= self._latest_us:
            return self._lines.bad("bad time")
        texts = [price_text(row[place]) for place in self._prices]
        if None in texts:
            return self._lines.bad("bad price")
        volume = "0" if self._volume is None else row[self._volume] or "0"
        if _VOLUME.fullmatch(volume) is None:
            return self._lines.bad("bad volume")
        opened, high, low, closed = (float(text) for text in texts if text is not None)
        candle = Candle(
            timestamp=at_us // 1_000_000, open=opened, high=high, low=low, close=closed, volume=float(volume),
            is_closed=True, timeframe=self._timeframe, ticks=0, quality="backfilled",
        )  # fmt: skip
        found = CandleRow(asset, candle)
        wrong = candle_fault(found) if at_us % 1_000_000 == 0 else f"opens within a second of {self._timeframe}"
        return self._lines.bad(wrong) if wrong is not None else Taken(self._lines.number, found)

    @staticmethod
    def _as(row: CandleRow, quality: Quality) -> CandleRow:
        return CandleRow(row.asset, replace(row.candle, quality=quality))


def holds_candles(header: Sequence[str]) -> bool:
    return len(set(PRICES) & set(header)) > 1
