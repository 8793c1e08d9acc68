"""How candles and ticks are read out of a store: kept ones first, ticks for what lacks, in pages that fit together."""

import uuid
from collections.abc import Callable, Sequence

import pytest
from support.pocketoption_oracle import candles_of
from support.store_doubles import MemoryStore, MemoryTable

from tickwire.actors.ports import StoreMisconfigured
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.messages.history import HistoryLoaded, StoreQuestion, TicksLoaded
from tickwire.runtime.stores import reading
from tickwire.runtime.stores.reading import walk

US = 1_000_000
BEGIN = 1_756_866_600
"""A whole minute."""
NOW_S = BEGIN + 100_000


def kept(*timestamps: int, timeframe: str = "1m", ticks: int = 100) -> list[Candle]:
    return [
        Candle(
            timestamp=at, open=2.0, high=3.0, low=1.0, close=2.5, volume=0, is_closed=True, timeframe=timeframe,
            ticks=ticks, quality="live",
        )
        for at in timestamps
    ]  # fmt: skip


def table_of(ticks: Sequence[tuple[int, float]] = (), candles: Sequence[Candle] = ()) -> MemoryTable:
    table = MemoryTable()
    table.rows += [
        Row(uid=str(uuid.UUID(int=i)), pair="A", price=repr(price), ts_us=us, recv_us=us, source="pocketoption")
        for i, (us, price) in enumerate(ticks)
    ]
    table.store().write_candles([CandleRow("A", candle) for candle in candles])
    return table


def seconds_of_ticks(first: int, count: int) -> list[tuple[int, float]]:
    return [((first + i) * US, (1000 + i * 7919 % 1000) / 1000) for i in range(count)]


def stands_still() -> float:
    return 0.0


def read(table: MemoryTable, limit: int, since: int | None = None, until: int | None = None, *, timeframe: str = "1m",
         monotonic: Callable[[], float] = stands_still) -> HistoryLoaded:  # fmt: skip
    question = StoreQuestion(
        asset="A", timeframe=timeframe, limit=limit,
        from_us=None if since is None else since * US, until_us=None if until is None else until * US,
    )  # fmt: skip
    answer = finish(table.store(), question, monotonic)
    assert isinstance(answer, HistoryLoaded)
    return answer


def finish(
    store: MemoryStore, question: StoreQuestion, monotonic: Callable[[], float] = stands_still
) -> HistoryLoaded | TicksLoaded:
    steps = walk(store, question, NOW_S, monotonic)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            answer: HistoryLoaded | TicksLoaded = done.value
            return answer


def opened(answer: HistoryLoaded) -> list[int]:
    return [candle.timestamp for candle in answer.candles]


def test_two_hundred_days_come_from_the_kept_candles() -> None:
    day = 86_400
    first = BEGIN // day * day - 300 * day
    table = table_of(candles=kept(*(first + i * day for i in range(300)), timeframe="1d"))
    answer = read(table, 200, timeframe="1d")
    assert opened(answer) == [first + i * day for i in range(100, 300)]
    assert answer.older


def test_what_the_table_lacks_is_made_of_ticks_before_between_and_after_the_kept_ones() -> None:
    ticks = seconds_of_ticks(BEGIN, 600)
    table = table_of(ticks, kept(BEGIN + 120, BEGIN + 180, BEGIN + 360))
    answer = read(table, 100)
    assert opened(answer) == [BEGIN + 60 * i for i in range(10)]
    assert not answer.older
    assert (read(table, 10).older, read(table, 9).older) == (False, True)
    made = {c.timestamp: (c.open, c.high, c.low, c.close) for c in answer.candles if c.quality == "backfilled"}
    whole = candles_of(ticks, 60)
    assert made == {at: prices for at, prices in whole.items() if at not in (BEGIN + 120, BEGIN + 180, BEGIN + 360)}
    assert all(candle.ticks == 60 for candle in answer.candles if candle.quality == "backfilled")


