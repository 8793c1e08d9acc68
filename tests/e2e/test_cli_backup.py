"""`tickwire backup` of a relay at work, and `tickwire restore` after it was killed."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import command, succeed
from support.redis_server import RedisServer
from support.tickwire_process import Tickwire, count_stored, eventually, stored, tickwire

from tickwire.market.packing import unpack_rows

pytestmark = pytest.mark.timeout(120)

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.frames.jsonl"
Rows = list[tuple[str, str, str, int, int, str]]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("whole")
    with tickwire("replay", f"{DEMO}?speed=max", folder=folder) as app:
        assert app.wait() == 0, app.logged()
    return sorted(stored(folder / "data" / "ticks.db"))


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Tickwire]:
    """A replay in its midst: some ticks are stored, others wait in the spool, more will come."""
    with tickwire("run", "--feed", f"replay:{DEMO}?speed=6", "--batch-interval", "1", folder=tmp_path) as app:
        eventually(lambda: count_stored(app.database) > 50, "some ticks are stored")
        yield app


def test_a_backup_during_a_replay_brings_everything_back_after_a_kill(
    at_work: Tickwire, tmp_path: Path, expected: Rows
) -> None:
    before = set(stored(at_work.database))
    said = succeed("backup", "copy.tar.gz", "--data-dir", "data", folder=tmp_path)
    assert "spool.db" in said
    assert at_work.get("/healthz")
    at_work.signal(signal.SIGKILL)
    at_work.wait()
    restored = tmp_path / "restored"
    assert "keeps its producer" in succeed("restore", "copy.tar.gz", "--data-dir", "restored", folder=tmp_path)
    assert before <= set(stored(restored / "ticks.db"))
    assert (restored / "producer").read_text() == (tmp_path / "data" / "producer").read_text()
    with tickwire("replay", f"{DEMO}?speed=max", folder=tmp_path, data_dir=restored) as again:
        assert again.wait() == 0, again.logged()
    assert sorted(stored(restored / "ticks.db")) == expected
    assert json.loads(succeed("audit", "--data-dir", "restored", "--json", folder=tmp_path))["balanced"]


def test_what_only_the_spool_had_is_stored_by_the_restored_relay(tmp_path: Path, expected: Rows) -> None:
    """Redis is away and nothing is stored: all that was accepted is in the backup's spool."""
    with RedisServer(tmp_path / "redis") as server:
        server.freeze()
        arguments = ("run", "--feed", f"replay:{DEMO}?speed=max", "--redis", server.url)
        with tickwire(*arguments, folder=tmp_path) as app:
            eventually(lambda: _spooled(app.data_dir / "spool.db") == len(expected), "all is accepted")
            succeed("backup", "copy", "--data-dir", "data", "--without-store", folder=tmp_path)
            app.signal(signal.SIGKILL)
            app.wait()
    said = succeed("restore", "copy", "--data-dir", "restored", "--as-copy", folder=tmp_path)
    assert "producer of its own" in said
    push = ("run", "--feed", "push:", "--batch-interval", "0.3")
    with tickwire(*push, folder=tmp_path, data_dir=tmp_path / "restored") as again:
        eventually(lambda: count_stored(again.database) == len(expected), "the spool is stored")
    assert sorted(stored(tmp_path / "restored" / "ticks.db")) == expected
    found = json.loads(succeed("audit", "--data-dir", "restored", "--json", folder=tmp_path))
    assert found["balanced"]
    assert sum(account["stored"] for account in found["accounts"]) == len(expected)
    assert (tmp_path / "restored" / "producer").read_text() != (tmp_path / "data" / "producer").read_text()


def _spooled(spool: Path) -> int:
    """Ticks in it."""
    db = sqlite3.connect(spool)
    try:
        return sum(len(unpack_rows(entry)) for (entry,) in db.execute("select entry from spool"))
    finally:
        db.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backup", "x.tar.gz", "--data-dir", "none"), ("none", "--data-dir")),
        (("restore", "none.tar.gz", "--data-dir", "new"), ("none.tar.gz", "backup")),
        (("restore", "none.tar.gz", "--data-dir", "full"), ("full", "empty")),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(
    arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("")
    done = command(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr
