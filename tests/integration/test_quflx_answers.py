"""Socket.IO's answers where a test scripts the actors behind: a cache, a silent monitor, a trader's page."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest
from support.gateway import RunningGateway, running_gateway
from support.socketio_raw import RawPolling, RawSocket
from support.ticks import START_US, columns, received
from support.tickwire_process import eventually

from tickwire.messages.candles import Candle
from tickwire.messages.lifecycle import AssetsAnnounced, AssetSelected, FeedChanged, LinkChanged
from tickwire.messages.telemetry import ClientsMeasured
from tickwire.runtime.gateway.quflx.websocket import SocketIoConnection
from tickwire.runtime.gateway.services import ANSWER_S

pytestmark = pytest.mark.timeout(60)

MINUTE = START_US // 60_000_000 * 60


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running_gateway() as running:
        running.make_ready()
        running.tell(received(1, columns("EURUSD_otc", 1, 3)))
        running.settle()
        yield running


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[RawSocket]:
    with RawSocket(gateway.url) as made:
        made.join().until("connection_status")
        yield made


def forming(**prices: float) -> Candle:
    return Candle(timestamp=MINUTE, volume=0, is_closed=False, timeframe="1m", ticks=40, quality="live", **prices)


def pass_beats(gateway: RunningGateway) -> None:
    """Until all has been looked at that is looked at once a second."""
    seen = len(gateway.metrics.got(ClientsMeasured))
    eventually(lambda: len(gateway.metrics.got(ClientsMeasured)) > seen + 2, "beats of the loop")


# -- the forming minute


def test_updates_know_what_the_cache_knew_of_the_minute(gateway: RunningGateway, client: RawSocket) -> None:
    gateway.cache.candles["EURUSD_otc", "1m"] = [forming(open=1.05, high=1.3, low=0.9, close=1.1)]
    client.emit("subscribe_redis_updates", {"asset": "EURUSD_otc"})
    client.until("redis_subscribed")
    gateway.tell(received(2, columns("EURUSD_otc", 4, 1)))
    first = client.until("redis_update")["data"]
    assert (first["open"], first["high"], first["low"]) == (1.05, 1.3, 0.9)
    assert first["close"] == first["price"] == 1.10004
    assert first["timestamp"] == (START_US + 4000) / 1e6
    assert first["volume"] == 0


@pytest.mark.parametrize("silent", [False, True], ids=["a cache that fails", "a cache that is silent"])
def test_updates_follow_the_ticks_where_the_cache_knows_nothing(
    gateway: RunningGateway, client: RawSocket, silent: bool
) -> None:
    gateway.cache.failing, gateway.cache.silent = "the store is away", silent
    client.emit("subscribe_redis_updates", {"asset": "EURUSD_otc"})
    client.until("redis_subscribed")
    gateway.tell(received(2, columns("EURUSD_otc", 4, 1)))
    first = client.until("redis_update")["data"]
    assert (first["open"], first["high"], first["low"], first["close"]) == (1.10001, 1.10004, 1.10001, 1.10004)


def test_after_a_gap_the_minute_is_learnt_anew(gateway: RunningGateway, client: RawSocket) -> None:
    client.emit("subscribe_redis_updates", {"asset": "EURUSD_otc"})
    client.until("redis_subscribed")
    gateway.cache.candles["EURUSD_otc", "1m"] = [forming(open=1.05, high=1.3, low=0.9, close=1.1)]
    gateway.tell(received(2, columns("EURUSD_otc", 10, 1)))  # 4 to 9 are nowhere
    assert client.until("redis_update")["data"]["seq"] == 10

    def next_high(number: int) -> float:
        gateway.tell(received(number, columns("EURUSD_otc", 8 + number, 1)))
        return float(client.until("redis_update")["data"]["high"])

    numbers = iter(range(3, 1000))
    eventually(lambda: next_high(next(numbers)) == 1.3, "the cache's high")


def test_a_late_tick_amends_the_minute_before_and_a_later_one_is_not_told(
    gateway: RunningGateway, client: RawSocket
) -> None:
    client.emit("subscribe_redis_updates", {"asset": "EURUSD_otc"})
    client.until("redis_subscribed")
    late = columns("EURUSD_otc", 4, 3)
    at = [START_US + 60_000_000, START_US + 5000, START_US - 120_000_000]
    gateway.tell(received(2, replace(late, ts_us=at, prices=["1.2", "1.5", "9"])))
    gateway.tell(received(3, columns("EURUSD_otc", 7, 1)))
    of_next, of_late, last = (client.until("redis_update")["data"] for _ in range(3))
    assert [each["seq"] for each in (of_next, of_late, last)] == [4, 5, 7]
    assert (of_next["open"], of_next["high"], of_next["low"], of_next["close"]) == (1.2, 1.2, 1.2, 1.2)
    assert (of_late["open"], of_late["high"], of_late["low"], of_late["close"]) == (1.10001, 1.5, 1.10001, 1.10003)
    assert (of_late["price"], of_late["timestamp"]) == (1.5, at[1] / 1e6)


# -- outages


def test_what_an_outage_keeps_from_its_answer_is_a_redis_error_alone(
    gateway: RunningGateway, client: RawSocket
) -> None:
    gateway.cache.failing = "the store is away"
    client.emit("get_cached_historical_data", {"asset": "EURUSD_otc"})
    client.emit("check_status")
    heard: list[str] = []
    while not heard or not heard[-1].startswith('42["backend_status"'):
        heard.append(client.read())
    assert [frame.split('"')[1] for frame in heard] == ["redis_error", "backend_status"]
    assert "the store is away" in heard[0]


def test_a_redis_that_hangs_is_not_connected(client: RawSocket) -> None:
    client.emit("get_redis_status")
    status = client.until("redis_status")
    assert list(status) == ["connected", "error", "timestamp"]
    assert status["connected"] is False
    assert f"within {ANSWER_S:.0f} s" in status["error"]


# -- the trader's page


def test_the_asset_on_the_traders_page_is_detected(gateway: RunningGateway, client: RawSocket) -> None:
    gateway.tell(AssetSelected(feed="chrome:127.0.0.1:9222", asset="EURUSD_otc"))
    gateway.settle()
    client.emit("detect_asset")
    assert client.until("asset_detected") == {"asset": "EURUSD_otc"}


@pytest.mark.parametrize(("state", "chrome"), [("live", "connected"), ("down", "not connected")])
def test_whether_chromes_ticks_arrive_is_told(
    gateway: RunningGateway, client: RawSocket, state: str, chrome: str
) -> None:
    gateway.tell(FeedChanged(feed="chrome:127.0.0.1:9222", state="stale"))
    gateway.tell(FeedChanged(feed="f1", state="down"))
    gateway.settle()
    gateway.tell(FeedChanged(feed="chrome:127.0.0.1:9222", state=state))  # type: ignore[arg-type]
    gateway.tell(FeedChanged(feed="f1", state="ended"))
    gateway.settle()
    with RawSocket(gateway.url) as other:
        said = other.join().until("connection_status")
    assert list(said) == ["status", "chrome", "timestamp"]
    assert (said["status"], said["chrome"]) == ("connected", chrome)


# -- changes


def test_a_monitor_hears_of_each_change_once(gateway: RunningGateway, client: RawSocket) -> None:
    changes: list[tuple[FeedChanged | LinkChanged, str, str]] = [
        (LinkChanged(owner="batch_writer", link="store", state="degraded", detail="refused"), "store", "degraded"),
        (LinkChanged(owner="publisher", link="redis", state="degraded", detail="refused"), "redis", "degraded"),
        (FeedChanged(feed="f2", state="down"), "feed:f2", "down"),
        (FeedChanged(feed="f1", state="live", stale_assets=("EURUSD_otc",)), "feed:f1", "live"),
    ]
    pass_beats(gateway)
    client.emit("subscribe_monitor")
    assert [client.until("system_status")["service"] for _ in range(3)] == ["feed:f1", "redis", "store"]
    for change, service, status in changes:
        gateway.tell(change)
        said = client.until("system_status")
        assert (said["service"], said["status"]) == (service, status)
        assert said["details"].get("detail", "") == change.detail
    pass_beats(gateway)
    client.emit("check_status")
    heard: list[str] = []
    while not heard or "backend_status" not in heard[-1]:
        heard.append(client.read())
    assert not [frame for frame in heard if "system_status" in frame]


def test_all_hear_when_no_feed_is_heard_any_more(gateway: RunningGateway, client: RawSocket) -> None:
    gateway.tell(FeedChanged(feed="f1", state="down", detail="refused"))
    while client.until("connection_status")["status"] != "disconnected":
        pass


# -- spellings


def test_an_ambiguous_spelling_is_refused_with_what_it_may_be(gateway: RunningGateway, client: RawSocket) -> None:
    gateway.tell(AssetsAnnounced(feed="f1", assets=["TON-USD", "TONUSD_"]))
    gateway.settle()
    client.emit("subscribe_asset", "TONUSD")
    assert "TON-USD or TONUSD_" in client.until("error")["message"]


def test_either_spelling_ends_what_the_other_began(gateway: RunningGateway, client: RawSocket) -> None:
    client.emit("subscribe_asset", "EURUSD_otc")
    client.emit("unsubscribe_asset", "EURUSDOTC")
    client.emit("subscribe_redis_updates", {"asset": "EURUSD_otc"})
    client.until("redis_subscribed")
    gateway.tell(received(2, columns("EURUSD_otc", 4, 1)))
    assert '"redis_update"' in client.read()
    client.emit("check_status")
    assert '"backend_status"' in client.read()


# -- ready frames


@pytest.mark.parametrize("upgraded", [False, True], ids=["from the beginning", "after an upgrade"])
def test_a_websocket_gets_ticks_as_frames_that_were_built_for_all(
    gateway: RunningGateway, upgraded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    write = SocketIoConnection.write_frames

    def noting(connection: SocketIoConnection, frames: bytes) -> bool:
        done = write(connection, frames)
        written.extend([frames] * done)
        return done

    monkeypatch.setattr(SocketIoConnection, "write_frames", noting)
    with ExitStack() as stack:
        polling = stack.enter_context(RawPolling(gateway.url)).join() if upgraded else None
        client = stack.enter_context(RawSocket(gateway.url, query=f"&sid={polling.sid}" if polling else ""))
        client.upgrade() if upgraded else client.join()
        client.emit("subscribe_redis_updates", {"asset": "EURUSD_otc"})
        client.until("redis_subscribed")
        gateway.tell(received(2, columns("EURUSD_otc", 4, 3)))
        assert [client.until("redis_update")["data"]["seq"] for _ in range(3)] == [4, 5, 6]
    assert [frames.count(b'"redis_update"') for frames in written] == [3]


# -- restarts


def test_a_restart_of_the_gateway_ends_every_connection_and_the_next_one_serves(gateway: RunningGateway) -> None:
    with RawSocket(gateway.url) as before, RawPolling(gateway.url).join():
        before.join().emit("subscribe_asset", "EURUSD_otc")
        gateway.restart()
        assert before.is_ended()
    with RawSocket(gateway.url) as after:
        after.join().emit("subscribe_asset", "EURUSD_otc")
        after.emit("check_status")
        assert after.until("backend_status")["clients"] == 1
        gateway.tell(received(2, columns("EURUSD_otc", 4, 1)))
        assert after.until("market_data")["price"] == 1.10004


# -- the log


def test_what_strangers_say_gets_into_no_log_as_it_is(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        url = f"{gateway.url}/socket.io/?EIO=4&transport=polling"
        for query in ("&sid=%1b[31mred%0aroot: all is well", "&token=a-token-that-is-secret", "&sid=x&sid=y"):
            httpx.get(url + query, trust_env=False)
        httpx.request("PATCH", url, trust_env=False)
        with RawSocket(gateway.url, query="&token=a-token-that-is-secret") as client:
            client.join({"token": "another-secret"}).send("nonsense")
            assert client.is_ended()
    assert capfd.readouterr().err == ""
    assert [record.getMessage() for record in caplog.records if record.name != "httpx"] == []
