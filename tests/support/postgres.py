"""A real Postgres for tests: a temporary cluster on a free loopback port, ended by pid, its log in `folder`.

    with PostgresServer(folder) as server:
        dsn = server.create_database()
        server.sql(dsn, "select 1")
        server.freeze()

Durability is off: a test's database need not survive the machine. Postgres refuses to run as root, so that a test run
by root starts it as another user.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import psycopg
import pytest
from support.servers import free_port, need

PATIENCE_S = 30.0
UNPRIVILEGED = ("postgres", "nobody")
OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "lc_messages": "C",
}
"""No Unix socket: its path could be too long, and only loopback is tested."""


class PostgresServer:
    """`start`, `stop`, `kill`, `freeze` and `thaw` at will; port and folder stay."""

    def __init__(self, folder: Path) -> None:
        self._binaries = Path(need("postgres")).parent
        self._folder = folder
        # Not in pytest's own folder: whenever another run begins, pytest closes it to everybody else, and a server that
        # runs as another user ends in a panic.
        self._data = Path(tempfile.mkdtemp(prefix="tickwire-postgres-"))
        self.user = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.port = free_port()

    def __enter__(self) -> "PostgresServer":
        self._make_cluster()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.thaw()
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)

    # -- the process

    def start(self) -> None:
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
                **self._as_user(),
            )
        self._until_ready()

    def stop(self) -> None:
        """A fast shutdown: sessions are ended, the data is kept."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """At once; SIGQUIT lets the postmaster take its children along, where SIGKILL would leave them."""
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Every process of the server stands still: connections are taken and nothing is ever answered."""
        self._signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_group(signal.SIGCONT)

    # -- databases

    def create_database(self, *, template: str = "template0") -> str:
        """A new empty database; returns its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.sql(self.dsn("postgres"), f'create database "{name}" template {template}')
        return self.dsn(name)

    def drop_database(self, dsn: str) -> None:
        self.sql(self.dsn("postgres"), f'drop database "{dsn.rpartition("/")[2]}" with (force)')

    def dsn(self, database: str, *, user: str = "tickwire", password: str = "") -> str:
        login = f"{user}:{password}" if password else user
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def sql(self, dsn: str, statement: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        """Run one statement in autocommit; its rows, empty where it has none."""
        text: LiteralString = statement  # tests write their own SQL
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(text, parameters or None)
            return cursor.fetchall() if cursor.description else []

    # -- inside

    def _make_cluster(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            os.chown(self._data, self.user.pw_uid, self.user.pw_gid)
        making = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "tickwire", "-A", "trust"]
        making += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        made = subprocess.run(making, cwd="/", capture_output=True, timeout=60, check=False, **self._as_user())
        if made.returncode:
            pytest.fail(f"initdb: {made.stderr.decode(errors='replace')}")

    def _as_user(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        user = self.user
        # HOME must not stay root's: libraries look for files there and would be refused.
        environment = {**os.environ, "HOME": "/", "USER": user.pw_name, "LOGNAME": user.pw_name}
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "env": environment}

    def _until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                psycopg.connect(self.dsn("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "postgres.log").read_text(errors="replace")[-2000:]
                    pytest.fail(f"postgres did not come up: {error}\n{log}")
                time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _signal_group(self, how: signal.Signals) -> None:
        """Backends lead groups of their own: the postmaster's children are signalled one by one."""
        if self._process is None or self._process.poll() is not None:
            return
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to start Postgres as: None for ourselves, unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.fail(f"Postgres does not run as root, and none of the users {', '.join(UNPRIVILEGED)} exists")
