"""The stores' servers as fixtures: one Postgres and one Supabase look-alike for each module that asks for them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.postgres import PostgresServer
from support.store_engines import Engine, MemoryEngine, PostgresEngine, SqliteEngine, SupabaseEngine, prepare
from support.supabase_server import SupabaseServer


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        prepare(server)
        yield server


@pytest.fixture(scope="module")
def supabase(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupabaseServer]:
    with SupabaseServer(postgres, tmp_path_factory.mktemp("supabase")) as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresEngine]:
    """A migrated database of the test's own."""
    engine = PostgresEngine(postgres)
    yield engine
    engine.close()


@pytest.fixture
def project(postgres: PostgresServer, supabase: SupabaseServer) -> Iterator[SupabaseEngine]:
    """Likewise, as a project."""
    engine = SupabaseEngine(postgres, supabase)
    yield engine
    engine.close()


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Builds engines by name and closes them."""
    with ExitStack() as stack:

        def build(name: str, *, migrated: bool = True) -> Engine:
            engine: Engine
            match name:
                case "sqlite":
                    engine = SqliteEngine(tmp_path)
                case "postgres":
                    engine = PostgresEngine(request.getfixturevalue("postgres"), migrated=migrated)
                case "supabase":
                    server, lite = request.getfixturevalue("postgres"), request.getfixturevalue("supabase")
                    engine = SupabaseEngine(server, lite, migrated=migrated)
                case _:
                    engine = MemoryEngine()
            stack.callback(engine.close)
            return engine

        yield build
