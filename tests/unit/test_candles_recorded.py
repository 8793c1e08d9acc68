"""Candles of real recordings, made as a replay makes them, against a computation that knows nothing of them."""

import base64
import csv
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import orjson
import pytest
from support.pocketoption_oracle import OFFSET_S, candles_of, read_session
from support.recordings import recording
from support.wire import binary, text

from tickwire.market.candle_book import CandleBook
from tickwire.market.offset import OffsetEstimator
from tickwire.market.pipeline import FeedMemory, FeedPipeline, PipelineSettings
from tickwire.market.timeframes import SECONDS
from tickwire.market.wire import CandleRows, HistoryRows, LiveRows
from tickwire.market.wire.pocketoption import PocketOptionDecoder
from tickwire.messages.candles import Candle
from tickwire.messages.ticks import BackfillReceived, TicksReceived
from tickwire.runtime.feeds.csv_ticks import CsvTicks, split_rows

TICKS = (
    "AEDCNY_otc_20251013.csv", "AUDCAD_otc_20251020.csv", "CADJPY_otc_20251013.csv", "DOGE_otc_20251011.csv",
    "EURUSD_otc_20251015.csv", "EURUSD_otc_subsecond.csv",
)  # fmt: skip
SESSION = "pocketoption.frames.jsonl"
ASSET = "EURGBP_otc"
Ohlc = tuple[float, float, float, float]


class Relay:
    """Pipeline and candles, joined as the relay joins them."""

    def __init__(self, *, estimates: bool, unique: bool) -> None:
        settings = PipelineSettings(
            sender="s", feed="f", source="pocketoption", unique_stamps=unique, estimates_offset=estimates
        )
        self.book = CandleBook(100_000)
        self._pipeline = FeedPipeline(settings, FeedMemory(), OffsetEstimator())
        self._granted: set[str] = set()

    def live(self, rows: LiveRows, at_us: int) -> None:
        for asset in self._pipeline.live(rows, at_us, at_us):
            if asset not in self._granted:
                self._granted.add(asset)
                self._pipeline.grant(asset, "E", 1)
        self._hand_on()

    def past(self, rows: HistoryRows | CandleRows, at_us: int) -> None:
        self._pipeline.past(rows, at_us, at_us)
        self._hand_on()

    def _hand_on(self) -> None:
        for message in self._pipeline.messages():
            if isinstance(message, BackfillReceived):
                self.book.past(message)
            else:
                assert isinstance(message, TicksReceived)
                self.book.live(message, 1000.0)
        self._pipeline.settle()
        self.book.settle()

    def candles(self, asset: str, timeframe: str) -> list[Candle]:
        known = self.book.get(asset)
        assert known is not None
        return known.candles(timeframe, 100_000)

    def ohlc(self, asset: str, timeframe: str) -> dict[int, Ohlc]:
        return {c.timestamp: (c.open, c.high, c.low, c.close) for c in self.candles(asset, timeframe)}


def rows_of(name: str) -> list[tuple[int, float]]:
    """The ticks of a CSV, read apart from tickwire's own code."""
    ticks: list[tuple[int, float]] = []
    day, before = None, timedelta()
    with recording(f"ticks/{name}").open(newline="") as file:
        for row in csv.reader(file):
            if not row or row[0] in ("timestamp", "time"):
                continue
            stamp, price = row[0], float(row[-1])
            if stamp.endswith("Z"):
                day = day or datetime.strptime(name.split("_")[2].removesuffix(".csv"), "%Y%m%d").replace(tzinfo=UTC)
                clock = datetime.strptime(stamp, "%H:%M:%SZ").replace(tzinfo=UTC) - datetime(1900, 1, 1, tzinfo=UTC)
                day += timedelta(days=1) if before - clock > timedelta(hours=12) else timedelta()
                before = clock
                us = round((day + clock).timestamp()) * 1_000_000
            elif ":" in stamp:
                us = round(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) * 1_000_000
            else:
                us = round(float(stamp) * 1e6)
            ticks.append((us, price))
    return ticks


def replayed(name: str) -> Iterator[LiveRows]:
    """The rows that a replay's frames carry."""
    with recording(f"ticks/{name}").open("rb") as file:
        rows = split_rows(file)
        for tick in CsvTicks(name, next(rows), None, None).ticks(rows):
            ((asset, stamp, price),) = orjson.loads(tick.payload)
            yield LiveRows([asset], [stamp], [price])


def joined(rows: Sequence[LiveRows]) -> LiveRows:
    return LiveRows(
        [row.assets[0] for row in rows], [row.stamps[0] for row in rows], [row.prices[0] for row in rows]
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 700])
@pytest.mark.parametrize("name", TICKS)
def test_a_recordings_candles_are_those_of_its_own_stamps(name: str, size: int) -> None:
    ticks, relay, rows = rows_of(name), Relay(estimates=False, unique=False), list(replayed(name))
    assert len(rows) == len(ticks) > 5000
    for begin in range(0, len(rows), size):
        relay.live(joined(rows[begin : begin + size]), 1_790_000_000_000_000 + begin)
    asset = name.split("_")[0] + "_otc"
    for timeframe, seconds in SECONDS.items():
        assert relay.ohlc(asset, timeframe) == candles_of(ticks, seconds)
        assert sum(candle.ticks for candle in relay.candles(asset, timeframe)) == len(ticks)
    assert (relay.book.late, relay.book.ahead) == (0, 0)


