"""What the doctor says of Postgres and Supabase: nothing is written, each fault has its remedy."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.postgres import PostgresServer
from support.servers import free_port
from support.store_engines import PostgresEngine, SupabaseEngine

from tickwire.config.settings import Settings
from tickwire.runtime.doctor.findings import Finding
from tickwire.runtime.doctor.stores import check_store
from tickwire.runtime.doctor.supabase import _anonymous

pytestmark = pytest.mark.timeout(90)


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def of(url: str) -> dict[str, Finding]:
    return by_check(check_store(Settings.model_validate({"store": {"url": url}})))


def as_writer(database: PostgresEngine) -> str:
    """A role that row level security binds."""
    return database.server.dsn(database.dsn.rpartition("/")[2], user="writer")


def test_a_migrated_database_is_in_order_and_gets_no_row(database: PostgresEngine) -> None:
    found = of(as_writer(database))
    assert {finding.state for finding in found.values()} == {"ok"}
    assert set(found) == {
        "store", "store schema", "store rights", "store candles", "store policies", "store clock",
    }  # fmt: skip
    assert "writer is bound by it" in found["store policies"].seen
    assert "historical_ticks_read (select)" in found["store policies"].seen
    assert database.rows() == []


def test_a_database_that_was_not_migrated_is_told_to_be(postgres: PostgresServer) -> None:
    empty = PostgresEngine(postgres, migrated=False)
    found = of(empty.dsn)["store schema"]
    empty.close()
    assert found.state == "failed"
    assert "tickwire migrate" in found.remedy


def test_a_lost_unique_index_is_found(database: PostgresEngine) -> None:
    database.sql("drop index historical_ticks_uid")
    found = of(as_writer(database))["store schema"]
    assert found.state == "failed"
    assert "tickwire migrate" in found.remedy


@pytest.mark.parametrize(
    "statement",
    [
        "revoke insert on historical_ticks from authenticated",
        "drop policy historical_ticks_write on historical_ticks",
        "revoke usage on sequence historical_ticks_id_seq from authenticated",
        "drop policy historical_ticks_read on historical_ticks",
    ],
)
def test_each_right_that_lacks_is_found_with_its_remedy(statement: str, database: PostgresEngine) -> None:
    database.sql(statement)
    found = of(as_writer(database))["store rights"]
    assert found.state == "failed"
    assert "polic" in found.remedy
    assert database.rows() == []


@pytest.mark.parametrize(
    ("statement", "remedy"),
    [
        ("drop index candles_asset_timeframe_timestamp", "tickwire migrate"),
        ("drop function tickwire_write_candles", "tickwire migrate"),
        ("revoke update on candles from authenticated", "update on candles"),
    ],
)
def test_a_store_that_takes_no_candles_is_warned_of_for_it_takes_ticks(
    statement: str, remedy: str, database: PostgresEngine
) -> None:
    database.sql(statement)
    found = of(as_writer(database))
    assert (found["store rights"].state, found["store candles"].state) == ("ok", "warning")
    assert remedy in found["store candles"].remedy


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    found = of(f"postgresql://me:s3cret@127.0.0.1:{free_port()}/ticks")["store"]
    assert found.state == "failed"
    assert "s3cret" not in found.seen + found.remedy
    assert found.remedy


def of_project(project: SupabaseEngine, **keys: str) -> dict[str, Finding]:
    settings = Settings.model_validate(
        {"store": {"url": f"supabase+{project.url}"}, **{name: SecretStr(key) for name, key in keys.items()}}
    )
    return by_check(check_store(settings))


def test_a_service_role_key_is_in_order_and_writes_nothing(project: SupabaseEngine) -> None:
    found = of_project(project, supabase_service_role_key="key-of-service", supabase_anon_key="key-of-anon")
    assert {finding.state for finding in found.values()} == {"ok"}
    assert set(found) >= {"store", "store schema", "store key", "store clock"}
    assert project.rows() == []


def test_the_anonymous_key_alone_fails_with_the_remedy(project: SupabaseEngine) -> None:
    found = of_project(project, supabase_anon_key="key-of-anon")
    assert found["store key"].state == "failed"
    assert "write nothing" in found["store key"].seen
    assert "SUPABASE_SERVICE_ROLE_KEY" in found["store key"].remedy


def test_an_anonymous_key_that_may_write_fails_too(project: SupabaseEngine) -> None:
    project.sql("grant insert on historical_ticks to anon")
    project.sql("grant usage on sequence historical_ticks_id_seq to anon")
    project.sql("create policy anybody on historical_ticks for insert to anon with check (true)")
    found = of_project(project, supabase_anon_key="key-of-anon")["store key"]
    assert found.state == "failed"
    assert "everybody" in found.seen


def test_a_key_that_nobody_knows_fails(project: SupabaseEngine) -> None:
    found = of_project(project, supabase_service_role_key="no-such-key")
    assert "failed" in {finding.state for finding in found.values()}
    assert "no-such-key" not in str(found)


def token(role: str) -> SecretStr:
    claims = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).decode().rstrip("=")
    return SecretStr(f"e30.{claims}.signature")


@pytest.mark.parametrize(
    ("key", "anonymous"),
    [(token("anon"), True), (token("authenticated"), False), (SecretStr("sb_publishable_x"), True), (None, True)],
)
def test_whose_a_key_is_stands_in_it(key: SecretStr | None, anonymous: bool) -> None:
    assert _anonymous(key) == anonymous


def test_a_project_that_is_away_is_named(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "store": {"url": f"supabase+http://127.0.0.1:{free_port()}/project"},
            "supabase_service_role_key": SecretStr("key"),
        }
    )
    found = by_check(check_store(settings))["store"]
    assert found.state == "failed"
    assert found.remedy
