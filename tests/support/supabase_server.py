"""A Supabase look-alike for tests: @supabase/lite on a real Postgres, with row level security and keys of roles.

    with SupabaseServer(postgres, folder) as supabase:
        url = supabase.url(dsn)           # of one database
        supabase.reload(dsn)              # its table was changed

Its packages: `npm ci` in `tests/support/node`.
"""

import json
import subprocess
from pathlib import Path
from types import TracebackType

import httpx
from support.postgres import PostgresServer
from support.recordings import missing
from support.servers import free_port, need

ROLES = ("anon", "authenticated", "service_role")
KEYS = {"key-of-anon": "anon", "key-of-authenticated": "authenticated", "key-of-service": "service_role"}

_FOLDER = Path(__file__).parent / "node"


def make_roles(postgres: PostgresServer) -> None:
    """Supabase's roles; they must be there before the look-alike starts, or it applies no policies."""
    for role in ROLES:
        bypass = "bypassrls" if role == "service_role" else ""
        postgres.sql(postgres.dsn("postgres"), f"create role {role} nologin {bypass}")


class SupabaseServer:
    def __init__(self, postgres: PostgresServer, folder: Path) -> None:
        self._node = need("node")
        if not (_FOLDER / "node_modules").is_dir():
            missing("the packages of tests/support/node are not installed; run npm ci there")
        self._postgres = postgres
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()

    def __enter__(self) -> "SupabaseServer":
        database_less = self._postgres.dsn("x").removesuffix("/x")
        with (self._folder / "supabase.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._node, str(_FOLDER / "server.mjs"), str(self.port), database_less, json.dumps(KEYS)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", (self._folder / "supabase.log").read_text()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def url(self, dsn: str) -> str:
        """The project of a database."""
        return f"http://127.0.0.1:{self.port}/{dsn.rpartition('/')[2]}"

    def reload(self, dsn: str) -> None:
        """Look at the database's schema anew."""
        httpx.get(f"{self.url(dsn)}/reload", timeout=30.0, trust_env=False).raise_for_status()
