"""CSV files as rows of the store: what is taken, what is said of the rest, and where an interrupted import goes on."""

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.store_engines import SqliteEngine

from tickwire.actors.ports import Store, StoreUnavailable
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.runtime.importer import work
from tickwire.runtime.importer.lines import ImportFileError
from tickwire.runtime.importer.positions import Positions
from tickwire.runtime.importer.work import Importer, ImportOptions, Report

pytestmark = pytest.mark.timeout(60)

NOW_US = 1_767_614_400_000_000
"""2026-01-05 12:00:00 UTC."""


class Dying:
    """A store that is there for so many writes, then for good not; before them it is busy for so many calls."""

    def __init__(self, store: Store, writes: int, busy: int = 0) -> None:
        self._store = store
        self._left = writes
        self._busy = busy
        self.batch_rows = 10
        self.written: list[Row] = []

    def write(self, rows: list[Row]) -> int | None:
        self._take_turn()
        self.written += rows
        return self._store.write(rows)

    def write_candles(self, rows: list[CandleRow]) -> int | None:
        self._take_turn()
        return self._store.write_candles(rows)

    def _take_turn(self) -> None:
        if self._busy:
            self._busy -= 1
            raise StoreUnavailable("busy")
        if not self._left:
            raise StoreUnavailable("gone")
        self._left -= 1


def importer(store: object, folder: Path, patience_s: float = 0.0, **options: Any) -> Importer:
    return Importer(
        store,  # type: ignore[arg-type]  # doubles have what is used
        Positions(folder / "data"),
        store_name="sqlite:test",
        options=ImportOptions(**options),
        now_us=NOW_US,
        patience_s=patience_s,
    )


def import_text(text: str, name: str, folder: Path, engine: SqliteEngine, **options: Any) -> Report:
    (folder / name).write_text(text)
    return importer(engine.store(), folder, **options).run(folder / name, lambda _: None)


@pytest.fixture
def engine(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path)


def test_bad_lines_are_told_by_number_and_reason_and_the_others_stored(engine: SqliteEngine, tmp_path: Path) -> None:
    text = (
        "timestamp,asset,price\n\n2026-01-05 10:00:00,EURUSD,1.1\nnonsense\n2026-01-05 10:00:01,EURUSD,-1\n"
        "2026-01-05 10:00:02,EUR USD,1.2\n2026-13-05 10:00:00,EURUSD,1.3\n2026-01-08 10:00:00,EURUSD,1.3\n"
        "2026-01-05 10:00:03,EURUSD,1.4\n"
    )
    report = import_text(text, "some.csv", tmp_path, engine)
    assert [(bad.line, bad.reason) for bad in report.bad_lines] == [
        (4, "its columns are not those of the header"),
        (5, "bad price"),
        (6, "bad asset"),
        (7, "bad time"),
        (8, "bad time"),
    ]
    assert (report.rows, report.new, report.bad) == (2, 2, 5)
    assert [(pair, price, stamp) for _, pair, price, stamp, *_ in engine.rows()] == [
        ("EURUSD", "1.1", 1_767_607_200),
        ("EURUSD", "1.4", 1_767_607_203),
    ]


def test_equal_ticks_of_one_second_are_two_rows_and_the_file_again_none(engine: SqliteEngine, tmp_path: Path) -> None:
    text = "time,price\n1767607200.5,1.1\n1767607200.5,1.1\n1767607200.5,1.1\n"
    assert import_text(text, "EURUSD_otc_subsecond.csv", tmp_path, engine).new == 3
    again = import_text(text, "EURUSD_otc_subsecond.csv", tmp_path, engine)
    assert (again.rows, again.new) == (3, 0)


