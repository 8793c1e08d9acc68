"""/ws with real clients on a real socket: what they are promised, and that none of them disturbs another."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import websocket
from support.gateway import RunningGateway, running_gateway
from support.ticks import EPOCH, columns, received
from support.tickwire_process import eventually
from support.ws_client import Closed, WsClient

from tickwire.market.codec import bulk_to_json
from tickwire.messages.candles import Candle, CandleClosed
from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, LinkChanged, Subscribe
from tickwire.messages.telemetry import ClientsMeasured
from tickwire.runtime.gateway.admission import Limits
from tickwire.runtime.gateway.loop import LoopFactory, fastest

pytestmark = pytest.mark.timeout(60)

LOOPS: dict[str, LoopFactory] = {"the platform's fastest loop": fastest(), "asyncio's loop": asyncio.new_event_loop}
LATER = "01K48AAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture(params=LOOPS)
def gateway(request: pytest.FixtureRequest) -> Iterator[RunningGateway]:
    with running_gateway(make_loop=LOOPS[request.param]) as running:
        yield running


def seqs(rows: list[list[float]]) -> list[int]:
    return [int(row[0]) for row in rows]


# -- snapshot and live


def test_a_subscription_begins_with_the_latest_ticks_and_goes_on_live(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 3)))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("A")
        gateway.tell(received(2, columns("A", 4, 2)))
        live = client.ticks(2)
    ticks = columns("A", 1, 5)
    assert answer == {
        "type": "subscribed",
        "asset": "A",
        "recovered": False,
        "epoch": EPOCH,
        "seq": 3,
        "snapshot": [[i + 1, ticks.ts_us[i] / 1e6, float(ticks.prices[i])] for i in range(3)],
    }
    assert live == [[i + 1, ticks.ts_us[i] / 1e6, float(ticks.prices[i])] for i in (3, 4)]


def test_a_snapshot_holds_the_last_thousand(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 700)), received(2, columns("A", 701, 700)))
    with WsClient(gateway.url) as client:
        assert seqs(client.subscribe("A")["snapshot"]) == list(range(401, 1401))


def test_snapshot_then_live_has_no_hole_and_no_repeat_whenever_one_subscribes(gateway: RunningGateway) -> None:
    last = 6000
    gateway.tell(received(1, columns("A", 1, 1)))
    stop = threading.Event()

    def feed() -> None:
        for number, first in enumerate(range(2, last, 3), 2):
            gateway.tell(received(number, columns("A", first, min(3, last + 1 - first))))
            stop.wait(0.0005)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for _ in range(12):
            with WsClient(gateway.url) as client:
                seen = seqs(client.subscribe("A")["snapshot"])
                seen += seqs(client.ticks(60))
                assert seen == list(range(seen[0], seen[0] + len(seen)))
    finally:
        stop.set()
        feeder.join(30)


def test_who_comes_back_gets_what_was_missed(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 10)))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("A", since={"epoch": EPOCH, "seq": 7})
    assert (answer["recovered"], seqs(answer["snapshot"]), answer["seq"]) == (True, [8, 9, 10], 10)


def test_who_missed_nothing_gets_an_empty_snapshot(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 10)))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("A", since={"epoch": EPOCH, "seq": 10})
    assert (answer["recovered"], answer["snapshot"]) == (True, [])


@pytest.mark.parametrize("since", [{"epoch": LATER, "seq": 7}, {"epoch": EPOCH, "seq": 90}])
def test_a_position_that_nobody_knows_is_answered_by_a_whole_snapshot(
    gateway: RunningGateway, since: dict[str, object]
) -> None:
    gateway.tell(received(1, columns("A", 1, 10)))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("A", since=since)
    assert (answer["recovered"], seqs(answer["snapshot"])) == (False, list(range(1, 11)))


def test_a_position_too_old_for_the_memory_is_not_recovered(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 1500)))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("A", since={"epoch": EPOCH, "seq": 3})
    assert (answer["recovered"], seqs(answer["snapshot"])) == (False, list(range(501, 1501)))


def test_after_a_start_snapshots_come_from_the_buffer_lists(gateway: RunningGateway) -> None:
    kept = columns("A", 5, 4)
    gateway.redis.lists["ticks:A"] = [bulk_to_json(bulk) for bulk in reversed(kept.encoded)]
    gateway.tell(AssetsAnnounced(feed="f1", assets=["A"]))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("A", since={"epoch": EPOCH, "seq": 6})
        gateway.tell(received(1, columns("A", 9, 1)))
        live = client.ticks(1)
    assert (answer["recovered"], answer["epoch"], answer["seq"]) == (True, EPOCH, 8)
    assert seqs(answer["snapshot"]) == [7, 8]
    assert seqs(live) == [9]


def test_a_new_epoch_shows_in_the_ticks(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 3)))
    with WsClient(gateway.url) as client:
        client.subscribe("A")
        gateway.tell(received(2, columns("A", 1, 2, epoch=LATER)))
        message = client.until("ticks")
    assert (message["epoch"], seqs(message["ticks"])) == (LATER, [1, 2])


def test_ticks_that_nobody_has_any_more_are_a_gap(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 3)))
    with WsClient(gateway.url) as client:
        client.subscribe("A")
        gateway.tell(received(2, columns("A", 6, 2)))
        assert client.until("gap") == {"type": "gap", "asset": "A", "from": 4, "to": 5}
        assert seqs(client.ticks(2)) == [6, 7]


def test_a_hole_is_filled_from_the_buffer(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 3)))
    with WsClient(gateway.url) as client:
        client.subscribe("A")
        gateway.redis.lists["ticks:A"] = [bulk_to_json(bulk) for bulk in reversed(columns("A", 1, 7).encoded)]
        gateway.tell(received(2, columns("A", 6, 2)))
        assert seqs(client.ticks(4)) == [4, 5, 6, 7]


# -- the protocol


def test_the_sub_protocol_is_ours_and_may_be_left_out(gateway: RunningGateway) -> None:
    with WsClient(gateway.url, subprotocols=["other.v2", "tickwire.v1.json"]) as client:
        assert client.socket.getsubprotocol() == "tickwire.v1.json"
    with WsClient(gateway.url) as client:
        assert client.socket.getsubprotocol() is None
        assert client.read()["type"] == "status"
    with pytest.raises(websocket.WebSocketBadStatusException, match="400"):
        WsClient(gateway.url, subprotocols=["other.v2"])


def test_status_comes_on_connect_and_at_each_change(gateway: RunningGateway) -> None:
    with WsClient(gateway.url) as client:
        assert client.read() == {"type": "status", "feed": "down", "redis": "up"}
        gateway.tell(FeedChanged(feed="f1", state="live"))
        assert client.read() == {"type": "status", "feed": "live", "redis": "up"}
        gateway.tell(FeedChanged(feed="f1", state="live", stale_assets=["A"]))  # no change of the whole
        gateway.tell(LinkChanged(owner="publisher", link="redis", state="degraded", detail="down"))
        assert client.read() == {"type": "status", "feed": "live", "redis": "degraded"}
        gateway.tell(FeedChanged(feed="f1", state="ended"))
        assert client.read() == {"type": "status", "feed": "ended", "redis": "degraded"}


def test_after_unsubscribe_nothing_of_the_asset_comes(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 1), columns("B", 1, 1)))
    with WsClient(gateway.url) as client:
        client.subscribe("A")
        client.subscribe("B")
        client.say(type="unsubscribe", asset="A")
        client.subscribe("B")  # answered behind it
        gateway.tell(received(2, columns("A", 2, 1)), received(3, columns("B", 2, 1)))
        assert client.until("ticks")["asset"] == "B"


def test_an_asset_that_was_only_announced_is_asked_of_its_feed(gateway: RunningGateway) -> None:
    gateway.tell(AssetsAnnounced(feed="f1", assets=["#AAPL_otc"]))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("#AAPL_otc")
        assert (answer["epoch"], answer["seq"], answer["snapshot"]) == (None, 0, [])
        eventually(lambda: gateway.ingestor.got(Subscribe), "the feed is asked", 20)
        gateway.tell(received(1, columns("#AAPL_otc", 1, 1)))
        assert seqs(client.ticks(1)) == [1]
    assert gateway.ingestor.got(Subscribe) == [Subscribe(asset="#AAPL_otc")]


# -- candles


def candle(timestamp: int, *, closed: bool, **prices: float) -> Candle:
    return Candle(
        timestamp=timestamp, open=prices["o"], high=prices["h"], low=prices["l"], close=prices["c"], volume=0,
        is_closed=closed, timeframe="1m", ticks=40, quality="live",
    )  # fmt: skip


def test_a_forming_candle_goes_on_from_what_the_cache_knows(gateway: RunningGateway) -> None:
    live = columns("A", 1, 2)
    start = live.ts_us[0] // 60_000_000 * 60
    gateway.cache.candles["A", "1m"] = [candle(start, closed=False, o=1.05, h=1.5, l=1.01, c=1.1)]
    gateway.tell(AssetsAnnounced(feed="f1", assets=["A"]))
    with WsClient(gateway.url) as client:
        answer = client.subscribe("A", mode="candles", timeframe="1M")
        first = client.until("candle")
        gateway.tell(received(1, live))
        second = client.until("candle")
    assert (answer["mode"], answer["timeframe"], answer["snapshot"]) == ("candles", "1m", [])
    assert first == {
        "type": "candle", "asset": "A", "timestamp": start, "open": 1.05, "high": 1.5, "low": 1.01, "close": 1.1,
        "volume": 0.0, "is_closed": False, "timeframe": "1m", "ticks": 40, "quality": "live",
    }  # fmt: skip
    assert (second["open"], second["high"], second["low"]) == (1.05, 1.5, 1.01)
    assert (second["close"], second["ticks"]) == (float(live.prices[-1]), 42)


def test_a_closed_candle_comes_to_those_who_watch_its_timeframe(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 1)))
    with WsClient(gateway.url) as minutes, WsClient(gateway.url) as hours:
        minutes.subscribe("A", mode="candles", timeframe="1m")
        hours.subscribe("A", mode="candles", timeframe="1h")
        closed = candle(1_702_934_400, closed=True, o=1.5, h=2.0, l=1.0, c=1.75)
        gateway.tell(CandleClosed(asset="A", candle=closed))
        while not (message := minutes.until("candle"))["is_closed"]:
            pass
        assert (message["timestamp"], message["close"], message["timeframe"]) == (1_702_934_400, 1.75, "1m")
        hours.say(type="subscribe", asset="B")
        assert hours.until("error")["code"] == "unknown_asset"  # no candle of another timeframe came before it


# -- one does not disturb another


def test_one_clients_going_changes_nothing_for_another(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 1)))
    with WsClient(gateway.url) as stays:
        stays.subscribe("A")
        leaves, unsubscribes, dies = (WsClient(gateway.url) for _ in range(3))
        for client in (leaves, unsubscribes, dies):
            client.subscribe("A")
        leaves.end()
        unsubscribes.say(type="unsubscribe", asset="A")
        dies.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        dies.raw.close()
        for number in range(2, 102):
            gateway.tell(received(number, columns("A", number, 1)))
        assert seqs(stays.ticks(100)) == list(range(2, 102))
        unsubscribes.end()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad_json"),
        ("[1]", "bad_message"),
        ('"x"', "bad_message"),
        ("{}", "bad_type"),
        ('{"type":"subscribe"}', "bad_asset"),
        ('{"type":"subscribe","asset":"*"}', "bad_asset"),
        ('{"type":"subscribe","asset":"A\\nB"}', "bad_asset"),
        ('{"type":"subscribe","asset":7}', "bad_asset"),
        ('{"type":"subscribe","asset":"A","mode":"all"}', "bad_mode"),
        ('{"type":"subscribe","asset":"A","mode":"candles","timeframe":"1mo"}', "bad_timeframe"),
        ('{"type":"subscribe","asset":"A","mode":"candles","timeframe":{}}', "bad_timeframe"),
        ('{"type":"subscribe","asset":"A","since":{"epoch":1}}', "bad_since"),
        ('{"type":"subscribe","asset":"A","since":{"epoch":"e","seq":true}}', "bad_since"),
        ('{"type":"subscribe","asset":"NOPE"}', "unknown_asset"),
        ("[" * 2000, "bad_json"),
        ('{"type":"subscribe","asset":"A","since":{"epoch":"e","seq":1e999}}', "bad_json"),
        ('{"type":"subscribe","asset":"A","since":{"epoch":"e","seq":-1}}', "bad_since"),
    ],
)
def test_a_bad_message_is_answered_by_an_error_and_the_client_stays(
    gateway: RunningGateway, text: str, code: str
) -> None:
    gateway.tell(received(1, columns("A", 1, 1)))
    with WsClient(gateway.url) as client:
        client.socket.send(text)
        answer = client.until("error")
        assert answer["code"] == code
        assert answer["message"]
        assert client.subscribe("A")["seq"] == 1


@pytest.fixture
def watcher(gateway: RunningGateway) -> Iterator[WsClient]:
    """A good client beside the bad ones."""
    gateway.tell(received(1, columns("A", 1, 1)))
    with WsClient(gateway.url) as client:
        client.subscribe("A")
        yield client


def expect_undisturbed(gateway: RunningGateway, watcher: WsClient) -> None:
    gateway.tell(received(2, columns("A", 2, 3)))
    assert seqs(watcher.ticks(3)) == [2, 3, 4]


def test_too_long_a_message_closes_its_client_alone(gateway: RunningGateway, watcher: WsClient) -> None:
    with WsClient(gateway.url) as client:
        client.socket.send("x" * 4097)
        assert client.closed().code == 1008
    expect_undisturbed(gateway, watcher)


def test_too_long_a_message_in_pieces_closes_its_client_alone(gateway: RunningGateway, watcher: WsClient) -> None:
    with WsClient(gateway.url) as client:
        for piece in range(3):
            opcode = websocket.ABNF.OPCODE_CONT if piece else websocket.ABNF.OPCODE_TEXT
            client.socket.send_frame(websocket.ABNF(0, 0, 0, 0, opcode, 1, b"x" * 2000))
        assert client.closed().code == 1008
    expect_undisturbed(gateway, watcher)


def test_a_frame_that_promises_a_gigabyte_closes_its_client_alone(gateway: RunningGateway, watcher: WsClient) -> None:
    with WsClient(gateway.url) as client:
        client.raw.sendall(b"\x81\xff" + (1 << 30).to_bytes(8, "big") + b"abcd")
        assert client.closed().code == 1008
    expect_undisturbed(gateway, watcher)


def test_binary_messages_close_their_client_alone(gateway: RunningGateway, watcher: WsClient) -> None:
    with WsClient(gateway.url) as client:
        client.socket.send_binary(b"{}")
        assert client.closed().code == 1008
    expect_undisturbed(gateway, watcher)


def test_a_flood_closes_its_client_alone(gateway: RunningGateway, watcher: WsClient) -> None:
    with WsClient(gateway.url) as client:
        frame = websocket.ABNF.create_frame("{}", websocket.ABNF.OPCODE_TEXT).format()
        client.raw.sendall(frame * 320)
        assert client.closed().code == 1008
    expect_undisturbed(gateway, watcher)


def test_a_burst_of_three_hundred_is_allowed(gateway: RunningGateway) -> None:
    assets = [f"A{i}" for i in range(300)]
    gateway.tell(AssetsAnnounced(feed="f1", assets=assets))
    with WsClient(gateway.url) as client:
        for asset in assets:
            client.say(type="subscribe", asset=asset)
        assert [client.until("subscribed")["asset"] for _ in assets] == assets


def test_channels_are_bounded() -> None:
    assets = [f"A{i}" for i in range(9)]
    with running_gateway(Limits(channels=8)) as gateway:
        gateway.tell(AssetsAnnounced(feed="f1", assets=assets))
        with WsClient(gateway.url) as client:
            for asset in assets[:8]:
                client.subscribe(asset)
            client.say(type="subscribe", asset=assets[8])
            refused = client.until("error")
            assert (refused["code"], refused["asset"]) == ("too_many_channels", assets[8])
            client.subscribe(assets[0])  # again: no further channel
            client.say(type="unsubscribe", asset=assets[0])
            client.subscribe(assets[8])


def test_clients_over_the_limit_are_told_to_try_later() -> None:
    with running_gateway(Limits(clients=2, clients_per_address=2)) as gateway:
        with WsClient(gateway.url) as first, WsClient(gateway.url):
            with WsClient(gateway.url) as third:
                assert third.closed().code == 1013
            assert first.read()["type"] == "status"
        eventually(lambda: _is_served(gateway), "a place is free again", 20)


def _is_served(gateway: RunningGateway) -> bool:
    with WsClient(gateway.url) as client:
        try:
            return bool(client.read()["type"] == "status")
        except Closed:
            return False


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null", "http://[::"])
def test_a_foreign_page_is_refused(gateway: RunningGateway, origin: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        WsClient(gateway.url, origin=origin)


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:3001", "http://[::1]:80"])
def test_a_local_page_is_welcome(gateway: RunningGateway, origin: str) -> None:
    with WsClient(gateway.url, origin=origin) as client:
        assert client.read()["type"] == "status"


def test_a_rebound_name_is_refused(gateway: RunningGateway) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        WsClient(gateway.url, host="evil.example")


def test_who_does_not_finish_the_handshake_is_cut() -> None:
    with running_gateway(Limits(handshake_s=0.2)) as gateway:
        for said in (b"", b"GET /ws HTTP/1.1\r\nHost: localhost\r\n"):
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as slow:
                slow.sendall(said)
                with suppress(ConnectionResetError):
                    assert slow.recv(100) == b""


# -- slow clients


def test_a_slow_client_gets_summaries_and_not_a_tick_is_lost_unsaid(gateway: RunningGateway) -> None:
    total = 60_000
    gateway.tell(received(1, columns("A", 1, 1)))
    small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
    with WsClient(gateway.url) as quick, WsClient(gateway.url, sockopt=small) as slow:
        quick.subscribe("A")
        slow.subscribe("A")
        seen = 1
        for number, first in enumerate(range(2, total, 500), 2):
            gateway.tell(received(number, columns("A", first, min(500, total + 1 - first))))
            while seen < first:
                rows = seqs(quick.until("ticks")["ticks"])
                assert rows == list(range(seen + 1, seen + 1 + len(rows)))
                seen = rows[-1]
        at, summed = 1, 0
        while at < total:
            message = slow.read()
            if message["type"] == "ticks":
                rows = seqs(message["ticks"])
                assert rows == list(range(at + 1, at + 1 + len(rows)))
                at = rows[-1]
            elif message["type"] == "ohlc":
                assert (message["from"], message["to"] - message["from"] + 1) == (at + 1, message["n"])
                assert message["l"] <= min(message["o"], message["c"])
                assert max(message["o"], message["c"]) <= message["h"]
                at, summed = message["to"], summed + message["n"]
        assert at == total
        assert summed > 0
    eventually(
        lambda: sum(each.ticks_conflated for each in gateway.metrics.got(ClientsMeasured)) == summed, "counted", 20
    )


def test_who_never_reads_is_closed_and_nobody_else_notices() -> None:
    with running_gateway(Limits(slow_s=0.1)) as gateway:
        gateway.tell(received(1, columns("A", 1, 1)))
        small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
        with WsClient(gateway.url) as quick, WsClient(gateway.url, sockopt=small) as deaf:
            quick.subscribe("A")
            deaf.subscribe("A")
            seen, first, number = 1, 2, 2

            def feed() -> bool:
                nonlocal seen, first, number
                gateway.tell(received(number, columns("A", first, 500)))
                first, number = first + 500, number + 1
                while seen < first - 1:
                    seen = seqs(quick.until("ticks")["ticks"])[-1]
                return any(each.clients == 1 for each in gateway.metrics.got(ClientsMeasured)[-1:])

            eventually(feed, "the deaf client is gone", 30)


def test_more_than_its_queue_takes_closes_a_client_and_nobody_else_notices() -> None:
    """A snapshot can't be conflated: it is what fills the queue of one that asks and does not read."""
    with running_gateway(Limits(queue_bytes=64 * 1024, slow_s=60.0)) as gateway:
        assets = [f"A{i}" for i in range(80)]
        gateway.tell(received(1, columns("A", 1, 3), *(columns(asset, 1, 1000) for asset in assets)))
        small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
        with WsClient(gateway.url) as quick, WsClient(gateway.url, sockopt=small) as deaf:
            quick.subscribe("A")
            for asset in assets:
                deaf.say(type="subscribe", asset=asset)
            eventually(
                lambda: any(each.clients == 1 for each in gateway.metrics.got(ClientsMeasured)[-1:]), "it is gone", 30
            )
            gateway.tell(received(2, columns("A", 4, 2)))
            assert seqs(quick.ticks(2)) == [4, 5]


# -- restarts


def test_a_restart_of_the_actor_keeps_port_ticks_and_states(gateway: RunningGateway) -> None:
    gateway.make_ready()
    gateway.tell(received(1, columns("A", 1, 5)))
    with WsClient(gateway.url) as client:
        client.subscribe("A")
        gateway.restart()
        assert client.closed().code == 1001
    gateway.tell(received(2, columns("A", 6, 2)))
    with WsClient(gateway.url) as client:
        assert client.read() == {"type": "status", "feed": "live", "redis": "up"}
        answer = client.subscribe("A", since={"epoch": EPOCH, "seq": 5})
        assert (answer["recovered"], seqs(answer["snapshot"])) == (True, [6, 7])


def test_at_the_stop_clients_are_sent_away(gateway: RunningGateway) -> None:
    with WsClient(gateway.url) as client:
        assert client.read()["type"] == "status"
        gateway.supervisor.stop(8.0)
        assert client.closed().code == 1001
