"""One file into the store, batch by batch, each confirmed before the position moves past it.

Killed anywhere, it goes on from there; what was written and not yet noted is written again, which the uid makes
harmless.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tickwire.actors.ports import Store, StoreRefusedRows, StoreUnavailable
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.runtime.importer.candles import CandleFile, holds_candles
from tickwire.runtime.importer.lines import BadLine, ImportFileError, Lines, Taken
from tickwire.runtime.importer.positions import Position, Positions
from tickwire.runtime.importer.ticks import TickFile

BATCH_ROWS = 1000
"""At most: a relay that runs on the same SQLite file waits for no longer turn than its own."""
BAD_LINES_SHOWN = 20
PATIENCE_S = 60.0
"""For a store that is busy or away, before the import ends; run again it goes on."""
PAUSES_S = (0.1, 5.0)

Item = Taken[Row] | Taken[CandleRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    asset: str | None = None
    day: date | None = None
    timeframe: str | None = None
    ahead_s: int = 0
    """How far the clock of candles ran ahead of UTC."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of a file's lines: rows = stored + refused by the store; every other line was bad."""

    file: str
    kind: str = "ticks"
    resumed_at_line: int = 0
    rows: int = 0
    """Lines that could be read as ticks or candles, those of an interrupted import before this one included."""
    new: int | None = 0
    """Rows that the store did not have; None where the store doesn't tell."""
    bad: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    """The first ones."""
    cut_off: bool = False
    note: str = ""
    """What a person should look at."""

    def add_bad(self, line: BadLine) -> None:
        self.bad += 1
        if len(self.bad_lines) < BAD_LINES_SHOWN:
            self.bad_lines.append(line)


def open_file(lines: Lines, options: ImportOptions, now_us: int) -> tuple[TickFile | CandleFile, Iterator[list[str]]]:
    """What the file is, by its header, and its rows. Raises ImportFileError."""
    path = lines.path
    if not path.name.removesuffix(".gz").endswith(".csv"):
        raise ImportFileError(f"{path}: only *.csv and *.csv.gz are imported; give other recordings to tickwire replay")
    rows = lines.rows()
    header = next(rows, None)
    if header is None:
        raise ImportFileError(f"{path}: is empty; a CSV begins with timestamp,asset,price")
    if holds_candles(header):
        if options.day is not None:
            raise ImportFileError(f"{path}: candles carry their dates; leave --date out")
        return CandleFile(lines, header, options.asset, options.timeframe, now_us, options.ahead_s), rows
    if options.timeframe is not None or options.ahead_s:
        raise ImportFileError(f"{path}: holds ticks, not candles; leave --timeframe and --ahead out")
    return TickFile(lines, header, options.asset, options.day, now_us), rows


class Importer:
    """Imports files one after the other. Without a store it only reads."""

    def __init__(
        self,
        store: Store | None,
        positions: Positions,
        *,
        store_name: str,
        options: ImportOptions,
        now_us: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._store = store
        self._positions = positions
        self._store_name = store_name
        self._options = options
        self._now_us = now_us
        self._patience_s = patience_s
        self._batch_rows = min(BATCH_ROWS, store.batch_rows) if store is not None else BATCH_ROWS

    def run(self, path: Path, advance: Callable[[int], None]) -> Report:
        """Import a file; `advance` hears of bytes dealt with. Raises ImportFileError, StoreError, OSError."""
        what = f"{path.resolve()} {self._store_name} {self._options}"
        begin = self._trusted(path, self._positions.read(what) if self._store is not None else None)
        report = Report(file=str(path), resumed_at_line=begin)
        with Lines(path) as lines:
            self._import(lines, what, begin, report, advance)
        if self._store is not None:
            self._positions.forget(what)
        return report

    def _import(self, lines: Lines, what: str, begin: int, report: Report, advance: Callable[[int], None]) -> None:
        file, rows = open_file(lines, self._options, self._now_us)
        report.kind = file.kind
        batch: list[Item] = []
        place = 0
        for item in file.read(rows):
            if isinstance(item, BadLine):
                report.add_bad(item)
                continue
            report.rows += 1
            if item.line > begin:
                batch.append(item)
            if len(batch) >= self._batch_rows:
                self._write(batch, report)
                batch = []
                if self._store is not None and file.kind == "ticks":  # a candle file's newest one comes out of order
                    self._positions.keep(what, Position(lines=lines.number, digest=lines.digest))
                advance(lines.place - place)
                place = lines.place
        self._write(batch, report)
        report.cut_off, report.note = lines.cut_off, file.note
        advance(lines.place - place)

    @staticmethod
    def _trusted(path: Path, position: Position | None) -> int:
        """The line to go on behind; 0 where the file is another by now."""
        if position is None:
            return 0
        with Lines(path) as lines:
            for _ in lines.rows():
                if lines.number >= position.lines:
                    return position.lines if lines.digest == position.digest else 0
        return 0

    def _write(self, batch: Sequence[Item], report: Report) -> None:
        """All of them, and of those that the store refuses, which and why."""
        if not batch or self._store is None:
            return
        try:
            new = self._patiently(batch)
        except StoreRefusedRows as error:
            if len(batch) == 1:
                report.rows -= 1
                report.add_bad(BadLine(batch[0].line, f"the store refuses it: {error}", str(batch[0].value)[:80]))
                return
            half = len(batch) // 2
            self._write(batch[:half], report)
            self._write(batch[half:], report)
            return
        report.new = None if new is None or report.new is None else report.new + new

    def _patiently(self, batch: Sequence[Item]) -> int | None:
        """Again while the store is busy or away. Raises StoreError."""
        deadline = time.monotonic() + self._patience_s
        pause = PAUSES_S[0]
        while True:
            try:
                return self._put(batch)
            except StoreUnavailable:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, PAUSES_S[1])

    def _put(self, batch: Sequence[Item]) -> int | None:
        assert self._store is not None
        ticks = [item.value for item in batch if isinstance(item.value, Row)]
        candles = [item.value for item in batch if isinstance(item.value, CandleRow)]
        return self._store.write(ticks) if ticks else self._store.write_candles(candles)
