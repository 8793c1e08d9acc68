"""Every recording in random orders of arrival within the lateness, against a computation that knows nothing of them.

What the book shows, and what is left in a store whose writes came in any order and more than once, must both be it.
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random

import pytest
from support.pocketoption_oracle import OFFSET_S, candles_of, read_session
from support.recordings import recording
from support.ticks import START_US

from tickwire.market.candle_book import CandleBook
from tickwire.market.candle_rows import CandleRow, best
from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle
from tickwire.messages.ticks import BackfillReceived, BrokerCandles, HistoryColumns, TickColumns, TicksReceived

pytestmark = pytest.mark.timeout(110)

LATEST_US = 9_900_000
US = 1_000_000
Tick = tuple[int, str]
"""µs UTC, price text."""
Ticks = dict[str, list[Tick]]


def csv_ticks(name: str) -> Ticks:
    """Any CSV of ticks: its rows half a second apart where a row's own time has no date."""
    ticks: list[Tick] = []
    for place, line in enumerate(recording(f"ticks/{name}").read_text().split("\n")):
        stamp, *_, price = line.strip().split(",") if "," in line else ("time", "")
        if stamp in ("time", "timestamp"):
            continue
        us = round(float(stamp) * 1e6) if re.fullmatch(r"[0-9.]+", stamp) else START_US + place * 480_000
        ticks.append((us, price))
    return {name.split("_")[0]: ticks}


def session_ticks(name: str) -> Ticks:
    found: Ticks = defaultdict(list)
    for asset, stamp, price in sorted(read_session(recording(name)).distinct()):
        found[asset].append((round((stamp - OFFSET_S) * 1e6), repr(price)))
    return dict(found)


def exchange_ticks(name: str) -> Ticks:
    found: Ticks = defaultdict(list)
    for line in gzip.decompress(recording(f"exchanges/{name}").read_bytes()).decode().splitlines():
        _, brace, text = line.partition("{")
        try:
            event = json.loads(brace + text)
        except json.JSONDecodeError:
            continue
        if event.get("type") in ("match", "last_match"):
            us = round(datetime.fromisoformat(event["time"]).timestamp() * 1e6)
            found[event["product_id"]].append((us, event["price"]))
        elif event.get("event") == "trade":
            found[event["channel"]].append((int(event["data"]["microtimestamp"]), event["data"]["price_str"]))
        elif event.get("e") == "aggTrade" or event.get("data", {}).get("e") == "aggTrade":
            trade = event if event.get("e") == "aggTrade" else event["data"]
            found[trade["s"]].append((trade["T"] * 1000, trade["p"]))
    return dict(found)


RECORDINGS: dict[str, tuple[Callable[[str], Ticks], int]] = {
    "AEDCNY_otc_20251013.csv": (csv_ticks, 10_517),
    "AUDCAD_otc_20251020.csv": (csv_ticks, 9_699),
    "CADJPY_otc_20251013.csv": (csv_ticks, 29_000),
    "DOGE_otc_20251011.csv": (csv_ticks, 9_330),
    "EURUSD_otc_20251015.csv": (csv_ticks, 5_582),
    "EURUSD_otc_subsecond.csv": (csv_ticks, 25_297),
    "pocketoption.frames.jsonl": (session_ticks, 1_803),
    "COINBASE.ws.28.0.gz": (exchange_ticks, 107),
    "BITSTAMP.ws.1.0.gz": (exchange_ticks, 10),
    "BINANCE.ws.1.0.gz": (exchange_ticks, 2),
    "KRAKEN.ws.50.0.gz": (exchange_ticks, 0),
}
"""How each is read, and how many ticks it is known to hold."""


def ticks_of(name: str) -> Ticks:
    read, _ = RECORDINGS[name]
    return read(name)


@pytest.mark.parametrize("name", RECORDINGS)
def test_all_ticks_of_the_recordings_take_part(name: str) -> None:
    assert sum(map(len, ticks_of(name).values())) == RECORDINGS[name][1]


def arriving(ticks: Sequence[Tick], random: Random) -> list[Tick]:
    """In an order in which no tick is later than the lateness behind one that came before it."""
    delays = [random.choice((0, random.randrange(LATEST_US))) for _ in ticks]
    order = sorted(range(len(ticks)), key=lambda place: ticks[place][0] + delays[place])
    return [ticks[place] for place in order]


class Feed:
    """Hands an asset's ticks to a book in columns of random length."""

    def __init__(self, book: CandleBook, asset: str) -> None:
        self.book = book
        self.asset = asset
        self._seq = 1

    def live(self, ticks: Sequence[Tick]) -> None:
        columns = TickColumns(
            asset=self.asset, epoch="e", first_seq=self._seq, offset_us=0, ts_us=[us for us, _ in ticks],
            stamps=[str(us) for us, _ in ticks], prices=[price for _, price in ticks], ordinals=[0] * len(ticks),
            encoded=[b""] * len(ticks),
        )  # fmt: skip
        self._seq += len(ticks)
        message = TicksReceived(
            sender="s", number=self._seq, feed="f", source="x", recv_us=ticks[0][0], ticks=len(ticks), columns=[columns]
        )
        self.book.live(message, 1000.0)
        self.book.settle()

    def past(self, ticks: Sequence[Tick], candles: Sequence[BrokerCandles] = ()) -> None:
        columns = HistoryColumns(
            asset=self.asset, offset_us=0, ts_us=[us for us, _ in ticks], stamps=[str(us) for us, _ in ticks],
            prices=[price for _, price in ticks], ordinals=[0] * len(ticks),
        )  # fmt: skip
        message = BackfillReceived(
            sender="s", number=1, feed="f", source="x", recv_us=START_US, ticks=len(ticks),
            columns=[columns] if ticks else [], candles=candles,
        )  # fmt: skip
        self.book.past(message)
        self.book.settle()

    def candles(self, timeframe: str) -> list[Candle]:
        known = self.book.get(self.asset)
        assert known is not None
        return known.candles(timeframe, 100_000)


