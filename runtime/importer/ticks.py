"""Ticks of a CSV file as rows, each with the uid that a replay of the file gives it: the two merge in the store."""

from collections.abc import Iterator, Sequence
from datetime import date

import orjson

from tickwire.market.identity import tick_uids
from tickwire.market.ordinals import Ordinals
from tickwire.market.rows import Row
from tickwire.market.values import DAY_US, EARLIEST_US, good_asset, price_text, stamp_us
from tickwire.runtime.feeds.csv_ticks import CsvError, CsvTicks
from tickwire.runtime.importer.lines import BadLine, ImportFileError, Lines, Taken

SOURCE = "pocketoption"
"""As a replay has it: the CSV files there are, are QuFLX's."""


class TickFile:
    """One file's meaning. `asset` and `day` are what the command line gives."""

    kind = "ticks"
    note = ""

    def __init__(self, lines: Lines, header: Sequence[str], asset: str | None, day: date | None, now_us: int) -> None:
        """Raises ImportFileError."""
        self._lines = lines
        self._now_us = now_us
        self._ordinals = Ordinals()
        try:
            self._csv = CsvTicks(lines.path.name, header, asset, day)
        except CsvError as error:
            raise ImportFileError(f"{lines.path}: {_as_flags(error)}") from error

    def read(self, rows: Iterator[list[str]]) -> Iterator[Taken[Row] | BadLine]:
        """Raises ImportFileError where the times need a date that nothing gives."""
        for tick in self._csv.ticks(self._check_first(rows)):
            ((asset, stamp, price),) = _fields(tick.payload)
            yield self._row(asset, stamp, price)

    def _check_first(self, rows: Iterator[list[str]]) -> Iterator[list[str]]:
        for row in rows:
            try:
                self._csv.check(row)
            except CsvError as error:
                raise ImportFileError(f"{self._lines.path}: {_as_flags(error)}") from error
            yield row

    def _row(self, asset: object, stamp: object, price: object) -> Taken[Row] | BadLine:
        if type(asset) is not str or not good_asset(asset):
            return self._lines.bad("its columns are not those of the header" if asset is None else "bad asset")
        at = stamp_us(stamp, "s") if type(stamp) is not str else None
        if at is None or not EARLIEST_US < at[0] <= self._now_us + DAY_US:
            return self._lines.bad("bad time")
        text = price_text(price) if type(price) is not str else None
        if text is None:
            return self._lines.bad("bad price")
        us, spelled = at
        ordinals = self._ordinals.assign(asset, [us], [text])
        self._ordinals.commit()
        (uid,) = tick_uids(source=SOURCE, asset=asset, raw_us=[us], stamps=[spelled], prices=[text], ordinals=ordinals)
        return Taken(self._lines.number, Row(uid, asset, text, us, self._now_us, SOURCE))


def _fields(payload: bytes) -> list[tuple[object, object, object]]:
    """What a replay's frame would carry; three times None where the line is no tick."""
    (values,) = orjson.loads(payload)
    return [(values[0], values[1], values[2]) if len(values) == 3 and type(values[0]) is str else (None, None, None)]


def _as_flags(error: CsvError) -> str:
    """The remedy in the words of the command line instead of the URL's."""
    text = str(error)
    for option in ("asset", "date"):
        text = text.replace(f"give {option}=", f"give --{option} ").replace(
            f"leave {option}= out", f"leave --{option} out"
        )
    return text
