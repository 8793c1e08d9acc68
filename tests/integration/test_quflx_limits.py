"""What Socket.IO clients may not do, and that it is never felt by another, by the log or by the memory."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import httpx
import pytest
import websocket
from engineio.async_socket import AsyncSocket
from support.gateway import RunningGateway, running_gateway
from support.socketio_raw import RawPolling, RawSocket
from support.ticks import columns, received
from support.tickwire_process import eventually

from tickwire.config.http_settings import HttpSettings
from tickwire.messages.candles import Candle
from tickwire.messages.lifecycle import LinkChanged
from tickwire.messages.telemetry import ClientsMeasured
from tickwire.runtime.gateway.admission import Access, Limits, access_of
from tickwire.runtime.gateway.quflx.send_queue import BEHIND_PACKETS
from tickwire.runtime.gateway.tokens import Tokens

pytestmark = pytest.mark.timeout(60)

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"
SECRET = "a-secret-of-tokens-that-is-long-enough"
PAGE = "https://charts.example"


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running_gateway() as running:
        running.make_ready()
        running.tell(received(1, columns("A", 1, 3)))
        running.settle()
        yield running


def candles(count: int) -> list[Candle]:
    return [
        Candle(timestamp=60 * i, open=1.0, high=2.0, low=0.5, close=1.5, volume=0, is_closed=True, timeframe="1m",
               ticks=9, quality="live")
        for i in range(1, count + 1)
    ]  # fmt: skip


def measured(gateway: RunningGateway) -> ClientsMeasured:
    seen = len(gateway.metrics.got(ClientsMeasured))
    eventually(lambda: len(gateway.metrics.got(ClientsMeasured)) > seen + 1, "it is measured anew")
    return gateway.metrics.got(ClientsMeasured)[-1]


# -- what cannot be read


@pytest.mark.parametrize(
    "frame",
    ["x", "7", "bQUJD", b"\x04\x05", "4", "2" + "[" * 3000, "4" + "[" * 3000, "42", "42[]", "42[1]", '42["a"', "43[]",
     '451-["a",{"_placeholder":true,"num":0}]', '42["a",' + "[" * 2000, "40" + '{"a":' * 700, '40["no object"]'],
)  # fmt: skip
def test_what_cannot_be_read_ends_the_connection_and_leaves_no_traceback(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture, frame: str | bytes
) -> None:
    with caplog.at_level(logging.WARNING), RawSocket(gateway.url) as other, RawSocket(gateway.url) as hostile:
        other.join()
        hostile.join().send(frame)
        assert hostile.is_ended()
        other.emit("check_status")
        assert other.until("backend_status")["clients"] == 1
    assert not [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("body", [b"", b"x", b"\xff\xfe", b"d=4", b"bQUJD", b"42[\x1ex", b"42[]"])
def test_bodies_that_cannot_be_read_leave_no_traceback(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    with caplog.at_level(logging.WARNING), RawPolling(gateway.url).join() as hostile:
        hostile.http.post(hostile.path, content=body)
        with RawPolling(gateway.url).join() as other:
            other.post('42["check_status"]')
            assert other.until("backend_status")["socket_io_ready"]
    assert not [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("name", ["connect", "disconnect", "connect_error", "*", "message", "open", "__class__"])
def test_no_client_calls_a_handler_that_is_no_event(gateway: RunningGateway, name: str) -> None:
    with RawSocket(gateway.url) as client:
        client.join().emit(name, {"asset": "A"})
        message = client.until("error")["message"]
        assert name in message
        assert client.until("redis_error")["message"] == message
        client.emit("check_status")
        assert client.until("backend_status")["clients"] == 1


def test_a_page_cannot_read_by_a_script_tag(gateway: RunningGateway) -> None:
    answer = httpx.get(f"{gateway.url}{HANDSHAKE}&j=0", trust_env=False)
    assert answer.status_code == 400
    assert "sid" not in answer.text


def test_an_ack_comes_when_the_request_is_done(gateway: RunningGateway) -> None:
    with RawSocket(gateway.url) as client:
        client.join().send('427["check_status"]')
        client.until("backend_status")
        assert client.frame("43") == "437[]"


# -- sizes


def test_a_message_over_4_kib_is_the_last_one(gateway: RunningGateway) -> None:
    with RawSocket(gateway.url) as client:
        client.join().emit("subscribe_asset", "x" * 4096)
        assert "4096 bytes" in client.until("error")["message"]
        assert client.is_ended()


def test_a_body_over_a_megabyte_is_refused_unread(gateway: RunningGateway) -> None:
    with RawPolling(gateway.url).join() as client:
        assert client.post("42" + "x" * 1024 * 1024).status_code in (400, 413)


def test_a_stranger_sends_no_body_at_all(gateway: RunningGateway) -> None:
    answer = httpx.post(f"{gateway.url}{HANDSHAKE}&sid=nobody", content=b"4" * 100_000, trust_env=False)
    assert answer.status_code == 400


def test_all_requests_of_one_body_are_answered(gateway: RunningGateway) -> None:
    with RawPolling(gateway.url).join() as client:
        assert client.post(*['42["check_status"]'] * 100).status_code == 200
        assert [client.until("backend_status")["socket_io_ready"] for _ in range(100)] == [True] * 100


def test_requests_that_wait_are_bounded(gateway: RunningGateway) -> None:
    gateway.cache.silent = True
    body = "x" * 900_000
    with RawSocket(gateway.url) as client:
        client.join()
        client.emit("get_cached_historical_data", {"asset": "A"})  # holds up what comes behind it
        for _ in range(3):
            client.emit("cache_historical_data", {"asset": "A", "data": body})
        assert "too many requests" in client.until("error")["message"]


@pytest.mark.parametrize("frame", ['42["check_status"]', "3", "42["], ids=["requests", "pongs", "broken requests"])
def test_a_body_of_very_many_frames_leaves_no_traceback_and_holds_up_nobody(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture, frame: str
) -> None:
    handed_on = 0
    receive = AsyncSocket.receive

    async def counting(self: AsyncSocket, packet: object) -> None:
        nonlocal handed_on
        handed_on += 1
        await receive(self, packet)

    with caplog.at_level(logging.WARNING), RawSocket(gateway.url) as other, RawPolling(gateway.url).join() as hostile:
        other.join().until("connection_status")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AsyncSocket, "receive", counting)
            assert hostile.post(*[frame] * 50_000).status_code < 500
        assert hostile.post(frame).status_code < 500
        other.emit("check_status")
        assert other.until("backend_status")
    assert handed_on <= Limits().messages_burst + 1
    assert not [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("start", "frame"),
    [
        (b"", b"\x89\x80\0\0\0\0"),
        (b"", b"\x8a\x80\0\0\0\0"),
        (b"", b"\x81\x81\0\0\0\x003"),
        (b"\x01\x81\0\0\0\x004", b"\x00\x80\0\0\0\0"),
    ],
    ids=["pings", "pongs", "pongs of Engine.IO's", "empty pieces of a message"],
)
def test_who_says_nothing_without_end_is_cut_off(gateway: RunningGateway, start: bytes, frame: bytes) -> None:
    with RawSocket(gateway.url) as idle, RawSocket(gateway.url) as other:
        other.join()
        idle.join().until("connection_status")
        with suppress(OSError):
            idle.tcp.sendall(start + frame * 400)
        assert idle.is_ended()
        eventually(lambda: measured(gateway).clients == 1, "the other is here alone")
        other.emit("check_status")
        assert other.until("backend_status")


# -- numbers


def test_an_address_has_so_many_connections_with_or_without_a_name() -> None:
    with running_gateway(Limits(clients_per_address=2)) as small, RawSocket(small.url) as first:
        first.join()
        with RawPolling(small.url):
            assert httpx.get(small.url + HANDSHAKE, trust_env=False).status_code == 503
            with pytest.raises(websocket.WebSocketBadStatusException):
                RawSocket(small.url)

        def again() -> bool:
            return httpx.get(small.url + HANDSHAKE, trust_env=False).status_code == 200

        eventually(again, "the place is given back")


def test_who_does_not_connect_is_sent_away(gateway: RunningGateway) -> None:
    with RawPolling(gateway.url) as polling, RawSocket(gateway.url) as idler:
        assert idler.is_ended()
        assert "Invalid session" in polling.get().text, "it is not kept either"


def test_who_keeps_talking_after_the_goodbye_is_cut_off(gateway: RunningGateway) -> None:
    with RawSocket(gateway.url) as noisy:
        noisy.join()
        deadline = time.monotonic() + 20
        with suppress(websocket.WebSocketException, OSError):
            while time.monotonic() < deadline:
                noisy.emit("stop_stream")
        assert time.monotonic() < deadline


def test_an_asset_is_told_in_a_few_spellings_and_no_more(gateway: RunningGateway) -> None:
    gateway.tell(received(2, columns("EURUSD_otc", 1, 3)))
    gateway.settle()
    with RawSocket(gateway.url) as client:
        client.join()
        for name in ("EURUSD_otc", "eurusd_otc", "EURUSDOTC", "eurusdotc", "EurUsdOtc"):
            client.emit("subscribe_redis_updates", {"asset": name})
        assert "4 spellings" in client.until("redis_error")["message"]
        gateway.tell(received(3, columns("EURUSD_otc", 4, 1)))
        told = [client.until("redis_update")["data"]["asset"] for _ in range(4)]
        assert told == ["EURUSD_otc", "eurusd_otc", "EURUSDOTC", "eurusdotc"]
        client.emit("unsubscribe_redis_updates", {"asset": "EURUSDOTC"})
        client.emit("subscribe_redis_updates", {"asset": "EurUsdOtc"})
        client.until("redis_unsubscribed")
        assert client.until("redis_subscribed") == {"asset": "EurUsdOtc"}


# -- who takes nothing


def test_who_takes_nothing_is_cut_off_and_the_others_hear_all() -> None:
    with running_gateway(Limits(slow_s=1.0)) as small:
        small.cache.candles["A", "1m"] = candles(200)
        small.tell(received(1, columns("A", 1, 3)))
        small.settle()
        few = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
        with RawSocket(small.url) as quick, RawSocket(small.url, sockopt=few) as stalled:
            for client in (quick, stalled):
                client.join().emit("subscribe_redis_updates", {"asset": "A"})
            assert quick.until("redis_subscribed") == {"asset": "A"}
            for _ in range(250):
                stalled.emit("get_cached_historical_data", {"asset": "A"})
            eventually(lambda: measured(small).clients == 1, "the stalled one is gone", 30)
            small.tell(received(2, columns("A", 4, 5)))
            assert [quick.until("redis_update")["data"]["seq"] for _ in range(5)] == [4, 5, 6, 7, 8]
            assert stalled.is_ended()


def fall_behind(gateway: RunningGateway) -> int:
    """Send ticks of A from the fourth on until a client that reads nothing is behind; the last one's seq."""
    numbers = iter(range(2, 100_000))

    def is_behind() -> bool:
        for number in islice(numbers, 10):
            gateway.tell(received(number, columns("A", 4 + 40 * (number - 2), 40)))
            gateway.settle()
        return any(each.ticks_conflated for each in gateway.metrics.got(ClientsMeasured))

    eventually(is_behind, "it is behind")
    return 3 + 40 * (next(numbers) - 2)


