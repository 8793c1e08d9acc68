"""What people do with quarantined rows: look, try again, drop; a relay may put rows in at the same time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.store_doubles import MemoryTable

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.packing import pack
from tickwire.market.rows import Row
from tickwire.messages.ticks import BackfillReceived, HistoryColumns
from tickwire.runtime.stores import quarantine_drop, quarantine_retry
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.quarantine_desk import QuarantineDesk
from tickwire.runtime.stores.quarantine_drop import drop
from tickwire.runtime.stores.quarantine_retry import Outcome, retry


def row(number: int, pair: str = "EURUSD_otc", price: str = "1.5") -> Row:
    return Row(f"01993a00-0000-8000-8000-{number:012d}", pair, price, number, number + 1, "pocketoption")


class Quarantined:
    """A relay's side and a person's side of one quarantine, and a store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.relay = SqliteQuarantine(path)
        self.desk = QuarantineDesk(path)
        self.table = MemoryTable()

    def retry(self, ids: list[int] | None = None) -> Outcome:
        return retry(self.desk, self.table.store(), ids, tell=lambda _: None)

    def drop(self, ids: list[int] | None = None) -> tuple[int, list[Row]]:
        """How many, and the rows that were told."""
        told: list[Row] = []
        return drop(self.desk, ids, dropped=told.extend), told

    def reasons(self) -> dict[str, str]:
        return {each.row.uid if each.row else str(each.entry_id): each.reason for each in self.desk.newest(1000)}


@pytest.fixture
def quarantined(tmp_path: Path) -> Iterator[Quarantined]:
    made = Quarantined(tmp_path / "quarantine.db")
    yield made
    made.relay.close()
    made.desk.close()


def test_looking_at_a_directory_without_a_quarantine_finds_nothing_and_makes_nothing(tmp_path: Path) -> None:
    desk = QuarantineDesk(tmp_path / "quarantine.db")
    assert (desk.count(), desk.newest(5), desk.take([7]), desk.missing([7])) == (0, [], [], [7])
    assert list(tmp_path.iterdir()) == []


def test_rows_that_the_store_takes_now_leave_and_the_rest_stays_with_the_new_reason(quarantined: Quarantined) -> None:
    quarantined.relay.put([row(1), row(2, "BAD"), row(3, price="NaN"), row(4)], "an old reason")
    quarantined.table.refuse_pair("BAD")
    outcome = quarantined.retry()
    assert (outcome.stored, outcome.kept) == (2, 2)
    assert quarantined.table.uids == [row(1).uid, row(4).uid]
    reasons = quarantined.reasons()
    assert set(reasons) == {row(2).uid, row(3).uid}
    assert "an old reason" not in reasons.values()
    assert "NaN" in reasons[row(3).uid]


def test_only_the_named_rows_are_tried(quarantined: Quarantined) -> None:
    quarantined.relay.put([row(1), row(2), row(3)], "r")
    outcome = quarantined.retry([1, 3])
    assert outcome.stored == 2
    assert set(quarantined.reasons()) == {row(2).uid}


def test_more_rows_than_a_page_are_all_tried_once(quarantined: Quarantined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine_retry, "PAGE", 3)
    quarantined.relay.put([row(number, "BAD" if number % 4 == 0 else "GOOD") for number in range(1, 21)], "r")
    quarantined.table.refuse_pair("BAD")
    outcome = quarantined.retry()
    assert (outcome.stored, outcome.kept) == (15, 5)
    assert len(quarantined.table.uids) == 15


def test_rows_stored_before_the_store_went_away_have_left(
    quarantined: Quarantined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_retry, "PAGE", 2)
    quarantined.relay.put([row(number) for number in range(1, 6)], "r")
    store = quarantined.table.store()

    def away(_: int) -> None:
        quarantined.table.fail(StoreUnavailable("away"))

    with pytest.raises(StoreUnavailable):
        retry(quarantined.desk, store, None, tell=away)
    assert set(quarantined.reasons()) == {row(3).uid, row(4).uid, row(5).uid}
    quarantined.table.fail(None)
    assert quarantined.retry().stored == 3
    assert quarantined.table.uids == [row(number).uid for number in range(1, 6)]


