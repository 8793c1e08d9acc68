"""The gateway's HTTP with a real client on a real socket."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from support.gateway import RunningGateway, running_gateway
from support.ticks import EPOCH, columns, received
from support.tickwire_process import eventually

from tickwire.market.codec import bulk_to_json
from tickwire.messages.candles import Candle
from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, LinkChanged
from tickwire.messages.telemetry import BacklogMeasured, BatchStored, RowsQuarantined
from tickwire.runtime.gateway.admission import Limits
from tickwire.runtime.gateway.listen import ListenError, listen

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running_gateway() as running:
        yield running


@pytest.fixture
def http(gateway: RunningGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=20, trust_env=False) as client:
        yield client


def candles(count: int, timeframe: str = "1m") -> list[Candle]:
    return [
        Candle(
            timestamp=1_702_934_400 + 60 * i, open=1.5, high=2.0, low=1.0, close=1.75, volume=0,
            is_closed=i < count - 1, timeframe=timeframe, ticks=118, quality="live",
        )
        for i in range(count)
    ]  # fmt: skip


# -- readiness


def test_the_process_is_alive_before_it_is_ready(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "ok"}
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False


def test_it_is_ready_when_feed_redis_and_store_are(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.make_ready()
    answer = http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "feeds": {"f1": {"state": "live", "detail": "", "stale_assets": []}},
        "redis": {"state": "up", "detail": "", "owners": {"gateway": "up", "publisher": "up"}},
        "store": {"state": "up", "detail": "", "owners": {"batch_writer": "up"}},
    }


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (FeedChanged(feed="f1", state="stale", detail="", stale_assets=["A"]), "feeds"),
        (FeedChanged(feed="f2", state="down", detail="refused"), "feeds"),
        (LinkChanged(owner="publisher", link="redis", state="degraded", detail="loading"), "redis"),
        (LinkChanged(owner="batch_writer", link="store", state="degraded", detail="disk full"), "store"),
    ],
)
def test_one_part_that_is_not_well_makes_it_not_ready_and_is_named(
    gateway: RunningGateway, http: httpx.Client, change: FeedChanged | LinkChanged, part: str
) -> None:
    gateway.make_ready()
    gateway.tell(change)
    gateway.settle()
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert change.state in str(answer.json()[part])
    assert change.detail in str(answer.json()[part])


def test_an_ended_recording_is_ready(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.make_ready()
    gateway.tell(FeedChanged(feed="f1", state="ended"))
    gateway.settle()
    assert http.get("/readyz").status_code == 200


def test_health_is_honest(gateway: RunningGateway, http: httpx.Client) -> None:
    assert (http.get("/health").status_code, http.get("/health").json()["status"]) == (503, "unhealthy")
    gateway.make_ready()
    healthy = http.get("/health").json()
    assert (healthy["status"], healthy["redis"], healthy["feeds"]) == ("healthy", "up", {"f1": "live"})
    assert isinstance(healthy["timestamp"], float)
    gateway.tell(LinkChanged(owner="publisher", link="redis", state="degraded", detail="down"))
    gateway.settle()
    answer = http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


def test_status_has_what_quflx_reads_and_more(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.make_ready()
    ticks = columns("A", 1, 2)
    gateway.tell(
        received(1, ticks),
        BatchStored(rows=7, inserted=7, seconds=0.1, pending=2),
        RowsQuarantined(rows=3, reason="bad"),
    )
    gateway.settle()
    status = http.get("/api/v1/status").json()
    assert status["ok"] is True
    assert status["system"] == {
        "collector": "running", "stream": "live", "last_tick_ts": ticks.ts_us[-1] / 1e6, "last_tick_asset": "A",
    }  # fmt: skip
    assert status["store"]["last_batch_rows"] == 7
    assert status["store"]["quarantined"] == 3
    assert status["version"] == "9.9"


def test_status_says_how_the_store_catches_up(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.make_ready()
    gateway.settle()
    unknown = http.get("/api/v1/status").json()["store"]
    assert (unknown["pending"], unknown["catching_up"], unknown["eta_s"]) == (None, False, None)
    gateway.tell(BacklogMeasured(rows=12_000, catching_up=True, rate=800.0, eta_s=15.0))
    gateway.settle()
    store = http.get("/api/v1/status").json()["store"]
    assert (store["pending"], store["catching_up"], store["rate"], store["eta_s"]) == (12_000, True, 800.0, 15.0)


def test_actors_show_their_states(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.restart()

    def actors() -> dict[str, dict[str, Any]]:
        return {actor["id"]: actor for actor in http.get("/api/v1/actors").json()["actors"]}

    assert set(actors()) == {"metrics_collector", "cache_manager", "tick_ingestor", "gateway"}
    eventually(lambda: actors()["gateway"]["state"] == "running", "it serves before it is seen to run")
    shown = actors()["gateway"]
    assert (shown["state"], shown["incarnation"], shown["restarts"]) == ("running", 2, 1)
    assert {"last_error", "mailbox_depth", "oldest_age_s"} <= set(shown)


def test_metrics_are_prometheus_text(http: httpx.Client) -> None:
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.text == "tickwire_up 1\n"


# -- market


def test_assets_say_how_each_is(gateway: RunningGateway, http: httpx.Client) -> None:
    ticks = columns("B", 1, 3)
    gateway.tell(
        AssetsAnnounced(feed="f1", assets=["C"]),
        received(1, columns("#AAPL_otc", 1, 1), ticks),
        FeedChanged(feed="f1", state="live", stale_assets=["B"]),
    )
    gateway.settle()
    first, second = http.get("/api/v1/assets").json()["assets"]
    assert (first["asset"], first["stale"], first["buffered"]) == ("#AAPL_otc", False, 1)
    rate = second.pop("rate")
    assert rate >= 0
    assert second == {
        "asset": "B", "source": "pocketoption", "price": float(ticks.prices[-1]), "timestamp": ticks.ts_us[-1] / 1e6,
        "seq": 3, "epoch": EPOCH, "stale": True, "buffered": 3,
    }  # fmt: skip
    announced = http.get("/api/v1/assets?announced=1").json()["assets"]
    assert [asset["asset"] for asset in announced] == ["#AAPL_otc", "B", "C"]
    assert (announced[2]["price"], announced[2]["buffered"]) == (None, 0)


def test_a_rate_is_measured(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.tell(received(1, columns("A", 1, 50)))
    eventually(lambda: http.get("/api/v1/assets").json()["assets"][0]["rate"] > 0, "a rate", 20)


@pytest.mark.parametrize(
    ("asset", "path"),
    [("EURUSD_otc", "EURUSD_otc"), ("#AAPL_otc", "%23AAPL_otc"), ("XBT/USD", "XBT/USD"), ("XBT/USD", "XBT%2FUSD")],
)
def test_ticks_of_an_asset_come_oldest_first(
    gateway: RunningGateway, http: httpx.Client, asset: str, path: str
) -> None:
    ticks = columns(asset, 1, 5)
    gateway.tell(received(1, ticks))
    answer = http.get(f"/api/v1/ticks/{path}?limit=2").json()
    assert (answer["asset"], answer["count"]) == (asset, 2)
    assert [tick["seq"] for tick in answer["ticks"]] == [4, 5]
    assert answer["ticks"][1] == {
        "asset": asset, "price": float(ticks.prices[4]), "timestamp": ticks.ts_us[4] / 1e6, "source": "pocketoption",
        "seq": 5, "epoch": EPOCH, "received_at": ticks.ts_us[0] / 1e6 - 0.001,
    }  # fmt: skip


def test_ticks_of_an_earlier_epoch_come_from_the_buffer(gateway: RunningGateway, http: httpx.Client) -> None:
    later = "01K48AAAAAAAAAAAAAAAAAAAAA"
    old = [bulk_to_json(bulk) for bulk in reversed(columns("A", 7, 3).encoded)]
    gateway.redis.lists["ticks:A"] = old
    gateway.tell(received(1, columns("A", 1, 2, epoch=later)))
    ticks = http.get("/api/v1/ticks/A?limit=4").json()["ticks"]
    assert [(tick["epoch"], tick["seq"]) for tick in ticks] == [(EPOCH, 8), (EPOCH, 9), (later, 1), (later, 2)]


def test_without_redis_ticks_come_from_memory(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.redis.go_down()
    gateway.tell(received(1, columns("A", 1, 3)))
    assert http.get("/api/v1/ticks/A").json()["count"] == 3


@pytest.mark.parametrize("timeframe", ["1m", "1M", "1"])
def test_history_has_quflx_shape_whatever_the_timeframes_spelling(
    gateway: RunningGateway, http: httpx.Client, timeframe: str
) -> None:
    gateway.cache.candles["XBT/USD", "1m"] = candles(3)
    answer = http.get(f"/api/v1/history/XBT/USD?timeframe={timeframe}&limit=2").json()
    assert (answer["ok"], answer["asset"], answer["timeframe"], answer["count"]) == (True, "XBT/USD", "1m", 2)
    assert answer["data"] == answer["candles"]
    assert answer["candles"][0] == {
        "timestamp": 1_702_934_460, "open": 1.5, "high": 2.0, "low": 1.0, "close": 1.75, "volume": 0,
        "is_closed": True, "timeframe": "1m", "ticks": 118, "quality": "live",
    }  # fmt: skip
    assert answer["candles"][1]["is_closed"] is False
    ours = http.get(f"/api/v1/candles/XBT/USD?timeframe={timeframe}&limit=2").json()
    assert (ours["candles"], ours["source"]) == (answer["candles"], "memory")


def test_assets_may_be_written_as_quflx_second_generation_does(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.tell(AssetsAnnounced(feed="f1", assets=["EURUSD_otc", "#AAPL_otc", "TON-USD", "TONUSD_"]))
    gateway.cache.candles["#AAPL_otc", "1m"] = candles(3)
    gateway.settle()
    assert http.get("/api/v1/history/AAPLOTC").json()["count"] == 3
    assert http.get("/api/v1/candles/aaplotc").json()["count"] == 3
    assert http.get("/api/v1/ticks/EURUSDOTC").status_code == 200
    expect_problem(http.get("/api/v1/history/TONUSD"), 422, "ambiguous_asset")


def test_no_candles_yet_of_a_known_asset_is_an_empty_answer(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.tell(AssetsAnnounced(feed="f1", assets=["A"]))
    gateway.settle()
    answer = http.get("/api/v1/history/A")
    assert (answer.status_code, answer.json()["candles"]) == (200, [])


# -- errors


def expect_problem(answer: httpx.Response, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["error_code"], body["ok"]) == (status, code, False)
    assert set(body) == {"ok", "error_code", "error_message", "user_message", "details"}
    assert body["error_message"]
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nowhere", 404, "not_found"),
        ("/static/none.js", 404, "not_found"),
        ("/static/../__init__.py", 404, "not_found"),
        ("/static/%2e%2e/server.py", 404, "not_found"),
        ("/api/v1/ticks/NOPE", 404, "unknown_asset"),
        ("/api/v1/candles/NOPE", 404, "unknown_asset"),
        ("/api/v1/ticks/A%20B", 422, "invalid_asset"),
        ("/api/v1/ticks/ticks:*", 422, "invalid_asset"),
        ("/api/v1/ticks/AAAAAAAAAAAAAAAAAAAAA", 422, "invalid_asset"),
        ("/api/v1/history/%F0%9F%92%A9", 422, "invalid_asset"),
        ("/api/v1/ticks/A?limit=0", 422, "invalid_request"),
        ("/api/v1/ticks/A?limit=1001", 422, "invalid_request"),
        ("/api/v1/ticks/A?limit=x", 422, "invalid_request"),
        ("/api/v1/candles/A?limit=5001", 422, "invalid_request"),
        ("/api/v1/candles/A?timeframe=1w", 422, "invalid_timeframe"),
    ],
)
def test_errors_have_one_shape(http: httpx.Client, path: str, status: int, code: str) -> None:
    expect_problem(http.get(path), status, code)


def test_other_methods_are_not_allowed(http: httpx.Client) -> None:
    expect_problem(http.post("/api/v1/assets"), 405, "method_not_allowed")


def test_history_that_cant_be_had_is_said_with_its_reason(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.cache.failing = "the store is away"
    answer = http.get("/api/v1/history/A")
    expect_problem(answer, 503, "history_unavailable")
    assert "the store is away" in answer.json()["user_message"]


def test_a_failure_of_ours_has_that_shape_too(gateway: RunningGateway, http: httpx.Client) -> None:
    def broken() -> bytes:
        raise RuntimeError("boom")

    object.__setattr__(gateway.servers[0]._services, "metrics", broken)
    answer = http.get("/metrics")
    expect_problem(answer, 500, "internal_error")
    assert "boom" not in answer.text
    assert http.get("/healthz").status_code == 200


# -- the edge


def test_a_request_id_is_echoed_if_it_is_harmless(http: httpx.Client) -> None:
    assert http.get("/healthz", headers={"X-Request-ID": "abc-1.2"}).headers["x-request-id"] == "abc-1.2"
    made = http.get("/healthz", headers={"X-Request-ID": "<script>"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    refused = http.get("/nowhere", headers={"X-Request-ID": "r1", "Origin": "https://evil.example"})
    assert refused.headers["x-request-id"] == "r1"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_foreign_hosts_and_pages_are_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.get("/api/v1/assets", headers=headers)
    expect_problem(answer, 403, "forbidden")
    assert "access-control-allow-origin" not in answer.headers


def test_a_local_page_of_another_port_may_read(http: httpx.Client) -> None:
    origin = {"Origin": "http://localhost:5173"}
    answer = http.get("/api/v1/assets", headers=origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin["Origin"])
    asked = http.options("/api/v1/assets", headers=origin | {"Access-Control-Request-Method": "GET"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, origin["Origin"])


def test_the_page_is_served_with_a_strict_policy_and_revalidated(http: httpx.Client) -> None:
    page = http.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "tickwire" in page.text
    again = http.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in re.findall(r'(?:src|href)="(static/[^"]+)"', page.text):
        file = http.get(f"/{path}")
        assert file.status_code == 200
        assert file.headers["x-content-type-options"] == "nosniff"
        kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[path.rpartition(".")[2]]
        assert file.headers["content-type"].startswith(kind)
    assert http.head("/").status_code == 200


def test_the_api_describes_itself_without_pages_from_elsewhere(http: httpx.Client) -> None:
    described = http.get("/openapi.json").json()
    assert {"/readyz", "/api/v1/assets", "/api/v1/history/{asset}"} <= set(described["paths"])
    assert http.get("/redoc").status_code == 404


# -- sockets


def test_who_takes_nothing_of_an_answer_is_cut_off() -> None:
    with running_gateway(Limits(silent_s=1.0, connections=1)) as gateway:
        gateway.tell(received(1, columns("A", 1, 1000)))
        gateway.settle()
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.settimeout(20)
            stalled.connect(("127.0.0.1", gateway.port))
            request = b"GET /api/v1/ticks/A?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
            stalled.sendall(request * 100)

            def serves_others() -> bool:
                with suppress(httpx.HTTPError):
                    return httpx.get(f"{gateway.url}/healthz", trust_env=False, timeout=20).status_code == 200
                return False

            eventually(serves_others, "its place, the only one, is free")


def test_a_port_in_use_is_one_line_with_the_remedy() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            listen("127.0.0.1", port)
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "another address" in str(caught.value)


def test_an_address_of_another_machine_is_one_line_too() -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:0"):
        listen("192.0.2.1", 0)


def test_connections_over_the_limit_are_cut_and_others_served() -> None:
    with running_gateway(Limits(connections=2, connections_per_address=2)) as gateway:
        idle = [socket.create_connection(("127.0.0.1", gateway.port), timeout=20) for _ in range(4)]
        try:
            cut = [connection.recv(1) for connection in idle[2:] if not _is_reset(connection)]
            assert cut == [b""] * len(cut)
        finally:
            for connection in idle:
                connection.close()
        eventually(lambda: _answers(gateway.url), "a place is free again", 20)


def _is_reset(connection: socket.socket) -> bool:
    try:
        connection.recv(1, socket.MSG_PEEK)
    except ConnectionResetError:
        return True
    return False


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False, timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def test_a_request_waits_out_a_restart_of_the_actor_on_the_same_port(gateway: RunningGateway) -> None:
    gateway.restart()
    assert _answers(gateway.url)
    assert gateway.supervisor.states()[-1].restarts == 1


def test_a_loop_that_hangs_is_found_out_and_replaced(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickwire.actors.gateway_loop.LOOP_HANGS_AFTER_S", 1.0)
    hung, release = threading.Event(), threading.Event()

    def hang() -> bytes:
        hung.set()
        release.wait(40)
        return b""

    fanout = gateway.servers[0]._fanout
    assert fanout is not None
    fanout.loop.call_soon_threadsafe(hang)
    try:
        assert hung.wait(20)
        eventually(lambda: len(gateway.servers) > 1 and _answers(gateway.url), "another loop serves", 40)
    finally:
        release.set()
    assert "LoopHung" in str(gateway.supervisor.states()[-1].last_error)
    gateway.servers[0]._thread.join(20)
    assert not gateway.servers[0]._thread.is_alive()