def test_an_import_goes_on_behind_what_the_store_confirmed(engine: SqliteEngine, tmp_path: Path) -> None:
    rows = "".join(f"{1_767_600_000 + second // 3},1.1\n" for second in range(60))  # three equal ticks each second
    file = tmp_path / "EURUSD_20260105.csv"
    file.write_text(f"time,price\n{rows}")
    store = engine.store()
    with pytest.raises(StoreUnavailable):
        importer(Dying(store, 2), tmp_path).run(file, lambda _: None)
    healthy = Dying(store, 100)
    report = importer(healthy, tmp_path).run(file, lambda _: None)
    assert (report.resumed_at_line, report.rows, report.new) == (21, 60, 40)
    assert len(healthy.written) == 40
    assert len(engine.rows()) == len({uid for uid, *_ in engine.rows()}) == 60
    assert importer(store, tmp_path).run(file, lambda _: None).resumed_at_line == 0


def test_a_store_that_is_busy_for_a_while_is_waited_for(
    engine: SqliteEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "PAUSES_S", (0.001, 0.002))
    file = tmp_path / "EURUSD_20260105.csv"
    file.write_text("time,price\n1767600000,1.1\n")
    report = importer(Dying(engine.store(), 1, busy=3), tmp_path, patience_s=60.0).run(file, lambda _: None)
    assert (report.rows, report.new) == (1, 1)


def test_candles_that_were_broken_off_are_all_stored_though_the_newest_comes_first(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    file = tmp_path / "EURUSD_1m.csv"
    stamps = [1_767_607_200 - 60 * row for row in range(30)]
    file.write_text("timestamp,open,close,high,low\n" + "".join(f"{at},1.1,1.2,1.4,1.0\n" for at in stamps))
    with pytest.raises(StoreUnavailable):
        importer(Dying(engine.store(), 2), tmp_path).run(file, lambda _: None)
    assert importer(engine.store(), tmp_path).run(file, lambda _: None).rows == 30
    kept = engine.store().candles("EURUSD", "1m", 0, 2_000_000_000, 100)
    assert [candle.timestamp for candle in kept] == stamps[::-1]


def test_a_file_that_was_changed_meanwhile_is_imported_from_its_beginning(engine: SqliteEngine, tmp_path: Path) -> None:
    file = tmp_path / "EURUSD_20260105.csv"
    file.write_text("time,price\n" + "".join(f"{1_767_600_000 + second},1.1\n" for second in range(30)))
    with pytest.raises(StoreUnavailable):
        importer(Dying(engine.store(), 2), tmp_path).run(file, lambda _: None)
    file.write_text("time,price\n" + "".join(f"{1_767_600_000 + second},1.2\n" for second in range(30)))
    report = importer(engine.store(), tmp_path).run(file, lambda _: None)
    assert (report.resumed_at_line, report.new) == (0, 30)


def test_rows_that_the_store_refuses_are_named_and_the_others_stored(engine: SqliteEngine, tmp_path: Path) -> None:
    engine.refuse_pair("BAD")
    text = "time,asset,price\n" + "".join(
        f"{1_767_600_000 + n},{'BAD' if n in (3, 7) else 'EURUSD'},1.1\n" for n in range(10)
    )
    report = import_text(text, "some.csv", tmp_path, engine)
    assert [bad.line for bad in report.bad_lines] == [5, 9]
    assert all("the store refuses it" in bad.reason for bad in report.bad_lines)
    assert (report.rows, report.new) == (8, 8)


def test_candles_keep_their_columns_and_only_the_newest_is_in_doubt(engine: SqliteEngine, tmp_path: Path) -> None:
    text = (
        "timestamp,open,close,high,low\n2026-01-05 10:00:00Z,1.1,1.2,1.4,1.0\n2026-01-05 10:01:00Z,1.2,1.3,1.3,1.2\n"
        "2026-01-05 10:01:30Z,1.2,1.3,1.3,1.2\n2026-01-05 10:02:00Z,1.2,1.3,1.1,1.2\n"
        "2026-01-05 10:03:00Z,1.2,x,1.3,1.2\n"
    )
    report = import_text(text, "#AAPL_otc_1M_2026_01_05_10_02_00.csv", tmp_path, engine)
    kept = engine.store().candles("#AAPL_otc", "1m", 0, 2_000_000_000, 10)
    assert [(c.timestamp, c.open, c.high, c.low, c.close, c.quality) for c in kept] == [
        (1_767_607_200, 1.1, 1.4, 1.0, 1.2, "backfilled"),
        (1_767_607_260, 1.2, 1.3, 1.2, 1.3, "partial"),
    ]
    assert [bad.line for bad in report.bad_lines] == [4, 5, 6]


def test_candles_of_a_clock_that_ran_ahead_are_moved_to_utc(engine: SqliteEngine, tmp_path: Path) -> None:
    text = "timestamp,open,close,high,low\n2026-01-05 12:00:00Z,1.1,1.2,1.4,1.0\n"
    import_text(text, "EURUSD_1m.csv", tmp_path, engine, ahead_s=7200)
    (kept,) = engine.store().candles("EURUSD", "1m", 0, 2_000_000_000, 10)
    assert kept.timestamp == 1_767_607_200


def test_candles_newer_than_their_file_are_pointed_out_with_the_flag_that_moves_them(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    text = "timestamp,open,close,high,low\n2026-01-05 11:55:00Z,1.1,1.2,1.4,1.0\n"
    name = "EURUSD_1m_2026_01_05_09_55_35.csv"
    assert import_text(text, name, tmp_path, engine).note.endswith("import it with --ahead 7200")
    assert import_text(text, name, tmp_path, engine, ahead_s=7200).note == ""
    assert import_text(text, "EURUSD_1m_2026_01_05_11_55_35.csv", tmp_path, engine).note == ""


def test_packed_files_are_read_and_one_cut_off_is_imported_up_to_there(engine: SqliteEngine, tmp_path: Path) -> None:
    text = "time,price\n" + "".join(f"{1_767_600_000 + n},1.{n}1\n" for n in range(5000))
    file = tmp_path / "EURUSD_20260105.csv.gz"
    file.write_bytes(gzip.compress(text.encode())[:-200])
    report = importer(engine.store(), tmp_path).run(file, lambda _: None)
    assert report.cut_off
    assert 0 < report.rows < 5000
    assert len(engine.rows()) == report.rows


def test_progress_comes_to_the_size_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "EURUSD_20260105.csv"
    file.write_text("time,price\n" + "".join(f"{1_767_600_000 + n},1.1\n" for n in range(5000)))
    seen: list[int] = []
    report = importer(None, tmp_path).run(file, seen.append)
    assert sum(seen) == file.stat().st_size
    assert (report.rows, report.new) == (5000, 0)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("EURUSD_20260105.csv", "", "is empty; a CSV begins with"),
        ("EURUSD_20260105.csv", "a,b\n1,2\n", "has no column timestamp or time"),
        ("some.csv", "time,price\n1767600000,1.1\n", "give --asset ASSET"),
        ("EURUSD.csv", "time,asset,price\n10:00:00Z,EURUSD,1.1\n", "give --date YYYY-MM-DD"),
        ("EURUSD.csv", "time,asset,open,high,low,close\n", "its name tells no timeframe; give --timeframe"),
        ("EURUSD_7m.csv", "time,open,high,low,close\n", "timeframe '7m': take one of"),
        ("EURUSD_1m.csv", "time,open,high,low\n", "has no column close"),
        ("some.frames.jsonl", "{}\n", "give other recordings to tickwire replay"),
        ("missing.csv", None, "no such file"),
    ],
)
def test_a_wrong_file_is_named_with_the_remedy(
    name: str, text: str | None, said: str, engine: SqliteEngine, tmp_path: Path
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(ImportFileError) as raised:
        importer(engine.store(), tmp_path).run(file, lambda _: None)
    assert said in str(raised.value)
    assert name in str(raised.value)


def test_asset_and_date_are_taken_from_the_command_line(engine: SqliteEngine, tmp_path: Path) -> None:
    text = "time,price\n23:59:59Z,1.1\n00:00:01Z,1.2\n"
    import_text(text, "some.csv", tmp_path, engine, asset="XBT/USD", day=date(2026, 1, 4))
    assert [(pair, stamp) for _, pair, _, stamp, *_ in engine.rows()] == [
        ("XBT/USD", 1_767_571_199),
        ("XBT/USD", 1_767_571_201),
    ]