def play(ticks: Sequence[Tick], random: Random) -> tuple[Feed, list[CandleRow]]:
    """A feed that has brought all of them, and what was handed on for the store, in the order it came."""
    feed, handed_on = Feed(CandleBook(100_000), "A"), list[CandleRow]()
    begin = 0
    while begin < len(ticks):
        end = begin + random.choice((1, 3, random.randrange(1, 400)))
        feed.live(ticks[begin:end])
        handed_on += [CandleRow(asset, candle) for asset, candle in feed.book.take_made()]
        begin = end
    return feed, handed_on


def ohlc(candles: Sequence[Candle]) -> dict[int, tuple[float, float, float, float]]:
    return {c.timestamp: (c.open, c.high, c.low, c.close) for c in candles}


CASES = [(name, seed) for name, (_, count) in RECORDINGS.items() for seed in (1, 2) if count]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_any_order_of_arrival_gives_the_same_candles_shown_and_stored(name: str, seed: int) -> None:
    random = Random(seed)
    for ticks in ticks_of(name).values():
        came = arriving(sorted(ticks, key=lambda tick: tick[0]), random)
        feed, handed_on = play(came, random)
        known = feed.book.get("A")
        assert known is not None
        assert (feed.book.late, feed.book.ahead) == (0, 0)
        random.shuffle(handed_on)
        stored = best([*handed_on, *handed_on[: len(handed_on) // 2]])
        for timeframe, seconds in SECONDS.items():
            expected = candles_of([(us, float(price)) for us, price in came], seconds)
            shown = feed.candles(timeframe)
            assert ohlc(shown) == expected, timeframe
            assert sum(candle.ticks for candle in shown) == len(ticks)
            assert {candle.quality for candle in shown[2:]} <= {"live"}, "the first tick to come may be of the second"
            closed = [candle for candle in shown if candle.is_closed]
            rows = sorted(
                (row.candle for row in stored if row.candle.timeframe == timeframe), key=lambda c: c.timestamp
            )
            assert rows == closed, timeframe


@pytest.mark.parametrize("name", [name for name, (_, count) in RECORDINGS.items() if count > 1000])
def test_no_candle_is_where_no_tick_is(name: str) -> None:
    """Every third minute is taken out of the recording: nothing flat is put in its place, whatever the clock says."""
    for ticks in ticks_of(name).values():
        kept = sorted(tick for tick in ticks if tick[0] // US // 60 % 3)
        if not kept:
            continue
        feed = Feed(CandleBook(100_000), "A")
        now = 1000.0
        for begin in range(0, len(kept), 50):
            feed.live(kept[begin : begin + 50])
            now += 30.0
            feed.book.elapse(now)
        for timeframe, seconds in SECONDS.items():
            expected = {us // US // seconds * seconds for us, _ in kept}
            assert {candle.timestamp for candle in feed.candles(timeframe)} == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", [name for name, (_, count) in RECORDINGS.items() if count > 5000])
def test_ticks_win_over_the_brokers_candles_where_they_cover_the_bucket(name: str, seed: int) -> None:
    """The broker's candles are absurd here, so that none can pass for one of ticks."""
    random = Random(seed)
    ((_, ticks),) = ticks_of(name).items()
    ticks = sorted(ticks)[: random.randrange(1500, 4000)]
    minutes = sorted({us // US // 60 * 60 for us, _ in ticks})
    absurd = BrokerCandles(asset="A", period_s=60, rows=[(at, 7e6, 9e6, 5e6, 8e6) for at in minutes])
    feed = Feed(CandleBook(100_000), "A")
    split = random.randrange(len(ticks))
    steps: list[Callable[[], None]] = [
        lambda: feed.past([], [absurd]),
        lambda: feed.past(ticks[: split + random.randrange(1, 300)]),
        lambda: feed.live(ticks[split:]),
    ]
    random.shuffle(steps)
    for step in steps:
        step()
    expected = candles_of([(us, float(price)) for us, price in ticks], 60)
    shown = ohlc(feed.candles("1m"))
    covered = [at for at in minutes if ticks[0][0] <= at * US and (at + 60) * US <= ticks[-1][0]]
    assert len(covered) >= 5
    assert {at: shown[at] for at in covered} == {at: expected[at] for at in covered}
    if ticks[0][0] > minutes[0] * US:
        assert shown[minutes[0]] == (7e6, 9e6, 5e6, 8e6)
