"""From a URL to decoded ticks, by the parts that a TickIngestor is given."""

import selectors
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.feeds_clients import RealClock
from support.recordings import recording
from websockets.sync.server import ServerConnection, serve

from tickwire.actors.ports import PING, PONG, DialFailed, Dialled, FeedClosed, FeedProfile, FeedSocket
from tickwire.config.urls import parse_feed
from tickwire.market.wire import AssetsListed, CandleRows, Event, HistoryRows, LiveRows, Malformed, Opened, Send
from tickwire.runtime.feeds import Feed, FeedError, open_feed

pytestmark = pytest.mark.timeout(60)

DEADLINE_S = 30.0


@contextmanager
def started(url: str, session: str | None = None) -> Iterator[Feed]:
    feed = open_feed(parse_feed(url), clock=RealClock(), session=session)
    feed.start()
    feed.ready()
    try:
        yield feed
    finally:
        feed.stop()


def decode(feed: Feed, enough: Callable[[list[Event]], bool] = lambda _: False) -> list[Event]:
    """Run one connection as an ingestor would, until `enough` or until the feed has ended."""
    assert feed.connector is not None
    events: list[Event] = []
    socket = feed.connector.connect()
    try:
        _run(feed, socket, events, enough)
    except FeedClosed as closed:
        if (closed.code, closed.reason) != (1000, "ended"):
            raise
    finally:
        socket.close()
    return events


def _run(feed: Feed, socket: FeedSocket, events: list[Event], enough: Callable[[list[Event]], bool]) -> None:
    decoder = feed.make_decoder()
    deadline = time.monotonic() + DEADLINE_S
    with selectors.DefaultSelector() as selector:
        selector.register(socket.fileno(), selectors.EVENT_READ)
        for send in decoder.greeting():
            socket.send(send.payload)
        while not enough(events):
            assert time.monotonic() < deadline
            if not socket.pending:
                selector.select(1)
            frames = [frame for frame in socket.receive() if frame[0] not in (PING, PONG)]
            for event in decoder.receive(frames):
                events.append(event)
                sends = [event] if isinstance(event, Send) else []
                if isinstance(event, Opened):
                    sends = [send for asset in feed.profile.assets for send in decoder.subscribe(asset)]
                for send in sends:
                    socket.send(send.payload)


def live(events: list[Event]) -> list[tuple[Any, Any, Any]]:
    rows = [event for event in events if isinstance(event, LiveRows)]
    return [tick for row in rows for tick in zip(row.assets, row.stamps, row.prices, strict=True)]


def test_the_recorded_session_decodes_to_what_was_counted_in_it() -> None:
    with started(f"replay:{recording('pocketoption.frames.jsonl')}?speed=max") as feed:
        events = decode(feed)
    ticks = Counter(asset for asset, _, _ in live(events))
    assert sum(ticks.values()) == 148
    assert (len(ticks), ticks["EURGBP_otc"], ticks["AUDCAD_otc"]) == (15, 91, 5)
    assert [len(event.stamps) for event in events if isinstance(event, HistoryRows)] == [1659]
    assert [len(event.rows) for event in events if isinstance(event, CandleRows)] == [97, 150]
    assert {len(event.assets) for event in events if isinstance(event, AssetsListed)} == {183}
    assert not [event for event in events if isinstance(event, Malformed | Send)]
    assert feed.profile == FeedProfile(
        name="replay:pocketoption.frames.jsonl",
        source="pocketoption",
        unique_stamps=True,
        estimates_offset=True,
        arrivals_from_pings=True,
        reconnects_after_end=False,
    )


def test_a_csv_decodes_to_its_rows_without_pings_or_offset() -> None:
    with started(f"replay:{recording('ticks/AEDCNY_otc_20251013.csv')}?speed=max") as feed:
        ticks = live(decode(feed))
    assert len(ticks) == 10_517
    assert ticks[0] == ("AEDCNY_otc", 1_760_362_815, 1.83509)
    assert feed.profile == FeedProfile(
        name="replay:AEDCNY_otc_20251013.csv", source="pocketoption", reconnects_after_end=False
    )


@pytest.mark.parametrize(
    ("name", "source", "unit", "trades"),
    [
        ("COINBASE.ws.28.0.gz", "coinbase", "s", 107),
        ("BITSTAMP.ws.1.0.gz", "bitstamp", "us", 10),
        ("BINANCE.ws.1.0.gz", "binance", "ms", 2),
        ("KRAKEN.ws.50.0.gz", "kraken", "s", 0),
    ],
)
def test_an_exchanges_capture_decodes_to_its_trades(name: str, source: str, unit: str, trades: int) -> None:
    with started(f"replay:{recording(f'exchanges/{name}')}?speed=max") as feed:
        events = decode(feed)
    assert len(live(events)) == trades
    assert not [event for event in events if isinstance(event, Malformed | Send)]
    assert (feed.profile.source, feed.profile.unit, feed.profile.estimates_offset) == (source, unit, False)


