"""A store in Postgres."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.pq import TransactionStatus

from tickwire.actors.ports import StoreError
from tickwire.config.urls import PostgresStore
from tickwire.runtime.doctor.findings import Finding, failed, ok, told, warned
from tickwire.runtime.doctor.redis_server import compared
from tickwire.runtime.stores.limits import CallTimedOut, within
from tickwire.runtime.stores.postgres import Connection, PostgresSession, check_schema, explain
from tickwire.runtime.stores.table import OWN_COLUMNS, TABLE

CALL_S = 10.0
PROBE = {"uid": "00000000-0000-8000-8000-000000000000"}

_HERE = Path(__file__).parent
_STORES = _HERE.parent / "stores"
_BEGIN = (_STORES / "postgres_begin.sql").read_bytes()
_INCOMING = (_STORES / "postgres_incoming.sql").read_bytes()
_CANDLES = (_STORES / "postgres_candles.sql").read_bytes()
_INSERT = (_STORES / "postgres_insert.sql").read_bytes()
_PROBE = (_HERE / "postgres_probe.sql").read_bytes()
_SEEN = (_HERE / "postgres_seen.sql").read_bytes()
_SECURITY = (_HERE / "postgres_security.sql").read_bytes()


def check_postgres(url: PostgresStore) -> Iterator[Finding]:
    """Each in a call of its own, as the relay's."""
    session = PostgresSession(url.dsn, CALL_S)
    steps = (
        ("store", _answers), ("store schema", _schema), ("store rights", _rights), ("store candles", _candles),
        ("store policies", _security),
    )  # fmt: skip
    try:
        for name, step in steps:
            try:
                findings = within(CALL_S, lambda step=step: session.run(step), shut=session.shut)  # type: ignore[misc]
            except CallTimedOut as error:
                yield failed(name, f"{url.masked}: {error}", "see whether the server or a firewall stands still")
                return
            except psycopg.Error as error:
                yield _explained(name, url, explain(error))
                if name != "store rights":
                    return
            except StoreError as error:
                yield _explained(name, url, error)
                return
            else:
                yield from findings
    finally:
        session.close()


def _explained(name: str, url: PostgresStore, error: StoreError) -> Finding:
    text = f"{url.masked}: {error}"
    return told(name, text if "; " in str(error) else f"{text}; start the server, or check the store's URL")


def _answers(connection: Connection) -> list[Finding]:
    version = connection.info.server_version
    return [ok("store", f"Postgres {version // 10_000}.{version % 10_000} answers")]


def _schema(connection: Connection) -> list[Finding]:
    check_schema(connection)
    return [ok("store schema", f"{TABLE} with {', '.join(OWN_COLUMNS)} and its unique index")]


def _rights(connection: Connection) -> list[Finding]:
    """What a batch does, in a transaction that is rolled back."""
    try:
        connection.execute(_BEGIN % {b"ms": int(CALL_S * 500)})
        connection.execute(_INCOMING)
        connection.execute(_PROBE, PROBE)
        connection.execute(_INSERT)
        (seen,) = connection.execute(_SEEN, PROBE).fetchone() or (0,)
    finally:
        if connection.info.transaction_status != TransactionStatus.IDLE:
            connection.execute(b"rollback")
    if seen != 1:
        remedy = (
            "add a policy for select: create policy historical_ticks_read on historical_ticks for select using (true)"
        )
        return [failed("store rights", "a row could be written, but policies hide it", remedy)]
    return [ok("store rights", "a row could be written and read (and was taken back)")]


def _candles(connection: Connection) -> list[Finding]:
    """What writing candles does, without one. Ticks are stored all the same."""
    try:
        connection.execute(_BEGIN % {b"ms": int(CALL_S * 500)})
        connection.execute(_CANDLES, {"rows": "[]"})
    except psycopg.Error as error:
        return [warned("store candles", f"candles are not stored: {explain(error)}")]
    finally:
        if connection.info.transaction_status != TransactionStatus.IDLE:
            connection.execute(b"rollback")
    return [ok("store candles", "candles could be written")]


def _security(connection: Connection) -> list[Finding]:
    before = time.time()
    found = connection.execute(_SECURITY).fetchone()
    middle = (before + time.time()) / 2
    assert found is not None  # one row, of no table
    user, binds, on, policies, now = found
    level = "on" if on else "off"
    bound = "is bound by it" if binds else "is not bound by it"
    seen = f"row level security is {level}, {user} {bound}; policies: {', '.join(policies) or 'none'}"
    return [ok("store policies", seen), compared("store clock", now - middle)]