def test_the_recordings_have_what_makes_candles_hard() -> None:
    """Shared seconds, steps back, midnight and a pause: or the test above would prove less than it says."""
    all_ticks = {name: [us for us, _ in rows_of(name)] for name in TICKS}
    assert all(len(set(stamps)) < len(stamps) for stamps in all_ticks.values())
    steps = {name: [b - a for a, b in pairwise(us)] for name, us in all_ticks.items()}
    assert min(steps["EURUSD_otc_subsecond.csv"]) < 0
    midnight = all_ticks["AUDCAD_otc_20251020.csv"]
    assert len({us // 86_400_000_000 for us in midnight}) == 2
    assert max(steps["AUDCAD_otc_20251020.csv"]) > 60_000_000


@pytest.fixture(scope="module")
def session() -> Relay:
    relay, decoder = Relay(estimates=True, unique=True), PocketOptionDecoder(recorded=True)
    for line in recording(SESSION).read_text().splitlines():
        frame = json.loads(line)
        data, at_us = frame["data"], round(frame["t"] * 1e6)
        wire = text(data) if frame["type"] == "text" else binary(base64.b64decode(data))
        for event in decoder.receive([wire]):
            if isinstance(event, LiveRows):
                relay.live(event, at_us)
            elif isinstance(event, HistoryRows | CandleRows):
                relay.past(event, at_us)
    return relay


def the_brokers() -> dict[int, Ohlc]:
    """Its one-minute candles of the asset, in UTC."""
    found, event = {}, ""
    for line in recording(SESSION).read_text().splitlines():
        frame = json.loads(line)
        if frame["type"] == "text":
            event = frame["data"].split('"')[1] if frame["data"].startswith("451-") else ""
            continue
        body = json.loads(base64.b64decode(frame["data"]))
        if event == "updateHistoryNewFast":
            for start, opened, closed, high, low in body["candles"]:
                found[start - OFFSET_S] = (opened, high, low, closed)
        elif event == "loadHistoryPeriodFast":
            for row in body["data"]:
                found[row["time"] - OFFSET_S] = (row["open"], row["high"], row["low"], row["close"])
    return found


def known_ticks(asset: str) -> list[tuple[int, float]]:
    distinct = sorted({(us, price) for name, us, price in read_session(recording(SESSION)).distinct() if name == asset})
    return [(round((stamp - OFFSET_S) * 1e6), price) for stamp, price in distinct]


def test_minutes_of_the_session_are_the_ticks_where_they_are_whole_and_the_brokers_before(session: Relay) -> None:
    ticks, brokers = known_ticks(ASSET), the_brokers()
    whole = {at: bar for at, bar in candles_of(ticks, 60).items() if at * 1_000_000 >= ticks[0][0]}
    assert len(whole) >= 12
    assert len(brokers) > 200
    expected = brokers | whole
    assert session.ohlc(ASSET, "1m") == expected
    assert len(whole.keys() & brokers.keys()) >= 5
    qualities = {candle.timestamp: candle.quality for candle in session.candles(ASSET, "1m")[:-1]}
    assert set(qualities.values()) == {"backfilled"}


@pytest.mark.parametrize("timeframe", ["5m", "15m", "30m", "1h", "4h", "1d"])
def test_longer_candles_of_the_session_are_made_of_its_minutes(session: Relay, timeframe: str) -> None:
    groups: dict[int, list[Ohlc]] = {}
    for at, bar in sorted(session.ohlc(ASSET, "1m").items()):
        groups.setdefault(at // SECONDS[timeframe] * SECONDS[timeframe], []).append(bar)
    assert session.ohlc(ASSET, timeframe) == {
        start: (bars[0][0], max(bar[1] for bar in bars), min(bar[2] for bar in bars), bars[-1][3])
        for start, bars in groups.items()
    }


def test_the_base_of_the_session_counts_each_tick_once_live_or_in_history_or_both(session: Relay) -> None:
    ticks = known_ticks(ASSET)
    assert len(ticks) == 1659 + 91 - 4
    assert session.ohlc(ASSET, "15s") == candles_of(ticks, 15)
    assert sum(candle.ticks for candle in session.candles(ASSET, "15s")) == len(ticks)


def test_assets_of_the_session_that_have_no_history_are_their_few_live_ticks(session: Relay) -> None:
    others = {name for name, _, _ in read_session(recording(SESSION)).live} - {ASSET}
    assert len(others) == 14
    for asset in others:
        ticks = known_ticks(asset)
        for timeframe, seconds in SECONDS.items():
            assert session.ohlc(asset, timeframe) == candles_of(ticks, seconds)
