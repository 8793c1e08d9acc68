"""Which store a URL means, and how it is shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from tickwire.config.urls import parse_store
from tickwire.market.rows import Row
from tickwire.runtime.stores.open import NoKey, open_store, shown_url
from tickwire.runtime.stores.postgres import PostgresStore
from tickwire.runtime.stores.sqlite import SqliteStore
from tickwire.runtime.stores.supabase import SupabaseStore

KEY = SecretStr("geheim")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite:", SqliteStore),
        ("sqlite:a b/ticks.db", SqliteStore),
        ("postgresql://u:geheim@127.0.0.1:1/x", PostgresStore),
        ("supabase+https://project.supabase.co", SupabaseStore),
    ],
)
def test_each_scheme_has_its_store_and_nothing_is_connected_yet(url: str, kind: type, tmp_path: Path) -> None:
    store = open_store(parse_store(url), data_dir=tmp_path, service_role_key=KEY, anon_key=None)
    assert isinstance(store, kind)
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_sqlite_without_a_path_is_in_the_data_directory(tmp_path: Path) -> None:
    store = open_store(parse_store("sqlite:"), data_dir=tmp_path, service_role_key=None, anon_key=None)
    store.open()
    store.write([Row("01993a00-0000-8000-8000-000000000001", "A", "1.5", 1, 2, "s")])
    store.close()
    assert (tmp_path / "ticks.db").exists()


def test_a_project_without_a_key_names_the_one_to_set(tmp_path: Path) -> None:
    with pytest.raises(NoKey, match="SUPABASE_SERVICE_ROLE_KEY"):
        open_store(
            parse_store("supabase+https://p.supabase.co"), data_dir=tmp_path, service_role_key=None, anon_key=None
        )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:", "sqlite:data/ticks.db"),
        ("sqlite:/a b/ticks#1.db", "sqlite:/a b/ticks#1.db"),
        ("postgresql://u:geheim@h:5432/d?sslmode=require", "postgresql://u:***@h:5432/d?sslmode=require"),
        ("supabase+https://p.supabase.co", "supabase+https://p.supabase.co"),
    ],
)
def test_urls_are_shown_with_the_path_and_without_credentials(url: str, shown: str) -> None:
    assert shown_url(parse_store(url), Path("data")) == shown
