"""What waits for the store, and when it has been caught up, of figures alone."""

from tickwire.market.catch_up import CatchUp, Waiting
from tickwire.runtime.cli.status import waiting


def caught(entries: int, *, few: int = 100) -> CatchUp:
    """After an outage that left so many entries of ten rows, ten of which are stored."""
    made = CatchUp(few=few)
    made.seen(entries=entries, rows=entries * 10)
    for second in range(60):
        made.measure(float(second), entries)
    made.stored(100)
    return made


def test_rows_are_reckoned_from_what_the_latest_entries_hold() -> None:
    made = CatchUp(few=100)
    assert made.measure(0.0, 7).rows == 7
    made.seen(entries=10, rows=30)
    assert made.measure(1.0, 7).rows == 21
    made.seen(entries=100_000, rows=100_000 * 50)
    made.seen(entries=100_000, rows=100_000 * 50)
    assert 340 <= made.measure(2.0, 7).rows <= 350


def test_catching_up_begins_with_the_first_rows_stored_after_an_outage() -> None:
    made = CatchUp(few=100)
    made.seen(entries=1, rows=10)
    assert not made.measure(0.0, 1000).catching_up
    made.stored(50)
    assert made.measure(1.0, 995).catching_up


def test_time_left_follows_from_how_fast_what_is_left_shrinks_not_from_how_fast_rows_are_stored() -> None:
    made = caught(1000)
    made.measure(60.0, 990)
    made.stored(500)
    told = made.measure(61.0, 960)  # 500 stored, 200 came in
    assert told == Waiting(rows=9600, catching_up=True, rate=300.0, eta_s=9600 / 200)


def test_no_end_is_in_sight_where_more_comes_in_than_is_stored() -> None:
    made = caught(1000)
    made.measure(60.0, 990)
    made.stored(10)
    told = made.measure(61.0, 1100)
    assert (told.catching_up, told.eta_s) == (True, None)


def test_it_has_caught_up_once_few_rows_wait() -> None:
    made = caught(1000)
    assert made.measure(60.0, 990).catching_up
    assert made.measure(61.0, 11).catching_up
    assert not made.measure(62.0, 10).catching_up


def test_many_rows_that_wait_without_an_outage_before_are_not_caught_up() -> None:
    made = caught(1000)
    made.measure(60.0, 0)
    made.stored(1)
    assert not made.measure(61.0, 10_000).catching_up


def test_rows_stored_just_before_an_outage_do_not_end_it() -> None:
    made = caught(1000)
    made.measure(60.0, 900)
    made.stored(10)
    made.troubled()
    assert not made.measure(61.0, 900).catching_up
    made.stored(10)
    assert made.measure(62.0, 900).catching_up


def test_what_waits_is_said_in_words() -> None:
    told = {"pending": 90_000, "catching_up": True, "rate": 1234.5, "eta_s": 73.4}
    assert waiting(told) == "catching up: 90000 rows left, 1234/s, about 0:01:13 to go"
    assert waiting({**told, "eta_s": None}) == "catching up: 90000 rows left, 1234/s, no end in sight"
    assert waiting({**told, "catching_up": False}) == "90000 rows wait"
    assert waiting({**told, "catching_up": False, "pending": 0}) == ""
