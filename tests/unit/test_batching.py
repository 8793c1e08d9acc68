"""Which rows are next, which entries are done, and how fast it goes."""

from math import ceil, log2
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tickwire.market.batching import Batch, Pace
from tickwire.market.ledger import Tally
from tickwire.market.rows import Row


def rows(first: int, count: int) -> list[Row]:
    return [Row(f"{number}", "A", "1.5", number, number, "s") for number in range(first, first + count)]


def add(batch: Batch, entry_id: str, some: list[Row]) -> None:
    batch.add(entry_id, some, Tally(some, ()))


def settled(batch: Batch) -> list[str]:
    return [entry.id for entry in batch.settled]


def numbers(some: list[Row]) -> list[int]:
    return [row.ts_us for row in some]


def test_rows_come_out_in_order_and_entries_settle_when_their_last_row_is_done() -> None:
    batch = Batch()
    add(batch, "a", rows(0, 3))
    add(batch, "b", rows(3, 2))
    assert numbers(batch.head(4)) == [0, 1, 2, 3]
    batch.done(4)
    assert (len(batch), settled(batch)) == (1, ["a"])
    batch.done(1)
    assert (len(batch), settled(batch)) == (0, ["a", "b"])
    batch.acknowledged()
    assert settled(batch) == []


def test_an_entry_without_rows_settles_only_after_those_before_it() -> None:
    batch = Batch()
    add(batch, "empty first", [])
    add(batch, "a", rows(0, 1))
    add(batch, "empty", [])
    assert settled(batch) == ["empty first"]
    batch.done(1)
    assert settled(batch) == ["empty first", "a", "empty"]


def test_a_cleared_batch_holds_nothing_of_before() -> None:
    batch = Batch()
    add(batch, "a", [])
    add(batch, "b", rows(0, 4))
    batch.split(4)
    batch.clear()
    add(batch, "c", rows(7, 9))
    assert (numbers(batch.head(99)), settled(batch)) == (list(range(7, 16)), [])


@given(
    count=st.integers(1, 300),
    bad=st.sets(st.integers(0, 299), max_size=6),
    most=st.integers(1, 300),
    entry=st.integers(1, 40),
)
def test_bisection_finds_exactly_the_bad_rows_with_few_writes(count: int, bad: set[int], most: int, entry: int) -> None:
    bad = {place for place in bad if place < count}
    batch = Batch()
    for first in range(0, count, entry):
        add(batch, str(first), rows(first, min(entry, count - first)))
    written: list[int] = []
    refused: list[int] = []
    writes = 0
    while batch:
        head = numbers(batch.head(most))
        writes += 1
        if not bad.intersection(head):
            written += head
            batch.done(len(head))
        elif len(head) == 1:
            refused += head
            batch.done(1)
        else:
            batch.split(len(head))
    assert refused == sorted(bad)
    assert written == [place for place in range(count) if place not in bad]
    assert settled(batch) == [str(first) for first in range(0, count, entry)]
    slices = ceil(count / most)
    assert writes <= slices + 2 * len(bad) * ceil(log2(max(2, min(count, most))))


@given(parts=st.lists(st.integers(1, 7), min_size=1, max_size=40))
def test_a_smaller_head_in_the_midst_of_halves_loses_no_row(parts: list[int]) -> None:
    batch = Batch()
    add(batch, "a", rows(0, 64))
    batch.split(64)
    batch.split(32)
    taken: list[int] = []
    for most in parts * 64:
        head = batch.head(most)
        taken += numbers(head)
        batch.done(len(head))
    assert taken == list(range(64))
    assert settled(batch) == ["a"]


@given(expected=st.integers(0, 50_000), real=st.integers(1, 50_000), slice_rows=st.integers(1, 500))
def test_pauses_of_a_batch_take_at_most_a_third_of_the_interval(expected: int, real: int, slice_rows: int) -> None:
    pace = Pace(30.0)
    pace.begin(1000.0, expected)
    now, left = 1000.0, real
    while left > 0:
        left -= slice_rows
        pause = pace.pause_s(now, wrote=slice_rows, waiting=max(0, left), slice_rows=slice_rows)
        assert 0.0 <= pause <= Pace.LONGEST_S
        now += pause
    assert now <= 1010.0 + 1e-6


def test_pauses_shrink_as_there_is_more_to_do() -> None:
    def first_pause(backlog: int) -> float:
        pace = Pace(30.0)
        pace.begin(0.0, backlog)
        return pace.pause_s(0.0, wrote=50, waiting=0, slice_rows=50)

    pauses = [first_pause(backlog) for backlog in (1_000, 20_000, 100_000, 1_000_000)]
    assert pauses == sorted(pauses, reverse=True)
    assert pauses[0] > 50 * pauses[-1]


def test_in_two_hundred_batches_of_a_thousand_with_one_to_five_bad_rows_only_those_are_left_out() -> None:
    random = Random(200)
    for _ in range(200):
        bad = set(random.sample(range(1000), random.randint(1, 5)))
        batch = Batch()
        add(batch, "a", rows(0, 1000))
        refused: list[int] = []
        written = writes = 0
        while batch:
            head = numbers(batch.head(1000))
            writes += 1
            if bad.isdisjoint(head):
                written += len(head)
                batch.done(len(head))
            elif len(head) == 1:
                refused += head
                batch.done(1)
            else:
                batch.split(len(head))
        assert (refused, written) == (sorted(bad), 1000 - len(bad))
        assert writes <= 2 * len(bad) * ceil(log2(1000)) + 1
