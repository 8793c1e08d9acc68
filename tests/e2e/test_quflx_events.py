"""Every Socket.IO event of QuFLX's two generations, by a stock socket.io-client against a real `tickwire run`."""

import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.paced_feed import PacedFeed
from support.redis_server import RedisServer
from support.socketio_client import Browser, Browsers, Heard, browsers
from support.tape import Tape, Tick
from support.tickwire_process import Tickwire, eventually, tickwire

pytestmark = pytest.mark.timeout(90)

EUR, GBP, SHARE = "EURUSD_otc", "GBPUSD_otc", "#AAPL_otc"
TRANSPORTS = (["websocket"], ["polling"])
OHLC = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tickwire]:
    folder = tmp_path_factory.mktemp("relay")
    feed = f"simulated:?assets={EUR},{GBP},{SHARE}&rate=20"
    with tickwire("run", "--feed", feed, "--batch-interval", "1", folder=folder) as running:
        eventually(lambda: len(running.get("/api/v1/assets")["assets"]) == 3, "ticks of all assets")
        yield running


@pytest.fixture(scope="module")
def clients(relay: Tickwire) -> Iterator[Browsers]:
    with browsers(relay.http) as made:
        yield made


@pytest.fixture(params=TRANSPORTS, ids=lambda each: each[0])
def browser(clients: Browsers, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Everything is the same over both transports."""
    made = clients.connect(request.node.name, transports=request.param)
    yield made
    made.close()


def is_now(timestamp: float) -> bool:
    return abs(time.time() - timestamp) < 30


def candle(offset: int) -> dict[str, Any]:
    return {"timestamp": 1_700_000_040 + 60 * offset, "open": 1.1, "high": 1.3, "low": 1.0, "close": 1.2, "volume": 5}


# -- v1: updates


def test_a_subscriber_hears_every_tick_with_the_forming_minute(browser: Browser) -> None:
    said = browser.asked("subscribe_redis_updates", {"asset": EUR}, answer="redis_subscribed")
    assert said == {"asset": EUR}
    heard = [browser.until("redis_update") for _ in range(20)]
    assert {tuple(each) for each in heard} == {("data",)}
    updates = [each["data"] for each in heard]
    assert [each["seq"] for each in updates] == list(range(updates[0]["seq"], updates[0]["seq"] + 20))
    for each in updates:
        assert list(each) == ["asset", "timestamp", *OHLC, "volume", "date", "price", "seq"]
        assert each["asset"] == EUR
        assert each["close"] == each["price"]
        assert each["low"] <= min(each["open"], each["close"]) <= max(each["open"], each["close"]) <= each["high"]
        assert abs(datetime.fromisoformat(each["date"]).timestamp() - each["timestamp"]) < 0.001


def test_an_upgrade_from_polling_to_a_websocket_loses_no_update(clients: Browsers) -> None:
    browser = clients.attempt("upgrades", transports=["polling", "websocket"])
    browser.emit("subscribe_redis_updates", {"asset": EUR})  # the client keeps it until it is let in
    heard: list[Heard] = []

    def seqs() -> list[int]:
        return [each[1]["data"]["seq"] for each in heard if each[0] == "redis_update"]

    def enough() -> bool:
        heard.extend(browser.heard_so_far())
        return ["upgrade", "websocket"] in heard and len(seqs()) >= 60

    eventually(enough, "updates before and after the upgrade")
    browser.close()
    assert seqs() == list(range(seqs()[0], seqs()[0] + len(seqs())))


def test_the_first_update_knows_the_minute_from_its_beginning(relay: Tickwire, browser: Browser) -> None:
    def before_and_first() -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Of one minute."""
        before = relay.get(f"/api/v1/candles/{GBP}?timeframe=1m&limit=1")["candles"][0]
        browser.asked("subscribe_redis_updates", {"asset": GBP}, answer="redis_subscribed")
        update = browser.until("redis_update")["data"]
        browser.asked("unsubscribe_redis_updates", {"asset": GBP}, answer="redis_unsubscribed")
        return (before, update) if int(update["timestamp"]) // 60 * 60 == before["timestamp"] else None

    before, update = eventually(before_and_first, "a minute that did not end meanwhile")
    assert update["open"] == before["open"]
    assert update["high"] >= before["high"]
    assert update["low"] <= before["low"]


def test_an_unsubscribed_client_hears_no_more(browser: Browser) -> None:
    browser.asked("subscribe_redis_updates", {"asset": EUR}, answer="redis_subscribed")
    browser.until("redis_update")
    assert browser.asked("unsubscribe_redis_updates", {"asset": EUR}, answer="redis_unsubscribed") == {"asset": EUR}
    browser.asked("subscribe_redis_updates", {"asset": GBP}, answer="redis_subscribed")
    later = [browser.until("redis_update")["data"]["asset"] for _ in range(5)]
    assert set(later) == {GBP}


def test_one_clients_acts_change_nothing_for_another(clients: Browsers) -> None:
    steady, fickle = clients.connect("steady"), clients.connect("fickle")
    for each in (steady, fickle):
        each.asked("subscribe_redis_updates", {"asset": EUR}, answer="redis_subscribed")
    first = steady.until("redis_update")["data"]["seq"]
    fickle.asked("unsubscribe_redis_updates", {"asset": EUR}, answer="redis_unsubscribed")
    fickle.emit("stop_stream")
    fickle.close()
    seqs = [steady.until("redis_update")["data"]["seq"] for _ in range(10)]
    steady.close()
    assert seqs == list(range(first + 1, first + 11))


def test_ticks_are_stored_though_nobody_watches(relay: Tickwire, clients: Browsers) -> None:
    seen = clients.connect("gone")
    seen.asked("start_stream", {"asset": EUR}, answer="stream_started")
    seen.close()
    before = relay.get(f"/api/v1/ticks/{EUR}?limit=1")["ticks"][0]["seq"]
    status = clients.connect("asks")

    def later() -> bool:
        times = status.asked("get_redis_status", answer="redis_status")["batch_status"]["last_processed_times"]
        return EUR in times and relay.get(f"/api/v1/ticks/{EUR}?limit=1")["ticks"][0]["seq"] > before

    eventually(later, "another batch with ticks of the asset")
    status.close()


# -- v1: the candle cache


def test_cached_candles_are_answered_in_the_clients_own_words(browser: Browser) -> None:
    said = browser.asked("get_cached_historical_data", {"asset": EUR}, answer="cached_historical_data")
    assert list(said) == ["asset", "timeframe", "data", "source"]
    assert (said["asset"], said["timeframe"], said["source"]) == (EUR, "1M", "redis_cache")
    assert {"timestamp", *OHLC, "volume", "date"} <= set(said["data"][-1])


def test_what_nobody_has_is_a_miss(browser: Browser) -> None:
    asked = {"asset": "NOBODY", "timeframe": "5M"}
    said = browser.asked("get_cached_historical_data", asked, answer="cached_historical_data")
    assert said == {**asked, "data": None, "source": "cache_miss"}


def test_a_client_caches_candles_of_what_the_relay_has_none_of_and_clears_them(browser: Browser) -> None:
    asked = {"asset": "CSVONLY", "timeframe": "1M"}
    data = [candle(0), candle(1)]
    cached = browser.asked("cache_historical_data", {**asked, "data": data}, answer="historical_data_cached")
    assert cached == {**asked, "count": 2}
    found = browser.asked("get_cached_historical_data", asked, answer="cached_historical_data")
    assert [each["timestamp"] for each in found["data"]] == [each["timestamp"] for each in data]
    cleared = browser.asked("clear_cached_historical_data", asked, answer="historical_data_cache_cleared")
    assert cleared == asked
    again = browser.asked("get_cached_historical_data", asked, answer="cached_historical_data")
    assert again["source"] == "cache_miss"


def test_a_client_never_overwrites_candles_of_the_relays_own(relay: Tickwire, browser: Browser) -> None:
    own = relay.get(f"/api/v1/candles/{EUR}?timeframe=1m&limit=1")["candles"][0]
    lie = {**candle(0), "timestamp": own["timestamp"], "high": 999.0}
    asked = {"asset": EUR, "timeframe": "1M"}
    cached = browser.asked("cache_historical_data", {**asked, "data": [lie]}, answer="historical_data_cached")
    assert cached["count"] == 0
    browser.asked("clear_cached_historical_data", asked, answer="historical_data_cache_cleared")
    found = browser.asked("get_cached_historical_data", asked, answer="cached_historical_data")
    assert own["timestamp"] in [each["timestamp"] for each in found["data"]]
    assert max(each["high"] for each in found["data"]) < 999.0


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "candles",
        [{"timestamp": 1}],
        [{**candle(0), "high": 0.5}],
        [{**candle(0), "timestamp": 1_700_000_041}],
        [candle(1), candle(0)],
        [{**candle(0), "open": "1.1"}],
    ],
)
def test_bad_candles_are_refused_whole(browser: Browser, data: object) -> None:
    browser.emit("cache_historical_data", {"asset": "CSVONLY", "timeframe": "1M", "data": data})
    assert "data of CSVONLY 1M" in browser.until("error")["message"]
    assert "data of CSVONLY 1M" in browser.until("redis_error")["message"]


