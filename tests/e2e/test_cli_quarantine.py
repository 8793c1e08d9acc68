"""`tickwire quarantine` beside the relay that fills it, and without one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import command, succeed
from support.store_engines import SqliteEngine
from support.tickwire_process import count_stored, eventually, stored, tickwire

from tickwire.runtime.stores.quarantine import SqliteQuarantine

pytestmark = pytest.mark.timeout(120)

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.frames.jsonl"
REFUSED = "#AAPL_otc"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str, int, int, str]]:
    folder = tmp_path_factory.mktemp("whole")
    with tickwire("replay", f"{DEMO}?speed=max", folder=folder) as app:
        assert app.wait() == 0, app.logged()
    return sorted(stored(folder / "data" / "ticks.db"))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SqliteEngine]:
    """A store that refuses one asset, in the data directory of the relay to come."""
    (tmp_path / "data").mkdir()
    engine = SqliteEngine(tmp_path / "data")
    engine.refuse_pair(REFUSED)
    yield engine
    engine.close()


def listed(folder: Path) -> tuple[int, list[dict[str, object]]]:
    answer = json.loads(succeed("quarantine", "list", "--data-dir", "data", "--limit", "5000", "--json", folder=folder))
    return answer["quarantined"], answer["rows"]


def audited(folder: Path) -> tuple[int, int]:
    """(stored, quarantined) of a ledger that balances."""
    found = json.loads(succeed("audit", "--data-dir", "data", "--json", folder=folder))
    assert found["balanced"]
    accounts = found["accounts"]
    return sum(each["stored"] for each in accounts), sum(each["quarantined"] for each in accounts)


def test_what_a_store_refused_is_shown_and_stored_by_a_retry_while_the_relay_runs(
    table: SqliteEngine, tmp_path: Path, expected: list[tuple[str, str, str, int, int, str]]
) -> None:
    refused = [row for row in expected if row[1] == REFUSED]
    arguments = ("run", "--feed", f"replay:{DEMO}?speed=max", "--batch-interval", "0.3")
    with tickwire(*arguments, folder=tmp_path) as app:
        eventually(lambda: listed(tmp_path)[0] == len(refused), "all that the store refuses is quarantined")
        eventually(lambda: count_stored(app.database) == len(expected) - len(refused), "the rest is stored")
        eventually(lambda: audited(tmp_path)[0] == len(expected) - len(refused), "the ledger knows")
        total, rows = listed(tmp_path)
        assert total == len(rows) == len(refused)
        assert sorted((row["uid"], row["price"]) for row in rows) == sorted((row[0], row[2]) for row in refused)
        shown = succeed("quarantine", "list", "--data-dir", "data", "-n", "3", folder=tmp_path)
        assert f"the newest 3 of {total}" in shown
        assert "not that pair" in shown
        one = json.loads(
            succeed("quarantine", "show", str(rows[0]["id"]), "--data-dir", "data", "--json", folder=tmp_path)
        )
        assert one == rows[0]

        again = command("quarantine", "retry", "--all", "--data-dir", "data", folder=tmp_path)
        assert again.returncode == 1
        assert f"0 stored in sqlite:data/ticks.db, {total} kept" in again.stdout

        assert audited(tmp_path) == (len(expected) - total, total)
        table.sql("drop trigger refusing")
        some = [str(row["id"]) for row in rows[:2]]
        assert "2 stored" in succeed("quarantine", "retry", *some, "--data-dir", "data", folder=tmp_path)
        assert f"{total - 2} stored" in succeed("quarantine", "retry", "--all", "--data-dir", "data", folder=tmp_path)
        assert succeed("quarantine", "list", "--data-dir", "data", folder=tmp_path) == "nothing is quarantined\n"
        assert audited(tmp_path) == (len(expected), 0)
    assert sorted(stored(tmp_path / "data" / "ticks.db")) == expected


def test_dropped_rows_are_lost_in_the_ledger_by_their_reason(
    table: SqliteEngine, tmp_path: Path, expected: list[tuple[str, str, str, int, int, str]]
) -> None:
    refused = sum(row[1] == REFUSED for row in expected)
    arguments = ("run", "--feed", f"replay:{DEMO}?speed=max", "--batch-interval", "0.3")
    with tickwire(*arguments, folder=tmp_path):
        eventually(lambda: audited(tmp_path) == (len(expected) - refused, refused), "the ledger knows")
        ids = [str(row["id"]) for row in listed(tmp_path)[1]]
        assert succeed("quarantine", "drop", ids[0], "-y", "--data-dir", "data", folder=tmp_path) == "1 dropped\n"
        assert audited(tmp_path) == (len(expected) - refused, refused - 1)
        dropped = succeed("quarantine", "drop", "--all", "-y", "--data-dir", "data", folder=tmp_path)
        assert dropped == f"{refused - 1} dropped\n"
    shown = succeed("audit", "--data-dir", "data", folder=tmp_path)
    assert f"{REFUSED}: lost: {refused} quarantine: dropped by hand" in shown
    assert shown.endswith("balanced\n")
    assert audited(tmp_path) == (len(expected) - refused, 0)


def test_a_retry_never_stores_elsewhere_than_the_relay_does(table: SqliteEngine, tmp_path: Path) -> None:
    with tickwire("run", "--feed", f"replay:{DEMO}?speed=max", "--batch-interval", "0.3", folder=tmp_path):
        eventually(lambda: listed(tmp_path)[0] > 0, "something is quarantined")
        other = command(
            "quarantine", "retry", "--all", "--data-dir", "data", "--store", "sqlite:other.db", folder=tmp_path
        )
    assert other.returncode == 1
    assert "ticks.db" in other.stderr
    assert "--store" in other.stderr
    assert not (tmp_path / "other.db").exists()


def test_rows_are_dropped_only_when_somebody_says_so(table: SqliteEngine, tmp_path: Path) -> None:
    quarantine = SqliteQuarantine(tmp_path / "data" / "quarantine.db")
    quarantine.put_raw("7-1", b"\xff\x1b[31mdamaged", "unreadable")
    quarantine.put_raw("7-2", b"damaged", "unreadable")
    quarantine.close()
    shown = succeed("quarantine", "list", "--data-dir", "data", folder=tmp_path)
    assert "entry 7-1" in shown
    assert "\x1b" not in succeed("quarantine", "show", "1", "--data-dir", "data", folder=tmp_path)
    refused = command("quarantine", "drop", "--all", "--data-dir", "data", folder=tmp_path)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert listed(tmp_path)[0] == 2
    assert succeed("quarantine", "drop", "1", "--yes", "--data-dir", "data", folder=tmp_path) == "1 dropped\n"
    assert [row["entry_id"] for row in listed(tmp_path)[1]] == ["7-2"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("list", "--data-dir", "nowhere"), 1, ("nowhere", "--data-dir")),
        (("show", "7", "--data-dir", "data"), 1, ("7", "quarantine list")),
        (("retry", "--data-dir", "data"), 2, ("--all",)),
        (("retry", "3", "--all", "--data-dir", "data"), 2, ("--all",)),
        (("drop", "3", "--yes", "--data-dir", "data"), 1, ("3", "quarantine list")),
        (("show", "0", "--data-dir", "data"), 2, ("equal to 1", "--help")),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(
    arguments: tuple[str, ...], code: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    done = command("quarantine", *arguments, folder=tmp_path)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr
