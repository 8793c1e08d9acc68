"""The candles of all assets: it costs what changes, and forgets who is least used."""

import pytest
from support.ticks import backfill, columns, received

from tickwire.market.candle_book import MOST_CLOSES, CandleBook
from tickwire.market.candles import AssetCandles
from tickwire.market.timeframes import TIMEFRAMES


def test_past_its_bound_the_asset_least_recently_used_goes_and_its_unwritten_keys_with_it() -> None:
    book = CandleBook(10, most=3)
    for place, name in enumerate(("first", "second", "third")):
        book.live(received(place + 1, columns(name, 1, 1), columns(name, 20_000, 1)), 0.0)
    book.settle()
    assert {name for name, _ in book.unwritten} == {"first", "second", "third"}
    book.live(received(4, columns("first", 20_001, 1)), 0.0)
    assert book.get("second") is not None
    book.live(received(5, columns("fourth", 1, 1)), 0.0)
    assert [book.peek(name) is not None for name in ("first", "second", "third", "fourth")] == [True, True, False, True]
    assert {name for name, _ in book.unwritten} == {"first", "second"}
    book.elapse(10_000.0)
    book.settle()
    assert book.peek("third") is None


def test_only_assets_that_something_happened_to_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    book = CandleBook(10)
    for number in range(50):
        book.live(received(number + 1, columns(f"A{number}", 1, 1)), 100.0)
    book.settle()
    looked_at: list[AssetCandles] = []
    due = AssetCandles.due

    def watched(asset: AssetCandles) -> float | None:
        looked_at.append(asset)
        return due(asset)

    monkeypatch.setattr(AssetCandles, "due", watched)
    book.live(received(51, columns("A7", 2, 1)), 100.0)
    book.elapse(100.5)
    book.settle()
    assert looked_at == [book.peek("A7")]


def test_when_all_fall_silent_their_candles_close_a_few_a_call_and_all_in_the_end() -> None:
    book = CandleBook(10)
    for number in range(100):
        book.live(received(number + 1, columns(f"A{number}", 1, 1)), 100.0)
    book.settle()
    due = book.due()
    assert due is not None
    book.elapse(due - 1.0)
    assert book.settle() == []
    closed: list[str] = []
    for _ in range(100):
        book.elapse(due + 0.1)
        told = [name for name, candle in book.settle() if candle.timeframe == "15s"]
        assert len(told) <= MOST_CLOSES
        closed += told
    assert sorted(closed) == sorted(f"A{number}" for number in range(100))


def test_a_fast_replay_leaves_no_pile_of_alarms_and_its_last_candle_closes_in_time() -> None:
    book = CandleBook(10)
    now = 100.0
    for number in range(5000):
        now += 0.001
        book.live(received(number + 1, columns("A", 6000 + number * 100, 1)), now)
        book.elapse(now)
        book.settle()
        assert len(book._alarms) <= 4 + 64
    due = book.due()
    assert due is not None
    assert now < due < now + 17.1
    book.elapse(now + 17.1)
    assert [candle.timeframe for _, candle in book.settle()][:1] == ["15s"]


def test_what_is_adopted_is_unwritten_at_once() -> None:
    book, other = CandleBook(10), CandleBook(10)
    other.past(backfill(1, "A", 1, 60_000))
    known = other.peek("A")
    assert known is not None
    book.adopt("A", "15s", [candle for candle in known.candles("15s", 100) if candle.is_closed])
    assert ("A", TIMEFRAMES.index("15s")) in book.unwritten
