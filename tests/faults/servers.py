"""The real servers that faults happen to, each behind a proxy, and a venue that feeds the relay under test."""

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
import redis
from support.fault_proxy import FaultProxy
from support.paced_feed import PacedFeed
from support.postgres import PostgresServer
from support.redis_server import RedisServer
from support.store_engines import prepare
from support.tape import Tape

PASSWORD = "first-password"
ROOMY, MIB = "4g", 1024 * 1024


class SmallDisk:
    """A file system of its own, to be filled; `mounted` is False where none can be mounted."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tickwire-disk-"))
        self.mounted = self._mount("size=" + ROOMY)

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        try:
            return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
        except FileNotFoundError:
            return False

    @property
    def kind(self) -> str:
        """How a full disk is brought about."""
        return "a small file system, full" if self.mounted else "a trigger that raises 53100"

    def fill(self) -> None:
        """No room beyond what is taken."""
        found = os.statvfs(self.folder)
        self._mount(f"remount,size={(found.f_blocks - found.f_bfree) * found.f_frsize}")

    def empty(self) -> None:
        self._mount("remount,size=" + ROOMY)

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], capture_output=True, timeout=20, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Servers:
    """Redis without persistence, another one with it, Postgres, a proxy before each kind, and the feed."""

    def __init__(self, folder: Path, *, rate: int, laps: int) -> None:
        self.folder = folder
        # Protected settings are for tests like these: a folder that is gone makes a server refuse to write.
        options = ("--enable-protected-configs", "yes")
        self.volatile = RedisServer(folder / "volatile", password=PASSWORD, options=options)
        self.durable = RedisServer(folder / "durable", password=PASSWORD, options=options, append_only=True)
        self.redis = self.volatile
        self.postgres = PostgresServer(folder / "postgres")
        self.disk = SmallDisk()
        self.relay_disk = SmallDisk()
        self.feed = PacedFeed(Tape(laps), rate)
        self._stack = ExitStack()
        self._admin: Any = None

    def __enter__(self) -> "Servers":
        enter = self._stack.enter_context
        self._stack.callback(self.disk.close)
        self._stack.callback(self.relay_disk.close)
        enter(self.volatile)
        enter(self.durable)
        enter(self.postgres)
        prepare(self.postgres)
        self.owner_dsn = self.postgres.create_database(template="migrated")
        # Killed, a server that confirms commits before they are written loses confirmed rows, whoever wrote them.
        self.sql(f"alter database {self.owner_dsn.rpartition('/')[2]} set synchronous_commit = on")
        self._use_small_disk()
        self.redis_proxy = enter(FaultProxy(self.redis.port))
        self.store_proxy = enter(FaultProxy(self.postgres.port))
        enter(self.feed)
        self._stack.callback(self._forget_admin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _use_small_disk(self) -> None:
        if not self.disk.mounted:
            return
        os.chmod(self.disk.folder, 0o777)
        space = self.disk.folder / "space"
        space.mkdir()
        owner = self.postgres.user
        if owner is not None:
            os.chown(space, owner.pw_uid, owner.pw_gid)
        self.sql(f"create tablespace small location '{space}'")
        for index in ("historical_ticks_uid", "historical_ticks_pkey", "historical_ticks_pair_timestamp"):
            self.sql(f"alter index {index} set tablespace small")
        self.sql("alter table historical_ticks set tablespace small")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Flags of the relay under test."""
        database = self.owner_dsn.rpartition("/")[2]
        redis_url = f"redis://:{PASSWORD}@127.0.0.1:{self.redis_proxy.port}/0"
        store_url = f"postgresql://writer@127.0.0.1:{self.store_proxy.port}/{database}"
        return ("--feed", self.feed.url, "--redis", redis_url, "--store", store_url, "--batch-interval", "0.5")

    def use_redis(self, server: RedisServer) -> None:
        """Fail over: what connects from now on gets that server."""
        self.redis = server
        self.redis_proxy.target = server.port
        self._forget_admin()
        self.redis_proxy.cut()

    @property
    def admin(self) -> Any:
        """A client of the Redis in use, past the proxy. It stays connected, whatever becomes of passwords."""
        if self._admin is None:
            self._admin = redis.Redis(
                port=self.redis.port, password=PASSWORD, single_connection_client=True, socket_timeout=15, protocol=2
            )
        return self._admin

    def forget_admin(self) -> None:
        """Its server has been restarted."""
        self._forget_admin()

    def _forget_admin(self) -> None:
        if self._admin is not None:
            self._admin.close()
        self._admin = None

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """As the store's owner, past the proxy."""
        return self.postgres.sql(self.owner_dsn, statement)

    def rows_after(self, id: int) -> list[tuple[Any, ...]]:
        """(id, uid, pair, ts_us, price) of what was stored since that row."""
        with psycopg.connect(self.owner_dsn, autocommit=True, connect_timeout=10) as connection:
            return connection.execute(
                "select id, tick_uid, pair, ts_us, price from historical_ticks where id > %s order by id", (id,)
            ).fetchall()

    def newest_id(self) -> int:
        found: int = self.sql("select coalesce(max(id), 0) from historical_ticks")[0][0]
        return found

    def count(self, after: int = 0) -> int:
        """Rows stored since that row."""
        found: int = self.sql(f"select count(*) from historical_ticks where id > {after}")[0][0]
        return found
