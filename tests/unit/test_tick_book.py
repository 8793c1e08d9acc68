"""A tick book against a list that remembers everything."""

import random

import orjson
import pytest
from support.ticks import EPOCH, columns

from tickwire.market.codec import bulk_to_json
from tickwire.market.tick_book import KEPT, Gap, TickBook, read_buffer
from tickwire.messages.ticks import TickColumns

EARLIER = "01K46AAAAAAAAAAAAAAAAAAAAA"


def seqs(pieces: list[TickColumns] | list[TickColumns | Gap]) -> list[int]:
    return [
        piece.first_seq + i for piece in pieces if isinstance(piece, TickColumns) for i in range(len(piece.encoded))
    ]


def kept(book: TickBook, after: int = 0) -> list[int]:
    return [orjson.loads(json)["seq"] for json in book.jsons(after)]


def listed(first: int, count: int, epoch: str = EPOCH) -> list[bytes]:
    return [bulk_to_json(bulk) for bulk in reversed(columns("A", first, count, epoch=epoch).encoded)]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_late_twice_or_overlapping_is_shown_once_and_in_order(seed: int) -> None:
    random_ = random.Random(seed)
    book, shown, last = TickBook(), [], 400
    shown += seqs(book.take(columns("A", 1, 1)))
    pieces = [columns("A", first, random_.randint(3, 9)) for first in range(2, last, 3)]
    for at in range(0, len(pieces), 5):  # shuffled within a window
        window = pieces[at : at + 5]
        random_.shuffle(window)
        pieces[at : at + 5] = window
    for piece in pieces:
        shown += seqs(book.take(piece))
        if random_.random() < 0.3:
            shown += seqs(book.take(random_.choice(pieces[:20])))
    assert shown == list(range(1, shown[-1] + 1))
    assert book.hole is None
    assert kept(book) == shown


@pytest.mark.parametrize("sizes", [[1] * 2500, [7] * 400, [3000], [999, 1, 1, 999], [1001, 1]])
def test_the_last_thousand_are_kept_however_they_came(sizes: list[int]) -> None:
    book, first = TickBook(), 1
    for size in sizes:
        book.take(columns("A", first, size))
        first += size
    assert kept(book) == list(range(max(1, first - KEPT), first))
    assert (len(book), book.buffered) == (min(KEPT, first - 1),) * 2
    assert book.has_since(EPOCH, book.first - 1)
    assert not book.has_since(EPOCH, book.first - 2)
    assert kept(book, after=first - 4) == list(range(max(1, first - 3), first))


def test_an_epoch_whose_name_sorts_before_the_last_one_is_new_all_the_same() -> None:
    book = TickBook()
    book.seed(read_buffer(listed(1, 5)))
    assert seqs(book.take(columns("A", 1, 2, epoch=EARLIER))) == [1, 2]
    assert (book.epoch, book.last, book.older) == (EARLIER, 2, 5)
    assert book.take(columns("A", 6, 1)) == []  # of the epoch that is over


def test_a_seed_joins_what_is_live_without_hole_and_repeat() -> None:
    book = TickBook()
    book.take(columns("A", 8, 3))
    book.seed(read_buffer(listed(4, 6)))  # 4 … 9: the list is behind
    assert kept(book) == list(range(4, 11))
    assert seqs(book.take(columns("A", 9, 4))) == [11, 12]


def test_a_seed_with_a_hole_before_what_is_live_is_left_out() -> None:
    book = TickBook()
    book.take(columns("A", 8, 3))
    book.seed(read_buffer(listed(1, 5)))
    assert kept(book) == [8, 9, 10]


def test_a_hole_into_a_new_epoch_is_named_with_it() -> None:
    book = TickBook()
    book.take(columns("A", 1, 2, epoch=EARLIER))
    assert book.take(columns("A", 4, 1)) == []
    assert book.hole == (EPOCH, 1, 3)
    first, *rest = book.fill("A", read_buffer(listed(2, 2)))
    assert first == Gap(epoch=EPOCH, first=1, last=1)
    assert seqs(rest) == [2, 3, 4]
    assert kept(book) == [2, 3, 4]
    assert book.held_ticks == 0