def seqs_until(last: int, client: RawSocket | RawPolling) -> list[int]:
    seqs = [client.until("redis_update")["data"]["seq"]]
    while seqs[-1] < last:
        seqs.append(client.until("redis_update")["data"]["seq"])
    return seqs


def test_a_slow_client_hears_what_it_hears_in_order_and_the_newest_in_the_end(gateway: RunningGateway) -> None:
    few = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
    with RawSocket(gateway.url, sockopt=few) as slow:
        slow.join().emit("subscribe_redis_updates", {"asset": "A"})
        slow.until("redis_subscribed")
        last = fall_behind(gateway)
        seqs = seqs_until(last, slow)
        assert seqs == sorted(set(seqs))
        assert seqs[0] == 4
        assert len(seqs) < last - 3
        slow.emit("check_status")
        assert slow.until("backend_status")["clients"] == 1


def test_a_client_that_seldom_polls_does_so_too(gateway: RunningGateway) -> None:
    with RawPolling(gateway.url).join() as slow:
        slow.post('42["subscribe_redis_updates",{"asset":"A"}]')
        slow.until("redis_subscribed")
        last = fall_behind(gateway)
        seqs = seqs_until(last, slow)
        assert seqs == [*range(4, 3 + len(seqs)), last]
        assert len(seqs) <= BEHIND_PACKETS + 1


# -- what is told


def test_an_outage_is_told_though_the_one_before_was_over_while_nobody_was_here(gateway: RunningGateway) -> None:
    down = LinkChanged(owner="publisher", link="redis", state="degraded", detail="refused by 6379")
    up = LinkChanged(owner="publisher", link="redis", state="up")
    with RawSocket(gateway.url) as first:
        first.join()
        gateway.tell(down)
        assert first.until("redis_error")["message"] == "Redis is refused by 6379"
    eventually(lambda: measured(gateway).clients == 0, "it has gone")
    gateway.tell(up)
    gateway.settle()
    with RawSocket(gateway.url) as second:
        second.join().until("connection_status")
        gateway.tell(down)
        assert second.until("redis_error")["message"] == "Redis is refused by 6379"
        with RawSocket(gateway.url) as third:
            third.join()
            assert third.until("redis_error")["message"] == "Redis is refused by 6379"


def test_no_event_repeats_a_secret_whatever_text_it_got_into() -> None:
    secret = "a-password-that-is-a-secret"
    with running_gateway(access=Access(secrets=(secret,))) as gateway:
        gateway.make_ready()
        gateway.tell(LinkChanged(owner="publisher", link="redis", state="degraded", detail=f"AUTH {secret}"))
        gateway.settle()
        with RawSocket(gateway.url) as client, RawPolling(gateway.url).join() as polling:
            client.join().emit("subscribe_monitor")
            polling.post('42["subscribe_monitor"]')
            for each in (client, polling):
                said = each.until("system_status")
                while said["service"] != "redis":
                    said = each.until("system_status")
                assert said["details"]["detail"] == "AUTH " + "*" * len(secret)


