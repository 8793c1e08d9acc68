"""The thread that fetches an earlier run's candles and ticks, on a real store."""

import queue
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tickwire.actors.ports import StoreMisconfigured, StoreUnavailable
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle, CandlesRestored, TicksRestored
from tickwire.runtime.stores import restorer
from tickwire.runtime.stores.restorer import StoreRestorer
from tickwire.runtime.stores.sqlite import SqliteStore

pytestmark = pytest.mark.timeout(60)

START_US = 1_756_866_780_000_000
PATIENCE_S = 30.0


def minute(number: int) -> Candle:
    return Candle(
        timestamp=START_US // 1_000_000 + 60 * number, open=1.5, high=1.5, low=1.5, close=1.5, volume=0.0,
        is_closed=True, timeframe="1m", ticks=9, quality="live",
    )  # fmt: skip


def row(number: int, us: int) -> Row:
    return Row(f"01993a00-0000-8000-8000-{number:012d}", "A", f"1.{10000 + number}", us, us, "pocketoption")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = SqliteStore(tmp_path / "ticks.db")
    store.write_candles([CandleRow("A", minute(number)) for number in range(300)])
    # Two of one stamp stand where a chunk ends.
    stamps = [START_US + number * 1000 for number in range(2500)]
    stamps[1000] = stamps[999]
    store.write([row(number, us) for number, us in enumerate(stamps)])
    store.close()
    return tmp_path / "ticks.db"


def test_the_last_candles_of_a_timeframe_are_told(path: Path) -> None:
    told: queue.Queue[object] = queue.Queue()
    source = StoreRestorer(lambda: SqliteStore(path), told.put)
    source.candles("NOBODY", "1m", 200)
    source.candles("A", "1m", 200)
    answer = told.get(timeout=PATIENCE_S)
    source.close()
    assert answer == CandlesRestored(asset="A", timeframe="1m", candles=[minute(number) for number in range(100, 300)])


def test_the_ticks_of_a_hole_are_told_in_pieces_that_part_no_stamp(path: Path) -> None:
    told: queue.Queue[object] = queue.Queue()
    source = StoreRestorer(lambda: SqliteStore(path), told.put)
    source.ticks("A", START_US - 5000, START_US + 2_400_000)
    answers: list[TicksRestored] = []
    while sum(len(answer.found) for answer in answers) < 2400:
        answer = told.get(timeout=PATIENCE_S)
        assert isinstance(answer, TicksRestored)
        answers.append(answer)
    source.close()
    assert [len(answer.found) for answer in answers] == [1001, 1000, 399]
    assert answers[0].from_us == START_US - 5000
    assert [answer.from_us for answer in answers[1:]] == [answer.found[-1][0] for answer in answers[:-1]]
    assert [price for answer in answers for _, price in answer.found] == [
        row(number, 0).price.rstrip("0") for number in range(2400)
    ]


class Failing(SqliteStore):
    """Fails as told, call by call, then works."""

    def __init__(self, path: Path, errors: list[Exception]) -> None:
        super().__init__(path)
        self._errors = errors

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        if self._errors:
            raise self._errors.pop(0)
        return super().candles(asset, timeframe, from_ts, until_ts, limit)


def asked(path: Path, errors: list[Exception]) -> tuple[StoreRestorer, Callable[[], object]]:
    told: queue.Queue[object] = queue.Queue()
    source = StoreRestorer(lambda: Failing(path, errors), told.put)
    source.candles("A", "1m", 1)
    return source, lambda: told.get(timeout=PATIENCE_S)


def test_a_store_that_is_away_is_asked_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorer, "RETRY_S", 0.01)
    source, answer = asked(path, [StoreUnavailable("away"), StoreUnavailable("away")])
    assert answer() == CandlesRestored(asset="A", timeframe="1m", candles=[minute(299)])
    source.close()


def test_a_store_without_a_table_of_candles_is_not_asked_again_and_the_next_question_is(path: Path) -> None:
    source, answer = asked(path, [StoreMisconfigured("no table; run `tickwire migrate` with this store")])
    source.candles("A", "1m", 2)
    found = answer()
    source.close()
    assert isinstance(found, CandlesRestored)
    assert len(found.candles) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_question_that_it_can_not_survive_is_the_only_one_without_an_answer(path: Path) -> None:
    source, answer = asked(path, [ArithmeticError("a fault of ours")])
    first = source._thread
    assert first is not None
    first.join(PATIENCE_S)
    source.candles("A", "1m", 2)
    found = answer()
    source.close()
    assert isinstance(found, CandlesRestored)
    assert len(found.candles) == 2


def test_what_is_not_begun_when_it_closes_is_not_told(path: Path) -> None:
    told: queue.Queue[object] = queue.Queue()
    source = StoreRestorer(lambda: SqliteStore(path), told.put)
    source.close()
    source.candles("A", "1m", 200)
    thread = source._thread
    assert thread is not None
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert told.empty()


def test_a_candle_is_no_other_for_being_stored(path: Path) -> None:
    store = SqliteStore(path)
    odd = replace(minute(400), open=0.1 + 0.2, high=1 / 3, low=1e-9, close=0.30000000000000004, quality="gap")
    store.write_candles([CandleRow("A", odd)])
    assert list(store.candles("A", "1m", odd.timestamp, odd.timestamp + 1, 1)) == [odd]
    store.close()