# -- v1: status and streams


def test_redis_status_has_redis_own_figures(relay: Tickwire, browser: Browser) -> None:
    said = browser.asked("get_redis_status", answer="redis_status")
    assert list(said) == ["connected", "redis_info", "batch_status", "timestamp"]
    assert said["connected"] is True
    assert is_now(said["timestamp"])
    numbers = ["used_memory", "connected_clients", "total_commands_processed", "keyspace_hits", "keyspace_misses"]
    assert list(said["redis_info"]) == ["version", *numbers]
    assert said["redis_info"]["used_memory"] > 100_000
    assert said["redis_info"]["connected_clients"] >= 6
    batch = said["batch_status"]
    assert list(batch) == ["is_running", "active_assets", "last_processed_times", "buffer_sizes"]
    assert batch["is_running"] is True
    assert sorted(batch["active_assets"]) == sorted([EUR, GBP, SHARE])
    assert 0 < batch["buffer_sizes"][EUR] <= 1000


def test_a_stream_starts_with_history_and_goes_on_with_candles(browser: Browser) -> None:
    started = browser.asked("start_stream", {"asset": EUR}, answer="stream_started")
    assert started["asset"] == EUR
    assert is_now(started["timestamp"])
    loaded = browser.until("historical_candles_loaded")
    assert list(loaded) == ["asset", "candles", "count", "source", "timestamp"]
    assert loaded["count"] == len(loaded["candles"]) > 0
    update = browser.until("candle_update")
    assert list(update) == ["asset", "timestamp", *OHLC, "volume", "date"]
    assert update["asset"] == EUR
    assert update["timestamp"] % 60 == 0
    assert is_now(browser.asked("stop_stream", answer="stream_stopped")["timestamp"])


def test_a_stream_of_nothing_known_is_an_error_of_the_stream(browser: Browser) -> None:
    browser.emit("start_stream", {"asset": "NOBODY"})
    said = browser.until("stream_error")
    assert "NOBODY" in said["error"]
    assert is_now(said["timestamp"])


def test_a_changed_asset_moves_the_stream(browser: Browser) -> None:
    browser.asked("start_stream", {"asset": EUR}, answer="stream_started")
    assert browser.asked("change_asset", {"asset": GBP}, answer="asset_changed") == {"asset": GBP}
    assert browser.until("historical_candles_loaded")["asset"] == GBP
    assert {browser.until("candle_update")["asset"] for _ in range(5)} == {GBP}


def test_without_a_traders_page_there_is_no_asset_to_detect(browser: Browser) -> None:
    assert "chrome+ws" in browser.asked("detect_asset", answer="asset_detection_failed")["error"]


def test_a_new_client_is_told_how_the_connection_is(clients: Browsers) -> None:
    browser = clients.attempt("newcomer")
    said = browser.until("connection_status")
    browser.close()
    assert list(said) == ["status", "chrome", "timestamp"]
    assert (said["status"], said["chrome"]) == ("connected", "not configured")
    assert is_now(said["timestamp"])


# -- v2


@pytest.mark.parametrize("name", [EUR, "EURUSDOTC", "eurusd_otc"])
def test_the_second_generation_subscribes_in_either_spelling_and_hears_its_own(browser: Browser, name: str) -> None:
    browser.emit("subscribe_asset", name)
    said = browser.until("market_data")
    assert list(said) == ["timestamp", "asset", "price", "source"]
    assert (said["asset"], said["source"]) == (name, "simulated")
    browser.emit("unsubscribe_asset", name)
    browser.emit("subscribe_asset", GBP)
    browser.until("market_data", lambda data: data["asset"] == GBP)
    assert {browser.until("market_data")["asset"] for _ in range(5)} == {GBP}


def test_an_asset_whose_signs_are_lost_in_the_short_spelling_is_found(browser: Browser) -> None:
    browser.emit("subscribe_asset", "AAPLOTC")
    assert browser.until("market_data")["asset"] == "AAPLOTC"


class QuickMinutes(Tape):
    """One asset, a tick a second of a market whose minute is over after a second and a half of ours."""

    RATE = 40

    def __init__(self) -> None:
        self._begun = int(time.time()) - 86_400

    def __len__(self) -> int:
        return 86_400

    def __getitem__(self, number: int) -> Tick:
        return Tick(EUR, str(self._begun + number), f"1.{number * 7919 % 100_000:05}")


def test_both_generations_hear_of_a_minutes_close(tmp_path: Path) -> None:
    with (
        PacedFeed(QuickMinutes(), QuickMinutes.RATE) as feed,
        tickwire("run", "--feed", feed.url, folder=tmp_path) as relay,
        browsers(relay.http) as clients,
    ):
        feed.run()
        eventually(lambda: relay.get("/api/v1/assets")["assets"], "ticks")
        of_v1 = clients.connect("first", transports=["polling"])
        of_v1.asked("start_stream", {"asset": EUR}, answer="stream_started")
        of_v2 = clients.connect("second", transports=["websocket"])
        of_v2.emit("subscribe_asset", EUR)
        of_v2.until("market_data", lambda data: "is_closed" in data)  # its beginning may be older than the stream
        closed = of_v2.until("market_data", lambda data: "is_closed" in data)
        updates = [of_v1.until("candle_update")]
        while updates[-1]["timestamp"] <= closed["timestamp"]:
            updates.append(of_v1.until("candle_update"))
    assert list(closed) == ["timestamp", "asset", *OHLC, "volume", "timeframe", "is_closed"]
    assert (closed["asset"], closed["timeframe"], closed["is_closed"]) == (EUR, "1m", True)
    last = [each for each in updates if each["timestamp"] == closed["timestamp"]][-1]
    assert [last[name] for name in OHLC] == [closed[name] for name in OHLC]


def test_a_monitor_hears_of_every_service(browser: Browser) -> None:
    browser.emit("subscribe_monitor")
    said = [browser.until("system_status") for _ in range(3)]
    assert [each["service"] for each in said] == ["feed:simulated", "redis", "store"]
    for each in said:
        assert list(each) == ["service", "status", "timestamp", "details"]
        assert is_now(each["timestamp"])
    assert [each["status"] for each in said] == ["live", "up", "up"]
    browser.emit("unsubscribe_monitor")


def test_the_backends_status_is_told(browser: Browser) -> None:
    said = browser.asked("check_status", answer="backend_status")
    figures = ["redis_connected", "socket_io_ready", "store_connected", "feeds", "clients", "system_state", "timestamp"]
    assert list(said) == figures
    assert said["feeds"] == {"simulated": "live"}
    assert (said["redis_connected"], said["socket_io_ready"], said["system_state"]) == (True, True, "healthy")
    assert is_now(said["timestamp"])


# -- refusals


def test_many_requests_at_once_are_all_answered(browser: Browser) -> None:
    for _ in range(60):
        browser.emit("check_status")
    for _ in range(60):
        assert browser.until("backend_status")["socket_io_ready"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("subscribe_redis_updates", {"asset": "NOBODY"}),
        ("subscribe_redis_updates", {"asset": "EUR*"}),
        ("subscribe_redis_updates", {"asset": 7}),
        ("subscribe_redis_updates", {}),
        ("subscribe_redis_updates", None),
        ("subscribe_asset", "NOBODY"),
        ("subscribe_asset", ["EURUSD_otc"]),
        ("get_cached_historical_data", {"asset": EUR, "timeframe": "3M"}),
        ("get_cached_historical_data", {"asset": EUR, "timeframe": {"a": 1}}),
        ("clear_cached_historical_data", {"asset": "x" * 500}),
        ("change_asset", {"asset": "NOBODY"}),
        ("run_backtest", {"asset": EUR}),
    ],
)
def test_a_refused_request_is_answered_by_both_errors(browser: Browser, event: str, said: object) -> None:
    browser.emit(event, said)
    message = browser.until("error")["message"]
    assert browser.until("redis_error")["message"] == message
    assert browser.asked("check_status", answer="backend_status")  # and the client is still here


