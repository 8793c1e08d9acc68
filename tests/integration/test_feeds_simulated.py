"""The simulated broker, seen by a client that speaks PocketOption's frames by hand."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import orjson
import pytest
from support.feeds_clients import RealClock, SteppedClock
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tickwire.actors.ports import Clock
from tickwire.runtime.feeds.simulated import SimulatedBroker
from tickwire.runtime.feeds.walk import Walk

pytestmark = pytest.mark.timeout(60)

ASSETS = ("EURUSD_otc", "#AAPL_otc", "USDJPY")
DEADLINE_S = 10.0


@contextmanager
def broker(clock: Clock, *, rate: float = 2.0, session: str | None = None, seed: int = 7) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker(ASSETS, rate, clock=clock, session=session, seed=seed)
    made.start()
    try:
        yield made
    finally:
        made.stop()


class Trader:
    """A client by hand."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pings = 0
        self.answers_pings = True

    def say(self, name: str, value: object) -> None:
        self._connection.send("42" + orjson.dumps([name, value]).decode())

    def hear(self) -> str | bytes:
        """The next message; Engine.IO's pings are answered on the way."""
        while (message := self._connection.recv(DEADLINE_S)) == "2":
            self.pings += 1
            if self.answers_pings:
                self._connection.send("3")
        return message

    def send(self, message: str | bytes) -> None:
        self._connection.send(message)

    def event(self) -> tuple[str, Any]:
        """The next binary event: its name and what is attached."""
        header = self.hear()
        assert isinstance(header, str), header
        assert header.startswith("451-["), header
        name, placeholder = orjson.loads(header[4:])
        assert placeholder == {"_placeholder": True, "num": 0}
        attached = self.hear()
        assert isinstance(attached, bytes)
        return name, orjson.loads(attached)

    def ticks(self, count: int) -> list[tuple[str, float, float]]:
        """So many live ticks; nothing else may come."""
        rows: list[tuple[str, float, float]] = []
        while len(rows) < count:
            name, value = self.event()
            assert name == "updateStream"
            rows += [tuple(row) for row in value]
        return rows

    def nudge(self) -> None:
        """Have the broker look at its clock."""
        self._connection.ping()

    def sign_in(self, session: str = "anything") -> list[Any]:
        """Handshake and auth; returns the rows of updateAssets."""
        hello = self.hear()
        assert isinstance(hello, str)
        assert orjson.loads(hello[1:])["pingInterval"] == 25_000
        self._connection.send("40")
        welcome = self.hear()
        assert isinstance(welcome, str)
        assert welcome.startswith('40{"sid":')
        self.say("auth", {"session": session, "isDemo": 1, "uid": 0, "platform": 2})
        assert self.event()[0] == "successauth"
        name, rows = self.event()
        assert name == "updateAssets"
        return list(rows)


@contextmanager
def trader(made: SimulatedBroker) -> Iterator[Trader]:
    with connect(made.url, compression=None, ping_interval=None, proxy=None, max_size=None) as connection:
        yield Trader(connection)


def test_the_session_opens_and_lists_the_assets() -> None:
    with broker(RealClock()) as made, trader(made) as client:
        rows = client.sign_in()
    assert [(row[1], row[9], row[14]) for row in rows] == [
        ("EURUSD_otc", 1, True),
        ("#AAPL_otc", 1, True),
        ("USDJPY", 0, True),
    ]


@pytest.mark.parametrize("session", ["wrong", "", None])
def test_a_wrong_session_is_refused_and_the_connection_closed(session: str | None) -> None:
    with broker(RealClock(), session="right") as made, trader(made) as client:
        client.hear()
        client.say("auth", {"session": session})
        assert client.hear() == '42["NotAuthorized"]'
        assert client.hear() == "41"
        with pytest.raises(ConnectionClosed):
            client.hear()


def test_the_right_session_is_let_in() -> None:
    with broker(RealClock(), session="right") as made, trader(made) as client:
        assert len(client.sign_in("right")) == 3


def test_nobody_gets_anything_before_signing_in() -> None:
    clock = SteppedClock()
    with broker(clock) as made, trader(made) as client:
        client.hear()
        client.say("subfor", "EURUSD_otc")
        client.say("changeSymbol", {"asset": "EURUSD_otc", "period": 60})
        clock.seconds += 10
        client.say("auth", {"session": "x"})
        assert client.event()[0] == "successauth"
    assert made.sent == {}