def test_a_store_without_the_table_answers_from_its_ticks() -> None:
    table = table_of(seconds_of_ticks(BEGIN, 120))
    table.candle_fault = StoreMisconfigured("no table candles")
    assert opened(read(table, 100)) == [BEGIN, BEGIN + 60]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("table", [
    table_of(seconds_of_ticks(BEGIN, 1200)),
    table_of(candles=kept(*range(BEGIN, BEGIN + 1200, 60))),
    table_of(seconds_of_ticks(BEGIN, 1200), kept(*range(BEGIN + 300, BEGIN + 900, 120))),
], ids=["ticks", "kept", "both"])  # fmt: skip
def test_pages_give_every_candle_once(table: MemoryTable, limit: int) -> None:
    got: list[int] = []
    until: int | None = None
    for _ in range(100):
        answer = read(table, limit, until=until)
        assert len(answer.candles) <= limit
        got = opened(answer) + got
        if not answer.older:
            break
        until = got[0]
    assert got == list(range(BEGIN, BEGIN + 1200, 60))


def test_a_range_takes_the_candles_that_open_in_it_whole() -> None:
    table = table_of(seconds_of_ticks(BEGIN, 600))
    answer = read(table, 100, BEGIN + 61, BEGIN + 181)
    assert opened(answer) == [BEGIN + 120, BEGIN + 180]
    assert [candle.ticks for candle in answer.candles] == [60, 60]
    assert not answer.older
    newest = read(table, 1, BEGIN + 61, BEGIN + 181)
    assert (opened(newest), newest.older) == ([BEGIN + 180], True)


def test_a_question_that_takes_too_long_ends_early_with_whole_candles_and_the_next_page_goes_on() -> None:
    table = table_of(seconds_of_ticks(BEGIN, 3 * reading.SLICE_TICKS))
    every = list(range(BEGIN, BEGIN + 3 * reading.SLICE_TICKS, 60))
    late = iter([0.0, *[reading.BUDGET_S] * 1000])
    first = read(table, 5000, monotonic=lambda: next(late))
    assert first.older
    assert 0 < len(first.candles) < len(every)
    assert all(candle.ticks == 60 for candle in first.candles)
    rest = read(table, 5000, until=first.candles[0].timestamp)
    assert opened(rest) + opened(first) == every


def test_a_bucket_with_more_ticks_than_a_question_may_read_is_partial_and_does_not_stop_the_pages() -> None:
    table = table_of(seconds_of_ticks(BEGIN // 86_400 * 86_400, 2 * reading.SLICE_TICKS))
    late = iter([0.0, *[reading.BUDGET_S] * 1000])
    (candle,) = read(table, 5, timeframe="1d", monotonic=lambda: next(late)).candles
    assert candle.quality == "partial"
    after = read(table, 5, until=candle.timestamp, timeframe="1d")
    assert (opened(after), after.older) == ([], False)


def test_a_slow_store_is_asked_on_until_there_is_something_to_page_from() -> None:
    late = iter([0.0, *[reading.BUDGET_S] * 1000])
    answer = read(table_of(candles=kept(BEGIN, BEGIN + 120)), 5, monotonic=lambda: next(late))
    assert (opened(answer), answer.older) == ([BEGIN + 120], True)


def test_many_ticks_of_one_stamp_are_read_whole() -> None:
    same = [(BEGIN * US, 1.0 + i / 1e6) for i in range(3 * reading.SLICE_TICKS)]
    (candle,) = read(table_of([*same, ((BEGIN + 1) * US, 9.0)]), 10).candles
    assert candle.ticks == len(same) + 1
    assert (candle.open, candle.close) == (1.0, 9.0)


@pytest.mark.parametrize("limit", [1, 4, 10, 1000])
def test_pages_of_ticks_never_part_those_of_one_stamp(limit: int) -> None:
    ticks = [((BEGIN + i // 3) * US, 1.0 + i / 1000) for i in range(60)]
    store = table_of(ticks).store()
    got: list[tuple[int, str]] = []
    until: int | None = None
    for _ in range(100):
        answer = finish(store, StoreQuestion(asset="A", timeframe=None, limit=limit, until_us=until))
        assert isinstance(answer, TicksLoaded)
        got = [*answer.rows, *got]
        if not answer.older:
            break
        until = got[0][0]
    assert [(us, float(text)) for us, text in got] == ticks