# -- who is let in


@pytest.fixture
def guarded() -> Iterator[RunningGateway]:
    """Other machines could reach it; it asks for tokens and knows one page."""
    http = {"address": "0.0.0.0:0", "token_secret": SECRET, "allowed_origins": PAGE}
    access = access_of(HttpSettings.model_validate(http), (SECRET,))
    with running_gateway(access=access, host="0.0.0.0") as running:
        yield running


def mint(ttl_s: float = 600) -> str:
    return Tokens(SECRET, "tickwire").mint(ttl_s)


@pytest.mark.parametrize("auth", [None, {}, {"token": "x"}, {"token": 7}, {"token": ["x"]}, {"Token": "x"}])
def test_without_a_good_token_nobody_is_let_in(guarded: RunningGateway, auth: object) -> None:
    with RawSocket(guarded.url) as stranger:
        assert stranger.read().startswith("0{")
        stranger.send("40" if auth is None else f"40{json.dumps(auth)}")
        refusal = stranger.read()
        assert refusal.startswith("44")
        assert "token" in refusal
        stranger.emit("check_status")
        stranger.emit("subscribe_monitor")
        stranger.send(f"40{json.dumps({'token': mint()})}")
        assert stranger.read().startswith("40{"), "until then it heard nothing"


@pytest.mark.parametrize("way", ["auth", "query", "header"])
def test_a_token_is_shown_in_any_of_three_ways(guarded: RunningGateway, way: str) -> None:
    token = mint()
    query = f"&token={token}" if way == "query" else ""
    header = [f"Authorization: Bearer {token}"] if way == "header" else []
    with RawSocket(guarded.url, query=query, header=header) as client:
        client.join({"token": token} if way == "auth" else None).emit("check_status")
        assert client.until("backend_status")["clients"] == 1


def test_a_connection_ends_with_its_token(guarded: RunningGateway) -> None:
    with RawSocket(guarded.url) as client:
        client.join({"token": mint(1.5)})
        assert "expired" in client.until("error")["message"]
        assert client.is_ended()


def test_an_allowed_page_may_connect_and_post(guarded: RunningGateway) -> None:
    asked = httpx.get(guarded.url + HANDSHAKE, headers={"Origin": PAGE}, trust_env=False)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, PAGE)
    assert len(asked.headers.get_list("access-control-allow-origin")) == 1
    preflight = httpx.options(guarded.url + HANDSHAKE, headers={"Origin": PAGE}, trust_env=False)
    assert "POST" in preflight.headers["access-control-allow-methods"]
    with RawSocket(guarded.url, origin=PAGE) as client:
        client.join({"token": mint()}).until("connection_status")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", f"{PAGE}.evil.example"])
def test_any_other_page_is_refused_over_both_transports(guarded: RunningGateway, origin: str) -> None:
    asked = httpx.get(guarded.url + HANDSHAKE, headers={"Origin": origin}, trust_env=False)
    assert asked.status_code == 403
    assert "access-control-allow-origin" not in asked.headers
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        RawSocket(guarded.url, origin=origin)


def test_a_rebound_name_is_refused_over_both_transports(guarded: RunningGateway) -> None:
    asked = httpx.get(guarded.url + HANDSHAKE, headers={"Host": "rebound.example"}, trust_env=False)
    assert asked.status_code == 403
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        RawSocket(guarded.url, host="rebound.example")