def test_a_lost_answer_of_the_store_leaves_the_rows_and_the_next_try_repeats_none(quarantined: Quarantined) -> None:
    quarantined.relay.put([row(1), row(2)], "r")
    quarantined.table.fail_next(StoreUnavailable("the answer is lost"), commit=True)
    with pytest.raises(StoreUnavailable):
        quarantined.retry()
    assert quarantined.desk.count() == 2
    assert quarantined.retry().stored == 2
    assert quarantined.table.uids == [row(1).uid, row(2).uid]
    assert quarantined.desk.count() == 0


def entry(*pairs: str) -> bytes:
    """A packed entry of one tick a pair."""
    columns = [
        HistoryColumns(asset=pair, offset_us=0, ts_us=[7], stamps=["7"], prices=["1.5"], ordinals=[0]) for pair in pairs
    ]
    return pack([BackfillReceived(sender="x", number=1, feed="f", source="s", recv_us=9, ticks=1, columns=columns)])


def test_an_entry_that_can_be_unpacked_now_is_stored_and_its_bad_rows_stay_by_themselves(
    quarantined: Quarantined,
) -> None:
    quarantined.relay.put_raw("7-1", entry("A", "BAD", "B"), "packing version 2")
    quarantined.relay.put_raw("7-2", b"\xffdamaged", "unreadable")
    quarantined.table.refuse_pair("BAD")
    outcome = quarantined.retry()
    assert (outcome.stored, outcome.kept) == (1, 2)
    left = quarantined.desk.newest(10)
    assert [(each.entry_id, each.row.pair if each.row else None) for each in left] == [("7-2", None), (None, "BAD")]
    assert "not a packed entry" in left[0].reason
    assert len(quarantined.table.uids) == 2


def test_ids_are_never_given_again(quarantined: Quarantined) -> None:
    quarantined.relay.put([row(1)], "r")
    assert [each.id for each in quarantined.desk.take([1])] == [1]
    quarantined.relay.put([row(2)], "r")
    assert [each.id for each in quarantined.desk.newest(10)] == [2]
    assert quarantined.desk.missing([1, 2, 3]) == [1, 3]


def test_dropping_takes_the_named_rows_or_all(quarantined: Quarantined) -> None:
    quarantined.relay.put([row(number) for number in range(1, 5)], "r")
    assert quarantined.drop([2, 99]) == (1, [row(2)])
    assert quarantined.desk.count() == 3
    assert quarantined.drop() == (3, [row(1), row(3), row(4)])
    assert quarantined.desk.count() == 0


def test_more_rows_than_a_page_are_all_dropped_and_told_once(
    quarantined: Quarantined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_drop, "PAGE", 3)
    rows = [row(number) for number in range(1, 9)]
    quarantined.relay.put(rows, "r")
    assert quarantined.drop() == (8, rows)


def test_rows_that_somebody_else_drops_at_the_same_time_are_counted_by_one_of_the_two(quarantined: Quarantined) -> None:
    quarantined.relay.put([row(1), row(2)], "r")
    other = QuarantineDesk(quarantined.path)
    listed = other.page(None, after=0, last=2, limit=10)
    told: list[Row] = []
    quarantined.drop([1])
    told += [held.row for held in other.take([each.id for each in listed]) if held.row is not None]
    other.close()
    assert told == [row(2)]


def test_an_entry_that_was_never_unpacked_is_dropped_without_a_word_of_its_ticks(quarantined: Quarantined) -> None:
    quarantined.relay.put_raw("7-1", entry("A", "B"), "packing version 2")
    assert quarantined.drop() == (1, [])
    assert quarantined.desk.count() == 0


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.db"
    path.write_bytes(b"no database" * 100)
    desk = QuarantineDesk(path)
    with pytest.raises(StoreUnavailable, match=r"quarantine\.db.*backup"):
        desk.count()
    desk.close()
