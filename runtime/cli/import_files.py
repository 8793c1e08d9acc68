"""`tickwire import`: QuFLX's CSV files of ticks and candles into the store."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.runtime.cli.options import Config, DataDir, Json, Store, load_settings
from tickwire.runtime.cli.problems import USAGE, CommandFailed, masked
from tickwire.runtime.cli.progress import progress

if TYPE_CHECKING:
    from tickwire.config.settings import Settings
    from tickwire.runtime.importer.work import ImportOptions, Report


def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="*.csv or *.csv.gz.")],
    store: Store = None,
    data_dir: DataDir = None,
    asset: Annotated[str | None, typer.Option("--asset", metavar="ASSET", help="Where no file tells it.")] = None,
    day: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Of the first tick, where times have no date.")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", metavar="1m", help="Of candles, where the name tells none.")
    ] = None,
    ahead: Annotated[
        int, typer.Option("--ahead", metavar="S", help="Seconds that the clock of candles ran ahead of UTC.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count, write nothing.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Import ticks and candles that QuFLX recorded as CSV. May be broken off and run again, and run twice.

    A tick gets the id that a replay of its file gives it, so nothing is stored twice. A relay may run meanwhile.
    """
    from tickwire.runtime.importer.lines import ImportFileError
    from tickwire.runtime.importer.work import ImportOptions

    settings = load_settings({"store.url": store, "data_dir": data_dir}, config).settings
    options = ImportOptions(asset=asset, day=_day(day), timeframe=timeframe, ahead_s=ahead)
    try:
        reports = _run(files, settings, options, dry_run=dry_run, show=not as_json)
    except ImportFileError as error:
        raise CommandFailed(str(error)) from error
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=2))
    unusable = [report.file for report in reports if not report.rows]
    if unusable:
        raise CommandFailed(
            "\n".join(f"{file}: no line of it can be used; is this the right file?" for file in unusable)
        )


def _run(
    files: list[Path], settings: "Settings", options: "ImportOptions", *, dry_run: bool, show: bool
) -> "list[Report]":
    from tickwire.actors.ports import StoreError
    from tickwire.runtime.clock import SystemClock
    from tickwire.runtime.importer.lines import Lines
    from tickwire.runtime.importer.positions import Positions
    from tickwire.runtime.importer.work import Importer, open_file
    from tickwire.runtime.stores.open import open_store, shown_url

    now_us = SystemClock().now_us()
    for file in files:  # whatever is wrong with one is said before anything is written
        with Lines(file) as lines:
            open_file(lines, options, now_us)
    shown = shown_url(settings.store.parsed, settings.data_dir)
    opened = None if dry_run else open_store(
        settings.store.parsed,
        data_dir=settings.data_dir,
        service_role_key=settings.supabase_service_role_key,
        anon_key=settings.supabase_anon_key,
    )  # fmt: skip
    work = Importer(opened, Positions(settings.data_dir), store_name=shown, options=options, now_us=now_us)
    try:
        if opened is not None:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            opened.open()
        return _each(work.run, files, tell=_tell if show else lambda _report, _dry: None, dry_run=dry_run)
    except StoreError as error:
        said = masked(str(error), settings.secrets)
        raise CommandFailed(f"store {shown}: {said}; run this again: it goes on where it ended") from error
    except OSError as error:
        raise CommandFailed(f"data directory {settings.data_dir}: {error.strerror or error}") from error
    finally:
        if opened is not None:
            opened.close()


def _each(
    run: "Callable[[Path, Callable[[int], None]], Report]",
    files: list[Path],
    *,
    tell: "Callable[[Report, bool], None]",
    dry_run: bool,
) -> "list[Report]":
    reports = []
    with progress("importing", sum(file.stat().st_size for file in files)) as advance:
        for file in files:
            reports.append(run(file, advance))
            tell(reports[-1], dry_run)
    return reports


def _tell(report: "Report", dry_run: bool) -> None:
    resumed = f", resumed behind line {report.resumed_at_line}" if report.resumed_at_line else ""
    new = "nothing written" if dry_run else "written" if report.new is None else f"{report.new} new"
    print(f"{report.file}: {report.rows} {report.kind}, {new}, {report.bad} bad lines{resumed}")
    for bad in report.bad_lines:
        print(f"tickwire: {report.file}:{bad.line}: {bad.reason}: {bad.sample!r}", file=sys.stderr)
    if report.bad > len(report.bad_lines):
        print(f"tickwire: {report.file}: {report.bad - len(report.bad_lines)} more bad lines", file=sys.stderr)
    if report.note:
        print(f"tickwire: {report.file}: {report.note}", file=sys.stderr)
    if report.cut_off:
        print(f"tickwire: {report.file}: its end is cut off", file=sys.stderr)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError as error:
        raise CommandFailed(f"--date {text}: write YYYY-MM-DD", USAGE) from error