def test_a_client_that_talks_too_much_is_sent_away(clients: Browsers) -> None:
    noisy, quiet = clients.connect("noisy"), clients.connect("quiet")
    for _ in range(400):
        noisy.emit("stop_stream")
    assert "messages a second" in noisy.until("error")["message"]
    noisy.until("disconnect")
    assert quiet.asked("check_status", answer="backend_status")
    quiet.close()


def test_a_client_on_both_transports_is_counted_once_and_leaves_nothing(relay: Tickwire, clients: Browsers) -> None:
    def measured() -> float:
        line = next(x for x in relay.text("/metrics").splitlines() if x.startswith("tickwire_gateway_clients "))
        return float(line.split()[1])

    def told() -> float:
        return float(asker.asked("check_status", answer="backend_status")["clients"])

    asker = clients.connect("asker")
    eventually(lambda: told() == 1, "the other tests' clients have gone")
    browser = clients.connect("counted")  # polling first, then an upgrade
    browser.asked("subscribe_redis_updates", {"asset": EUR}, answer="redis_subscribed")
    assert told() == 2
    eventually(lambda: measured() == 2, "both are measured")
    browser.close()
    eventually(lambda: told() == 1, "it is counted no more")
    eventually(lambda: measured() == 1, "nor measured")
    asker.close()


# -- Host, Origin, token


def test_a_strange_page_gets_no_session(relay: Tickwire) -> None:
    url = f"{relay.http}/socket.io/?EIO=4&transport=polling"
    request = urllib.request.Request(url, headers={"Origin": "https://evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403
    assert json.loads(refused.value.read())["error_code"] == "forbidden"


@pytest.mark.parametrize("transports", TRANSPORTS, ids=lambda each: each[0])
def test_where_tokens_are_asked_for_a_client_shows_one(tmp_path: Path, transports: list[str]) -> None:
    secret = {"TICKWIRE_HTTP__TOKEN_SECRET": "s" * 40}
    with tickwire("run", folder=tmp_path, environment=secret) as relay, browsers(relay.http) as clients:
        stranger = clients.attempt("stranger", transports=transports)
        assert "token" in stranger.until("connect_error")
        import jwt

        token = jwt.encode({"aud": "tickwire", "exp": int(time.time()) + 60}, "s" * 40, algorithm="HS256")
        known = clients.connect("known", transports=transports, auth={"token": token})
        assert known.asked("check_status", answer="backend_status")
        known.close()
        assert token not in relay.logged()


# -- outages and ends


def test_while_redis_is_away_updates_go_on_and_the_outage_is_said(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as redis:
        arguments = ("run", "--feed", f"simulated:?assets={EUR}&rate=20", "--redis", redis.url)
        with tickwire(*arguments, folder=tmp_path) as relay, browsers(relay.http) as clients:
            eventually(lambda: relay.get("/api/v1/assets")["assets"], "ticks")
            browser = clients.connect("watcher")
            browser.asked("subscribe_redis_updates", {"asset": EUR}, answer="redis_subscribed")
            redis.stop()
            assert "Redis" in browser.until("redis_error")["message"]
            status = browser.asked("get_redis_status", answer="redis_status")
            assert list(status) == ["connected", "error", "timestamp"]
            assert status["connected"] is False
            seqs = [browser.until("redis_update")["data"]["seq"] for _ in range(10)]
            assert seqs == list(range(seqs[0], seqs[0] + 10))
            relay.process.kill()  # its drain would wait for Redis


def test_a_stop_says_goodbye_and_is_not_held_up(tmp_path: Path) -> None:
    with tickwire("run", folder=tmp_path) as relay, browsers(relay.http) as clients:
        polling = clients.connect("polling", transports=["polling"])
        socket = clients.connect("socket", transports=["websocket"])
        relay.process.terminate()
        assert relay.wait(20) == 0
        polling.until("disconnect")
        socket.until("disconnect")
        assert "Traceback" not in relay.logged()
