"""The ledger's arithmetic, its file, and what an entry of the spool adds to it."""

import sqlite3
from pathlib import Path

import pytest
from support.ticks import START_US, backfill, columns, received

from tickwire.actors.ports import StoreUnavailable
from tickwire.market.ledger import Account, EntryPostings, Posting, Tally, accounts, minute_of
from tickwire.market.packing import pack, unpack
from tickwire.messages.ticks import BAD_CANDLE, DUPLICATE, RECEIVED, Count, TicksReceived
from tickwire.runtime.stores.ledger import FOLD_AFTER_S, REMEMBERED_ENTRIES, Hole, SqliteLedger

MINUTE = minute_of(START_US)


def figures(postings: list[Posting]) -> dict[tuple[str, str, str], int]:
    return {(p.asset, p.fate, p.reason): p.count for p in postings if p.count}


def entry(number: int, *postings: Posting, asset: str = "A", at_us: int = START_US) -> EntryPostings:
    return EntryPostings(entry=number, postings=postings, oldest_us={asset: at_us}, newest_us={asset: at_us})


def with_counts(message: TicksReceived, **counts: int) -> TicksReceived:
    return TicksReceived(
        sender=message.sender, number=message.number, feed=message.feed, source=message.source,
        recv_us=message.recv_us, ticks=message.ticks, columns=message.columns,
        counts=[Count(asset="A", reason=reason, count=count) for reason, count in counts.items()],
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger(tmp_path / "ledger.db")


# -- arithmetic ----------------------------------------------------------------------------------------------------


def test_an_account_is_balanced_when_every_tick_has_one_fate() -> None:
    account = Account("A")
    for fate, count, reason in (
        ("received", 12, ""), ("parsed", 9, ""), ("rejected", 1, "bad_price"), ("rejected", 1, "bad_stamp"),
        ("duplicate", 1, ""), ("stored", 4, ""), ("quarantined", 1, ""), ("lost", 1, "spool: full"),
    ):  # fmt: skip
        account.post(Posting("A", MINUTE, fate, count, reason))  # type: ignore[arg-type]
    account.pending = 3
    assert account.balanced
    assert account.reasons("rejected") == {"bad_price": 1, "bad_stamp": 1}


@pytest.mark.parametrize(("fate", "at_parse", "after"), [("received", 1, 0), ("parsed", -1, 1), ("stored", 0, -1)])
def test_a_tick_too_many_anywhere_is_found_where_it_is(fate: str, at_parse: int, after: int) -> None:
    whole = [Posting("A", MINUTE, "received", 5), Posting("A", MINUTE, "parsed", 5), Posting("A", MINUTE, "stored", 5)]
    (account,) = accounts([*whole, Posting("A", MINUTE, fate, 1)], {})  # type: ignore[arg-type]
    assert not account.balanced
    assert (account.unexplained_at_parse, account.unexplained_after) == (at_parse, after)


# -- an entry ------------------------------------------------------------------------------------------------------


def test_an_entrys_ticks_are_received_parsed_and_stored() -> None:
    got = unpack(pack([received(1, columns("A", 1, 3), columns("B", 1, 2)), backfill(2, "A", 9, 4)]))
    settled = Tally(got.rows, got.counted).settled(7)
    assert settled.entry == 7
    assert figures(list(settled.postings)) == {
        ("A", "received", ""): 7, ("A", "parsed", ""): 7, ("A", "stored", ""): 7,
        ("B", "received", ""): 2, ("B", "parsed", ""): 2, ("B", "stored", ""): 2,
    }  # fmt: skip
    assert {posting.minute for posting in settled.postings} == {MINUTE}


def test_what_is_quarantined_is_not_stored() -> None:
    got = unpack(pack([received(1, columns("A", 1, 3))]))
    tally = Tally(got.rows, got.counted)
    tally.quarantined(got.rows[1])
    posted = figures(list(tally.settled(1).postings))
    assert (posted["A", "stored", ""], posted["A", "quarantined", ""]) == (2, 1)


def test_refused_and_repeated_ticks_are_received_too_and_candles_are_no_ticks() -> None:
    counts = {RECEIVED: 6, DUPLICATE: 2, "bad_price": 1, BAD_CANDLE: 5}
    got = unpack(pack([with_counts(received(1, columns("A", 1, 3)), **counts)]))
    (account,) = accounts(Tally(got.rows, got.counted).settled(1).postings, {})
    assert (account.total("received"), account.total("parsed")) == (6, 3)
    assert (account.total("duplicate"), account.reasons("rejected")) == (2, {"bad_price": 1})
    assert account.balanced


def test_ticks_that_arrived_and_went_nowhere_show() -> None:
    got = unpack(pack([with_counts(received(1, columns("A", 1, 3)), **{RECEIVED: 5})]))
    (account,) = accounts(Tally(got.rows, got.counted).settled(1).postings, {})
    assert account.unexplained_at_parse == 2


# -- the file ------------------------------------------------------------------------------------------------------


def test_an_entry_that_comes_again_is_posted_once(ledger: SqliteLedger) -> None:
    ledger.post([entry(1, Posting("A", MINUTE, "stored", 5))])
    ledger.post([entry(1, Posting("A", MINUTE, "stored", 5)), entry(2, Posting("A", MINUTE, "stored", 1))])
    assert ledger.postings() == [Posting("A", MINUTE, "stored", 6)]
    assert (ledger.is_posted(2), ledger.is_posted(3)) == (True, False)


def test_the_ledger_outlives_its_process(tmp_path: Path) -> None:
    first = SqliteLedger(tmp_path / "ledger.db")
    first.post([entry(1, Posting("A", MINUTE, "stored", 5))])
    first.close()
    second = SqliteLedger(tmp_path / "ledger.db")
    second.post([entry(1, Posting("A", MINUTE, "stored", 5))])
    assert second.postings() == [Posting("A", MINUTE, "stored", 5)]
    second.close()


def test_half_a_post_is_no_post(ledger: SqliteLedger) -> None:
    ledger.post([entry(1, Posting("A", MINUTE, "stored", 5))])
    with pytest.raises(StoreUnavailable, match="make room"):
        ledger.post([entry(2, Posting("A", MINUTE, "stored", 1)), entry(3, Posting("A", MINUTE, None, 1))])  # type: ignore[arg-type]
    assert ledger.postings() == [Posting("A", MINUTE, "stored", 5)]
    assert not ledger.is_posted(2)


def test_postings_can_be_asked_for_by_time_and_asset(ledger: SqliteLedger) -> None:
    ledger.post([entry(1, Posting("A", MINUTE, "stored", 1), Posting("A", MINUTE + 60, "stored", 2))])
    ledger.post([entry(2, Posting("B", MINUTE + 60, "stored", 3))])
    assert [p.count for p in ledger.postings(since=MINUTE + 60)] == [2, 3]
    assert [p.count for p in ledger.postings(asset="A")] == [1, 2]


def test_old_minutes_are_folded_into_their_day_and_lose_nothing(ledger: SqliteLedger) -> None:
    days = [MINUTE + day * 86_400 for day in range(3)]
    ledger.post([entry(1, *(Posting("A", start + 60 * i, "stored", 1) for start in days for i in range(3)))])
    ledger._batches = 0  # the next is the first of its round
    late = days[-1] + FOLD_AFTER_S + 3_600
    ledger.post([entry(2, Posting("A", late, "stored", 7))])
    ledger._batches = 0
    ledger.post([entry(3, Posting("A", late, "stored", 1))])
    kept = ledger.postings()
    assert sum(p.count for p in kept) == 9 + 8
    folded = [p for p in kept if p.minute < late]
    assert {p.minute % 86_400 for p in folded} == {0}


def test_numbers_of_entries_long_gone_are_forgotten(ledger: SqliteLedger, tmp_path: Path) -> None:
    ledger.post([entry(1)])
    ledger.post([entry(REMEMBERED_ENTRIES + 5)])
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        assert db.execute("select count(*) from posted").fetchone() == (1,)
    db.close()


# -- holes ---------------------------------------------------------------------------------------------------------


def test_a_hole_begins_at_the_last_receipt_and_ends_at_the_next(ledger: SqliteLedger) -> None:
    ledger.post([entry(1, at_us=100)])
    assert ledger.note_holes({"A": 150, "B": 90}, "killed") == [
        Hole(asset="A", from_us=150, to_us=None, reason="killed"),
        Hole(asset="B", from_us=90, to_us=None, reason="killed"),
    ]
    ledger.post([entry(2, at_us=140)])  # of the spool: it was there before the hole
    ledger.post([entry(4, at_us=150)])  # and so was the newest of them
    assert ledger.holes(asset="A")[0].to_us is None
    ledger.post([entry(3, at_us=300)])
    assert ledger.holes(asset="A") == [Hole(asset="A", from_us=150, to_us=300, reason="killed")]
    assert [hole.asset for hole in ledger.holes()] == ["B", "A"]


def test_a_second_kill_before_any_tick_opens_no_second_hole(ledger: SqliteLedger) -> None:
    ledger.post([entry(1, at_us=100)])
    assert len(ledger.note_holes({}, "killed")) == 1
    assert ledger.note_holes({}, "killed") == []


def test_holes_can_be_asked_for_by_time(ledger: SqliteLedger) -> None:
    ledger.post([entry(1, at_us=1_000_000)])
    ledger.note_holes({}, "killed")
    ledger.post([entry(2, at_us=5_000_000)])
    assert ledger.holes(since=6) == []
    assert len(ledger.holes(since=5)) == 1
