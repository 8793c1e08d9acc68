"""`tickwire quarantine`: rows that the store refused, with its words. Beside a running relay or without one."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tickwire.runtime.cli.options import Config, DataDir, Json, Store, load_settings
from tickwire.runtime.cli.problems import USAGE, CommandFailed, masked
from tickwire.runtime.cli.progress import progress
from tickwire.runtime.cli.tables import show_table

if TYPE_CHECKING:
    from tickwire.config.settings import Settings
    from tickwire.runtime.stores.quarantine_desk import Held, QuarantineDesk
    from tickwire.runtime.stores.quarantine_retry import Outcome

SAMPLE = 256
"""Bytes of an entry that are shown in a list."""
COLUMNS = ("id", "since (UTC)", "reason", "pair", "price", "stamp (UTC)", "source or entry")

Chosen = Annotated[list[int] | None, typer.Argument(metavar="ID…", help="As `list` shows them.", min=1)]
All = Annotated[bool, typer.Option("--all", help="All that is quarantined.")]


def list_quarantined(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most rows, the newest ones.")] = 50,
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print what is quarantined, oldest first."""
    with _desk(_settings(data_dir, config)) as desk:
        held, total = desk.newest(limit), desk.count()
    if as_json:
        print(json.dumps({"quarantined": total, "rows": [_fields(each, SAMPLE) for each in held]}, indent=2))
    elif not held:
        print("nothing is quarantined")
    else:
        show_table(COLUMNS, map(_cells, held), right=("id",))
        if total > len(held):
            print(f"the newest {len(held)} of {total}; more with --limit")


def show_quarantined(
    id: Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.", min=1)],
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print all that is known of one row, or of an entry that could not be unpacked."""
    with _desk(_settings(data_dir, config)) as desk:
        _check_there(desk, [id])
        (held,) = desk.page([id], after=0, last=id, limit=1)
    fields = _fields(held, None)
    if as_json:
        print(json.dumps(fields, indent=2))
    else:
        show_table(("field", "value"), ((name, value) for name, value in fields.items() if value is not None))


def retry_quarantined(
    ids: Chosen = None,
    everything: All = False,
    store: Store = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Try the store again, with the settings as they are now; what it refuses again stays, with the new reason.

    The exit code is 1 where rows stay.
    """
    chosen = _chosen(ids, everything)
    settings = load_settings({"store.url": store, "data_dir": data_dir}, config).settings
    from tickwire.runtime.stores.open import shown_url

    shown = shown_url(settings.store.parsed, settings.data_dir)
    with _desk(settings) as desk:
        _check_there(desk, chosen)
        total = desk.count(chosen)
        if not total:
            print("nothing is quarantined")
            return
        _check_store(settings, shown)
        outcome = _try_again(desk, chosen, total, settings, shown)
    print(f"{outcome.stored} stored in {shown}, {outcome.kept} kept")
    if outcome.kept:
        raise CommandFailed(f"{outcome.kept} refused again; see tickwire quarantine list")


def _try_again(
    desk: "QuarantineDesk", chosen: Sequence[int] | None, total: int, settings: "Settings", shown: str
) -> "Outcome":
    """Raises CommandFailed where the store as a whole can't be used."""
    from tickwire.actors.ports import StoreError
    from tickwire.runtime.stores.ledger import LEDGER_FILE
    from tickwire.runtime.stores.ledger_move import move_to_stored
    from tickwire.runtime.stores.open import open_store
    from tickwire.runtime.stores.quarantine_retry import retry

    target = open_store(
        settings.store.parsed,
        data_dir=settings.data_dir,
        service_role_key=settings.supabase_service_role_key,
        anon_key=settings.supabase_anon_key,
    )
    try:
        target.open()
        with progress("trying again", total) as advance:
            ledger = settings.data_dir / LEDGER_FILE
            return retry(desk, target, chosen, tell=advance, stored=lambda rows: move_to_stored(ledger, rows))
    except StoreError as error:
        raise CommandFailed(f"store {shown}: {masked(str(error), settings.secrets)}") from error
    finally:
        target.close()


def drop_quarantined(
    ids: Chosen = None,
    everything: All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Throw quarantined rows away, for good; `tickwire audit` calls them lost from then on."""
    chosen = _chosen(ids, everything)
    settings = _settings(data_dir, config)
    from tickwire.runtime.stores.ledger import LEDGER_FILE
    from tickwire.runtime.stores.ledger_move import move_to_lost
    from tickwire.runtime.stores.quarantine_drop import drop

    with _desk(settings) as desk:
        _check_there(desk, chosen)
        total = desk.count(chosen)
        if total and not yes:
            _ask(f"drop {total} quarantined {'row' if total == 1 else 'rows'} for good?")
        ledger = settings.data_dir / LEDGER_FILE
        with progress("dropping", total) as advance:
            count = drop(desk, chosen, dropped=lambda rows: move_to_lost(ledger, rows), tell=advance)
        print(f"{count} dropped")


def _settings(data_dir: str | None, config: Path | None) -> "Settings":
    return load_settings({"data_dir": data_dir}, config).settings


@contextmanager
def _desk(settings: "Settings") -> Iterator["QuarantineDesk"]:
    from tickwire.actors.ports import StoreUnavailable
    from tickwire.runtime.stores.quarantine_desk import QuarantineDesk

    folder = settings.data_dir
    if not folder.is_dir():
        raise CommandFailed(f"there is no data directory {folder}; name the relay's with --data-dir")
    desk = QuarantineDesk(folder / "quarantine.db")
    try:
        yield desk
    except StoreUnavailable as error:
        raise CommandFailed(str(error)) from error
    finally:
        desk.close()


def _chosen(ids: Sequence[int] | None, everything: bool) -> Sequence[int] | None:
    """None for all."""
    if bool(ids) == everything:
        raise CommandFailed("which rows? name their ids (tickwire quarantine list), or give --all instead", USAGE)
    return ids or None


def _check_there(desk: "QuarantineDesk", ids: Sequence[int] | None) -> None:
    missing = desk.missing(ids) if ids else []
    if missing:
        raise CommandFailed(f"{', '.join(map(str, missing))}: not quarantined; see tickwire quarantine list")


def _check_store(settings: "Settings", ours: str) -> None:
    """Rows must not end in another store than the one that the relay on this directory writes."""
    from tickwire.runtime.datadir import find_run
    from tickwire.runtime.stores.open import stored_alike

    run = find_run(settings.data_dir)
    if run is not None and not stored_alike(run.store, ours):
        raise CommandFailed(
            f"the relay on {settings.data_dir} stores in {run.store}, this command would in {ours}; "
            "give it the relay's --store"
        )


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise CommandFailed(f"{question} nobody is there to answer; give --yes", USAGE)
    if not typer.confirm(question):
        raise CommandFailed("nothing was dropped")


def _cells(held: "Held") -> tuple[object, ...]:
    row = held.row
    if row is None:
        return held.id, held.at, held.reason, "", "", "", f"entry {held.entry_id}"
    return held.id, held.at, held.reason, row.pair, row.price, _stamp(row.ts_us), row.source


def _stamp(ts_us: int | None) -> str:
    try:
        return f"{datetime.fromtimestamp((ts_us or 0) / 1e6, UTC):%Y-%m-%d %H:%M:%S.%f}"
    except (OverflowError, ValueError, OSError):
        return str(ts_us)


def _fields(held: "Held", most: int | None) -> dict[str, Any]:
    """JSON's; a payload as text, what is no text in it escaped."""
    row = held.row
    return {
        "id": held.id,
        "at": held.at,
        "reason": held.reason,
        "uid": row.uid if row else None,
        "pair": row.pair if row else None,
        "price": row.price if row else None,
        "ts_us": row.ts_us if row else None,
        "recv_us": row.recv_us if row else None,
        "source": row.source if row else None,
        "entry_id": held.entry_id,
        "payload": held.payload[:most].decode(errors="backslashreplace") if row is None else None,
    }