def test_history_goes_over_into_the_stream_without_a_hole_or_a_repeat() -> None:
    clock = SteppedClock()
    with broker(clock, rate=2.0) as made, trader(made) as client:
        client.sign_in()
        client.say("changeSymbol", {"asset": "EURUSD_otc", "period": 60})
        name, history = client.event()
        assert (name, history["asset"], history["period"]) == ("updateHistoryNewFast", "EURUSD_otc", 60)
        clock.seconds += 60
        client.nudge()
        live = client.ticks(120)
        client.say("changeSymbol", {"asset": "EURUSD_otc", "period": 60})
        _, later = client.event()
    known = history["history"] + [[stamp, price] for _, stamp, price in live]
    assert later["history"] == known[-len(later["history"]) :]
    stamps = [stamp for stamp, _ in known]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] - stamps[0] > 13 * 60
    now_s = clock.now_us() / 1e6
    assert abs(stamps[-1] - (now_s + 7200)) < 1  # two hours ahead of UTC


def test_candles_agree_with_the_ticks_of_the_same_minutes() -> None:
    with broker(SteppedClock()) as made, trader(made) as client:
        client.sign_in()
        client.say("changeSymbol", {"asset": "USDJPY", "period": 60})
        _, message = client.event()
    candles = {row[0]: row[1:] for row in message["candles"]}
    assert list(candles) == sorted(candles, reverse=True)  # newest first
    assert len(candles) == 97
    minutes: dict[int, list[float]] = {}
    for stamp, price in message["history"]:
        minutes.setdefault(int(stamp // 60) * 60, []).append(price)
    whole = sorted(minutes)[1:-1]
    assert len(whole) >= 11
    for minute in whole:
        prices = minutes[minute]
        assert candles[minute] == [prices[0], prices[-1], max(prices), min(prices)]  # open, close, high, low


def test_a_period_of_history_is_served_ascending() -> None:
    clock = SteppedClock()
    with broker(clock) as made, trader(made) as client:
        client.sign_in()
        now_s = clock.now_us() // 1_000_000 + 7200
        request = {"asset": "#AAPL_otc", "index": 42, "time": now_s, "offset": 9000, "period": 60}
        client.say("loadHistoryPeriod", request)
        name, message = client.event()
    assert (name, message["asset"], message["index"], message["period"]) == (
        "loadHistoryPeriodFast",
        "#AAPL_otc",
        42,
        60,
    )
    times = [candle["time"] for candle in message["data"]]
    assert len(times) == 150
    assert times == list(range(times[0], times[0] + 9000, 60))
    assert now_s - 60 <= times[-1] + 60 <= now_s
    assert all(set(candle) == {"symbol_id", "time", "open", "close", "high", "low"} for candle in message["data"])


def test_only_what_is_wanted_is_streamed() -> None:
    clock = SteppedClock()
    with broker(clock) as made, trader(made) as client:
        client.sign_in()
        client.say("subfor", "EURUSD_otc")
        client.say("subfor", "USDJPY")
        client.say("subfor", "NOSUCH")
        client.say("changeSymbol", {"asset": "#AAPL_otc", "period": 60})
        assert client.event()[0] == "updateHistoryNewFast"
        clock.seconds += 5
        client.nudge()
        assert {asset for asset, _, _ in client.ticks(30)} == set(ASSETS)
        client.say("unsubfor", "USDJPY")
        client.say("loadHistoryPeriod", {"asset": "USDJPY", "time": 1, "offset": 60, "period": 60})
        assert client.event()[0] == "loadHistoryPeriodFast"  # so it has taken note
        clock.seconds += 5
        client.nudge()
        assert {asset for asset, _, _ in client.ticks(20)} == {"EURUSD_otc", "#AAPL_otc"}
    assert sum(made.sent.values()) == 50


@pytest.mark.parametrize("rate", [0.5, 2.0, 333.0, 1000.0])
def test_stamps_are_unique_and_ascending_whatever_the_rate(rate: float) -> None:
    walk = Walk("EURUSD_otc", seed=1, rate=rate)
    first = walk.number_at(1_700_000_000_000)
    stamps = [walk.stamp_ms(number) for number in range(first, first + 5000)]
    assert stamps == sorted(set(stamps))
    assert abs((stamps[-1] - stamps[0]) / 1000 - 5000 / rate) < 2 / rate + 0.01


def test_the_market_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def prices(seed: int, moments: Sequence[int]) -> list[float]:
        walk = Walk("GBPUSD_otc", seed=seed, rate=2)
        return [walk.price_at(ms) for ms in moments]

    moments = range(1_700_000_000_000, 1_700_000_600_000, 500)
    forward = prices(1, moments)
    assert forward == prices(1, list(reversed(moments)))[::-1]
    assert forward != prices(2, moments)
    steps = [abs(after - before) for before, after in pairwise(forward)]
    assert len(set(forward)) > 50  # it moves
    assert max(steps) < 0.001  # in small steps


@pytest.mark.parametrize(
    ("asset", "about"),
    [("EURUSD_otc", 1.0845), ("USDJPY", 149.35), ("EURJPY_otc", 161.97), ("EURGBP", 0.8533), ("AUDCAD_otc", 0.8934)],
)
def test_a_pair_costs_about_what_its_currencies_make_it(asset: str, about: float) -> None:
    assert Walk(asset, seed=1, rate=2).price_at(1_700_000_000_000) == pytest.approx(about, rel=0.02)


def test_many_assets_at_a_high_rate_arrive_whole_and_in_order() -> None:
    clock = SteppedClock()
    with broker(clock, rate=1000.0) as made, trader(made) as client:
        client.sign_in()
        for asset in ASSETS:
            client.say("subfor", asset)
        client.say("loadHistoryPeriod", {"asset": "USDJPY", "time": 1, "offset": 60, "period": 60})
        client.event()
        clock.seconds += 5
        client.nudge()
        rows = client.ticks(15_000)
    for asset in ASSETS:
        stamps = [stamp for name, stamp, _ in rows if name == asset]
        assert len(stamps) == 5_000
        assert stamps == sorted(set(stamps))
    assert made.sent == dict.fromkeys(ASSETS, 5_000)


def test_a_dropped_client_finds_what_it_missed_in_the_history() -> None:
    clock = SteppedClock()
    with broker(clock) as made:
        with trader(made) as client:
            client.sign_in()
            client.say("changeSymbol", {"asset": "EURUSD_otc", "period": 60})
            _, before = client.event()
            made.drop_clients()
            with pytest.raises(ConnectionClosed):
                client.hear()
        clock.seconds += 30
        with trader(made) as client:
            client.sign_in()
            client.say("changeSymbol", {"asset": "EURUSD_otc", "period": 60})
            _, after = client.event()
    place = after["history"].index(before["history"][-1])
    assert len(after["history"]) - place - 1 in (59, 60, 61)


def test_the_broker_pings_and_gives_up_a_client_that_does_not_answer() -> None:
    clock = SteppedClock()
    with broker(clock) as made, trader(made) as client:
        client.sign_in()
        for pings in (1, 2):
            clock.seconds += 25
            for _ in range(2):  # the ping comes before or between the answers, its own answer before the second
                client.say("loadHistoryPeriod", {"asset": "USDJPY", "time": 1, "offset": 60, "period": 60})
                client.event()
            assert client.pings == pings
        client.answers_pings = False
        clock.seconds += 25
        client.nudge()
        while client.pings < 3:
            client.say("loadHistoryPeriod", {"asset": "USDJPY", "time": 1, "offset": 60, "period": 60})
            client.event()
        clock.seconds += 21
        client.nudge()
        with pytest.raises(ConnectionClosed):
            client.hear()


@pytest.mark.parametrize(
    "message", ["42", "42[", '42{"a":1}', "42[]", '42["changeSymbol",5]', "junk", "451-[]", b"\xff"]
)
def test_nonsense_is_left_alone(message: str | bytes) -> None:
    with broker(SteppedClock()) as made, trader(made) as client:
        client.sign_in()
        client.send(message)
        client.say("changeSymbol", {"asset": "EURUSD_otc", "period": 60})
        assert client.event()[0] == "updateHistoryNewFast"


def test_a_taken_port_is_an_error_of_the_start() -> None:
    with broker(RealClock()) as made:
        port = int(made.url.partition("127.0.0.1:")[2].partition("/")[0])
        second = SimulatedBroker(ASSETS, 2.0, clock=RealClock(), port=port)
        with pytest.raises(OSError, match="in use"):
            second.start()
