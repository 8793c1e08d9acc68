"""Ticks that leave the quarantine, for the store or for good, change places in the ledger, and nothing else does."""

from pathlib import Path

from tickwire.market.ledger import EntryPostings, Posting, accounts
from tickwire.market.rows import Row
from tickwire.runtime.stores.ledger import SqliteLedger
from tickwire.runtime.stores.ledger_move import move_to_lost, move_to_stored

MINUTE = 1_767_613_620
DAY = MINUTE // 86_400 * 86_400


def row(number: int, pair: str = "A", minute: int = MINUTE) -> Row:
    return Row(f"01993a00-0000-8000-8000-{number:012d}", pair, "1.5", 7, (minute + 3) * 1_000_000, "s")


def ledger(path: Path, *postings: Posting) -> SqliteLedger:
    made = SqliteLedger(path)
    made.post([EntryPostings(entry=1, postings=postings, oldest_us={}, newest_us={})])
    return made


def figures(made: SqliteLedger) -> dict[tuple[str, int, str], int]:
    return {(each.asset, each.minute, each.fate): each.count for each in made.postings() if each.count}


def test_rows_move_from_quarantined_to_stored_by_asset_and_minute(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    made = ledger(path, Posting("A", MINUTE, "quarantined", 3), Posting("A", MINUTE, "stored", 5),
                  Posting("B", MINUTE, "quarantined", 1), Posting("A", MINUTE, "parsed", 8))  # fmt: skip
    move_to_stored(path, [row(1), row(2), row(3, "B")])
    assert figures(made) == {
        ("A", MINUTE, "quarantined"): 1, ("A", MINUTE, "stored"): 7, ("B", MINUTE, "stored"): 1,
        ("A", MINUTE, "parsed"): 8,
    }  # fmt: skip
    made.close()


def test_dropped_rows_move_from_quarantined_to_lost_and_the_account_stays_balanced(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    made = ledger(path, Posting("A", MINUTE, "received", 3), Posting("A", MINUTE, "parsed", 3),
                  Posting("A", MINUTE, "quarantined", 3))  # fmt: skip
    move_to_lost(path, [row(1), row(2)])
    (account,) = accounts(made.postings(), {})
    assert account.balanced
    assert (account.total("quarantined"), account.reasons("lost")) == (1, {"quarantine: dropped by hand": 2})
    made.close()


def test_minutes_that_were_folded_into_their_day_are_found_there(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    made = ledger(path, Posting("A", DAY, "quarantined", 3))
    move_to_stored(path, [row(1)])
    assert figures(made) == {("A", DAY, "quarantined"): 2, ("A", DAY, "stored"): 1}
    made.close()


def test_rows_that_the_ledger_does_not_know_as_quarantined_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    made = ledger(path, Posting("A", MINUTE, "quarantined", 1))
    move_to_stored(path, [row(1, "C"), row(2, "A", MINUTE + 60)])
    assert figures(made) == {("A", MINUTE, "quarantined"): 1}
    made.close()


def test_without_a_ledger_none_is_made(tmp_path: Path) -> None:
    move_to_stored(tmp_path / "ledger.db", [row(1)])
    assert list(tmp_path.iterdir()) == []
