"""`tickwire migrate`: make the store's table, or bring QuFLX's to what tickwire writes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tickwire.runtime.cli.options import Config, DataDir, Store, load_settings
from tickwire.runtime.cli.problems import CommandFailed, masked

if TYPE_CHECKING:
    from tickwire.config.settings import Settings
    from tickwire.config.urls import PostgresStore as PostgresUrl
    from tickwire.config.urls import SqliteStore as SqliteUrl
    from tickwire.config.urls import SupabaseStore as SupabaseUrl


def migrate(store: Store = None, data_dir: DataDir = None, config: Config = None) -> None:
    """Make the store's table fit: applied where the store is Postgres or SQLite, printed where it is Supabase.

    May be run again at any time; old readers and writers of the table go on. Supabase's own SQL editor takes what is
    printed; the exit code is 1 until it has been run. With the project's postgresql://… URL it is applied at once.
    """
    settings = load_settings({"store.url": store, "data_dir": data_dir}, config).settings
    from tickwire.actors.ports import StoreError
    from tickwire.config.urls import PostgresStore, SqliteStore, SupabaseStore
    from tickwire.runtime.stores.open import shown_url

    url = settings.store.parsed
    shown = shown_url(url, settings.data_dir)
    try:
        match url:
            case PostgresStore():
                _postgres(url)
            case SupabaseStore():
                _supabase(url, settings)
            case SqliteStore():
                _sqlite(url, settings.data_dir)
    except StoreError as error:
        raise CommandFailed(f"store {shown}: {masked(str(error), settings.secrets)}") from error
    print(f"{shown}: historical_ticks is ready")


def _postgres(url: "PostgresUrl") -> None:
    from tickwire.runtime.stores.migrate import migrate as run

    run(url.dsn, tell=print)


def _sqlite(url: "SqliteUrl", data_dir: Path) -> None:
    """It migrates itself at every open: this only opens it."""
    from tickwire.runtime.stores.open import sqlite_path
    from tickwire.runtime.stores.sqlite import SqliteStore

    if url.path is None:
        data_dir.mkdir(parents=True, exist_ok=True)
    opened = SqliteStore(sqlite_path(url, data_dir))
    try:
        opened.open()
    finally:
        opened.close()
    print(f"added {', '.join(opened.migrated)}" if opened.migrated else "nothing to add: it migrates itself")


def _supabase(url: "SupabaseUrl", settings: "Settings") -> None:
    """Its REST interface runs no DDL: print the steps until they have been run."""
    from tickwire.actors.ports import StoreMisconfigured
    from tickwire.runtime.stores.migrations import script
    from tickwire.runtime.stores.supabase import SupabaseStore
    from tickwire.runtime.stores.verdicts import MIGRATE

    key = settings.supabase_service_role_key or settings.supabase_anon_key
    assert key is not None  # settings without one are refused
    opened = SupabaseStore(url.url, key)
    try:
        opened.open()
        opened.check_key()
        opened.check_candles()
    except StoreMisconfigured as error:
        if MIGRATE not in str(error):
            raise
        print(script())
        sys.stdout.flush()
        found = str(error).removesuffix(f"; {MIGRATE}")
        raise CommandFailed(
            f"{found}; run the steps printed above in the project's SQL editor, then this command again"
        ) from error
    finally:
        opened.close()