def test_unique_and_source_can_be_said() -> None:
    path = recording("ticks/EURUSD_otc_subsecond.csv")
    feed = open_feed(parse_feed(f"replay:{path}?unique=1&source=mine"), clock=RealClock())
    assert feed.profile.unique_stamps is True
    assert feed.profile.source == "mine"


def test_the_simulated_broker_lets_the_ordinary_client_in() -> None:
    with started("simulated:?assets=EURUSD_otc,%23AAPL_otc&rate=100") as feed:
        events = decode(feed, lambda events: len(live(events)) >= 100)
    assert {asset for asset, _, _ in live(events)} == {"EURUSD_otc", "#AAPL_otc"}
    assert {event.asset for event in events if isinstance(event, HistoryRows)} == {"EURUSD_otc", "#AAPL_otc"}
    assert not [event for event in events if isinstance(event, Malformed)]
    newest = max(stamp for _, stamp, _ in live(events))
    assert abs(newest - 7200 - time.time()) < DEADLINE_S
    assert (feed.profile.source, feed.profile.unique_stamps) == ("simulated", True)


@contextmanager
def stranger(handler: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Somebody else's WebSocket server; yields HOST:PORT."""
    with serve(handler, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join(DEADLINE_S)


def test_a_live_pocketoption_feed_calls_at_the_right_address_with_its_origin_and_session() -> None:
    heard: list[str | None] = []

    def broker(connection: ServerConnection) -> None:
        assert connection.request is not None
        heard.extend((connection.request.path, connection.request.headers.get("Origin")))
        connection.send('0{"sid":"x","pingInterval":25000,"pingTimeout":20000}')
        heard.append(str(connection.recv(DEADLINE_S)))
        connection.send('40{"sid":"y"}')
        heard.append(str(connection.recv(DEADLINE_S)))
        connection.close(1000, "ended")

    with stranger(broker) as place, started(f"pocketoption+ws://{place}?demo=1&assets=A", "s3cret") as feed:
        decode(feed)
    assert heard == [
        "/socket.io/?EIO=4&transport=websocket",
        "https://pocketoption.com",
        "40",
        '42["auth",{"session":"s3cret","isDemo":1,"uid":0,"platform":2}]',
    ]
    assert feed.profile.assets == ("A",)


def test_a_json_feed_uses_the_names_unit_and_greeting_of_its_url() -> None:
    def sender(connection: ServerConnection) -> None:
        assert connection.recv(DEADLINE_S) == "hello"
        connection.send('{"s":"XBT/USD","v":"1.50","T":1700000000123}')
        connection.close(1000, "ended")

    options = "asset=s&price=v&time=T&unit=ms&subscribe=hello&unique=1"
    with stranger(sender) as place, started(f"json+ws://{place}/ticks?{options}") as feed:
        events = decode(feed)
    assert live(events) == [("XBT/USD", 1_700_000_000_123, "1.50")]
    assert (feed.profile.unit, feed.profile.unique_stamps, feed.profile.source) == ("ms", True, "json")


def test_a_host_that_pushes_has_neither_connector_nor_server() -> None:
    with started("push:") as feed:
        assert (feed.name, feed.profile.source) == ("push", "push")
        assert feed.connector is None
        assert feed.dialler is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("pocketoption+wss://h.example/", "TICKWIRE_POCKETOPTION_SESSION"),
        ("replay:/nowhere/a.csv", "no such file"),
    ],
)
def test_a_feed_that_cannot_be_opened_says_why(url: str, words: str) -> None:
    with pytest.raises(FeedError, match=words):
        open_feed(parse_feed(url), clock=RealClock())


def test_a_capture_of_a_venue_without_decoder_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "NOSUCH.ws.1"
    path.write_text('1.5: {"a":1}\n')
    with pytest.raises(FeedError, match=r"NOSUCH\.ws\.1.*no venue 'nosuch'"):
        open_feed(parse_feed(f"replay:{path}"), clock=RealClock())


def test_the_dialler_tells_of_success_and_failure() -> None:
    told: list[object] = []
    came = threading.Semaphore(0)

    def tell(message: object) -> None:
        told.append(message)
        came.release()

    with started("simulated:") as feed:
        assert feed.dialler is not None
        feed.dialler.dial(1, tell)
        assert came.acquire(timeout=DEADLINE_S)
        assert isinstance(told[0], Dialled)
        told[0].socket.close()
    feed.dialler.dial(2, tell)
    assert came.acquire(timeout=DEADLINE_S)
    assert told[1] == DialFailed("no connection: Connection refused", 2)
