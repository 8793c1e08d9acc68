"""A store from its URL. Nothing is connected yet: `open` does that, and says what is wrong."""

from pathlib import Path

from pydantic import SecretStr

from tickwire.actors.ports import Store
from tickwire.config.urls import PostgresStore, SqliteStore, StoreUrl, SupabaseStore
from tickwire.runtime.stores.limits import Limits

DEFAULT_FILE = "ticks.db"


class NoKey(ValueError):
    """A Supabase store without any key."""


def open_store(
    url: StoreUrl,
    *,
    data_dir: Path,
    service_role_key: SecretStr | None,
    anon_key: SecretStr | None,
    limits: Limits | None = None,
) -> Store:
    """The adapter for a URL; its library is imported here and not before. Raises NoKey."""
    match url:
        case SqliteStore():
            from tickwire.runtime.stores import sqlite

            return sqlite.SqliteStore(sqlite_path(url, data_dir), limits=limits)
        case PostgresStore():
            from tickwire.runtime.stores import postgres

            return postgres.PostgresStore(url.dsn, limits=limits)
        case SupabaseStore():
            from tickwire.runtime.stores import supabase

            key = service_role_key or anon_key
            if key is None:
                raise NoKey("a supabase store needs a key; set SUPABASE_SERVICE_ROLE_KEY")
            return supabase.SupabaseStore(url.url, key, limits=limits)


def shown_url(url: StoreUrl, data_dir: Path) -> str:
    """For the ready line and run.json: credentials masked, SQLite's file by its path."""
    return f"sqlite:{sqlite_path(url, data_dir)}" if isinstance(url, SqliteStore) else url.masked


def sqlite_path(url: SqliteStore, data_dir: Path) -> Path:
    """The file that a `sqlite:` URL means."""
    return Path(url.path) if url.path is not None else data_dir / DEFAULT_FILE


def stored_alike(one: str, other: str) -> bool:
    """Whether two shown URLs mean one store. Paths of SQLite's may be relative to different folders."""
    if one.startswith("sqlite:") and other.startswith("sqlite:"):
        return Path(one.removeprefix("sqlite:")).name == Path(other.removeprefix("sqlite:")).name
    return one == other
