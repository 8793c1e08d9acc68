"""A link against real servers that are absent, killed, frozen, loading, full, locked, or not who they claim to be."""

import contextlib
import gc
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hiredis
import pytest
import redis
from support.redis_server import PATIENCE_S, RedisServer, address, eventually, make_tls
from support.servers import free_port

from tickwire.actors.ports import LinkDown
from tickwire.messages.lifecycle import LinkState
from tickwire.runtime.redisio.handshake import Opening, shut
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import pack

pytestmark = pytest.mark.timeout(60)

PING = pack("PING")
Change = tuple[LinkState, str]


class Watched:
    """A link and what its listener was told."""

    def __init__(self, url: str, *, timeout_s: float = 5.0, fence: Any = None) -> None:
        self.history: list[Change] = []
        self._changed = threading.Condition()
        self.link = RedisLink(
            address(url),
            "test",
            listener=self._listen,
            fence=fence,
            timeout_s=timeout_s,
            backoff_s=(0.01, 0.05),
        )

    def _listen(self, state: LinkState, detail: str) -> None:
        with self._changed:
            self.history.append((state, detail))
            self._changed.notify_all()

    def await_change(self, change: Change, *, after: int = 0) -> int:
        """Wait until the listener was told `change` as its `after`-th or later; returns how many it has been told."""
        with self._changed:
            told = self._changed.wait_for(lambda: change in self.history[after:], PATIENCE_S)
            assert told, f"{change} did not come after {self.history}"
            return after + self.history[after:].index(change) + 1

    def call(self, payload: bytes = PING, replies: int = 1) -> list[Any]:
        return self.link.call(payload, replies)


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def make(url: str, **options: Any) -> Watched:
        watched = Watched(url, **options)
        made.append(watched)
        watched.link.start()
        return watched

    yield make
    for watched in made:
        watched.link.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", append_only=True) as running:
        yield running


def test_a_link_comes_up_and_carries_commands(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url)
    watched.await_change(("up", ""))
    assert watched.call(pack("SET", "k", b"\x00\r\n") + pack("GET", "k"), 2) == [b"OK", b"\x00\r\n"]
    with server.client() as client:
        assert [each["name"] for each in client.client_list() if each["name"]] == ["tickwire:test"]


def test_an_error_reply_is_a_value(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url)
    watched.await_change(("up", ""))
    error, pong = watched.call(pack("NONSENSE") + PING, 2)
    assert isinstance(error, hiredis.ReplyError)
    assert pong == b"PONG"
    assert watched.link.up


def test_large_payloads_go_both_ways(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url)
    watched.await_change(("up", ""))
    value = bytes(range(256)) * 40_000
    assert watched.call(pack("SET", "k", value) + pack("GET", "k"), 2) == [b"OK", value]


def test_a_refused_port_degrades_and_a_server_there_later_is_found(
    tmp_path: Path, watch: Callable[..., Watched]
) -> None:
    server = RedisServer(tmp_path / "redis")
    watched = watch(server.url)
    told = watched.await_change(("degraded", "down"))
    with pytest.raises(LinkDown) as raised:
        watched.call()
    assert raised.value.detail == "down"
    with server:
        watched.await_change(("up", ""), after=told)
        assert watched.call() == [b"PONG"]


def of_redis_py() -> Counter[str]:
    """How many connections and parsers there are."""
    names = [type(each).__name__ for each in gc.get_objects()]
    return Counter(name for name in names if name.endswith("Parser") or name in ("_Plain", "_Tls"))


def test_an_attempt_leaves_nothing_for_the_collector(server: RedisServer) -> None:
    """It hardly ever runs in a process of ours: an hour's outage would keep a read buffer for each attempt."""
    closed, locked = f"redis://127.0.0.1:{free_port()}/0", server.url.replace("redis://", "redis://u:wrong@")
    gc.collect()
    gc.disable()
    try:
        before = of_redis_py()
        for url in (closed, locked) * 3:
            with pytest.raises((OSError, redis.exceptions.RedisError)):
                Opening(address(url), "test", timeout_s=5.0).connect()
        Opening(address(server.url), "test", timeout_s=5.0).connect().close()
        assert of_redis_py() == before
    finally:
        gc.enable()


def test_before_its_first_attempt_a_link_is_connecting() -> None:
    link = RedisLink(address(f"redis://127.0.0.1:{free_port()}"), "test")
    assert (link.state, link.detail, link.up) == ("connecting", "", False)
    with pytest.raises(LinkDown):
        link.call(PING, 1)
    link.close()


def test_a_killed_server_degrades_an_idle_link_and_its_restart_brings_it_up(
    server: RedisServer, watch: Callable[..., Watched]
) -> None:
    watched = watch(server.url)
    told = watched.await_change(("up", ""))
    watched.call(pack("SET", "k", "v"))
    server.kill()
    told = watched.await_change(("degraded", "down"), after=told)
    server.start()
    watched.await_change(("up", ""), after=told)
    assert watched.call(pack("GET", "k")) == [b"v"]


def test_a_connection_cut_by_the_server_is_made_anew(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url)
    told = watched.await_change(("up", ""))
    with server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    told = watched.await_change(("degraded", "down"), after=told)
    watched.await_change(("up", ""), after=told)
    assert watched.call() == [b"PONG"]


def test_a_frozen_server_times_out_a_call_and_is_taken_up_again(
    server: RedisServer, watch: Callable[..., Watched]
) -> None:
    watched = watch(server.url, timeout_s=0.3)
    told = watched.await_change(("up", ""))
    server.freeze()
    with pytest.raises(LinkDown) as raised:
        watched.call()
    assert raised.value.detail == "timeout"
    told = watched.await_change(("degraded", "timeout"), after=told)
    server.thaw()
    watched.await_change(("up", ""), after=told)
    assert watched.call() == [b"PONG"]


def test_a_frozen_server_with_full_buffers_times_out_a_large_write(
    server: RedisServer, watch: Callable[..., Watched]
) -> None:
    watched = watch(server.url, timeout_s=0.3)
    told = watched.await_change(("up", ""))
    server.freeze()
    with pytest.raises(LinkDown) as raised:
        watched.call(pack("SET", "k", b"x" * 64_000_000))
    assert raised.value.detail == "timeout"
    server.thaw()
    watched.await_change(("up", ""), after=told)


def test_a_late_reply_never_answers_a_later_call(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url, timeout_s=0.3)
    told = watched.await_change(("up", ""))
    server.freeze()
    with pytest.raises(LinkDown):
        watched.call(pack("ECHO", "late"))
    server.thaw()
    watched.await_change(("up", ""), after=told)
    assert watched.call(pack("ECHO", "mine")) == [b"mine"]


def test_a_wrong_password_is_named_and_tried_again(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    with RedisServer(tmp_path / "redis", password="right") as server:
        told_wrong = watch(server.url.replace("right", "wrong"))
        told_nothing = watch(server.url.replace(":right@", ""))
        told = told_wrong.await_change(("degraded", "wrong password"))
        told_nothing.await_change(("degraded", "wrong password"))
        with server.client() as client:
            client.config_set("requirepass", "wrong")
            told_wrong.await_change(("up", ""), after=told)
        assert told_wrong.call() == [b"PONG"]


def test_a_password_of_any_characters_is_understood(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    with RedisServer(tmp_path / "redis", password="p@ss:/ #?%") as server:
        watch(server.url).await_change(("up", ""))


def test_a_loading_server_is_named_until_it_has_loaded(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    slow = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]
    with RedisServer(tmp_path / "redis", options=slow) as server:
        with server.client() as client:
            client.mset({f"key-{number}": b"x" * 1000 for number in range(500)})
            client.save()
        server.kill()
        server.start(wait=False)
        watched = watch(server.url)
        told = watched.await_change(("degraded", "loading"))
        watched.await_change(("up", ""), after=told)


def test_a_full_server_is_named_and_let_in_later(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    with RedisServer(tmp_path / "redis", options=["--maxclients", "2"]) as server, server.client() as client:
        client.ping()
        with socket.create_connection(("127.0.0.1", server.port)):
            watched = watch(server.url)
            told = watched.await_change(("degraded", "max clients"))
        watched.await_change(("up", ""), after=told)


def test_a_database_that_is_not_there_is_named(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url.replace("/0", "/99"))
    watched.await_change(("degraded", "refused: DB index is out of range"))


def test_tls_comes_up_when_certificate_and_host_fit(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    tls = make_tls(tmp_path / "tls", "IP:127.0.0.1")
    with RedisServer(tmp_path / "redis", tls=tls) as server:
        watched = watch(server.url)
        told = watched.await_change(("up", ""))
        value = b"x" * 3_000_000
        assert watched.call(pack("SET", "k", value) + pack("GET", "k"), 2) == [b"OK", value]
        server.kill()
        watched.await_change(("degraded", "down"), after=told)


def test_tls_refuses_a_certificate_of_another_host(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    tls = make_tls(tmp_path / "tls", "DNS:elsewhere.example")
    server = RedisServer(tmp_path / "redis", tls=tls)
    server.start(wait=False)
    try:
        watched = watch(server.url)
        eventually(lambda: "certificate refused" in watched.link.detail, "the certificate is refused")
        assert "127.0.0.1" in watched.link.detail
        assert not watched.link.up
        watched.link.close()
    finally:
        server.kill()


def test_tls_refuses_an_unknown_authority(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    tls = make_tls(tmp_path / "tls", "IP:127.0.0.1")
    with RedisServer(tmp_path / "redis", tls=tls) as server:
        watched = watch(server.url.partition("?")[0])
        eventually(lambda: "certificate refused" in watched.link.detail, "the certificate is refused")
        # Before its server: CPython forgets to close a socket that is reset just before its TLS handshake.
        watched.link.close()


def test_a_frozen_tls_server_times_out_a_large_write(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    tls = make_tls(tmp_path / "tls", "IP:127.0.0.1")
    with RedisServer(tmp_path / "redis", tls=tls) as server:
        watched = watch(server.url, timeout_s=1.0)
        watched.await_change(("up", ""))
        server.freeze()
        with pytest.raises(LinkDown) as raised:
            watched.call(pack("SET", "k", b"x" * 32_000_000))
        assert raised.value.detail == "timeout"
        server.thaw()
        watched.link.close()


def test_closing_ends_the_helper_thread_in_every_state(server: RedisServer, watch: Callable[..., Watched]) -> None:
    up, refused, frozen = watch(server.url), watch(f"redis://127.0.0.1:{free_port()}"), Watched(server.url)
    up.await_change(("up", ""))
    refused.await_change(("degraded", "down"))
    server.freeze()
    frozen.link.start()
    for watched in (up, refused, frozen):
        watched.link.close()
        watched.link.close()
        assert not watched.link.up
    threads = threading.enumerate
    eventually(lambda: all(each.name != "redis-link-test" for each in threads()), "the helper threads end")


def test_a_call_under_way_ends_when_the_link_is_shut(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url, timeout_s=PATIENCE_S)
    told = watched.await_change(("up", ""))
    server.freeze()
    outcome: list[object] = []

    def block() -> None:
        try:
            outcome.append(watched.call())
        except LinkDown as error:
            outcome.append(error)

    caller = threading.Thread(target=block)
    caller.start()
    eventually(lambda: watched.link._calling.locked(), "the call is under way")
    watched.link.shut()
    caller.join(PATIENCE_S)
    assert isinstance(outcome[0], LinkDown)
    server.thaw()
    watched.await_change(("up", ""), after=told)


def test_what_an_abandoned_connection_had_not_delivered_is_never_delivered() -> None:
    """A server that takes nothing for a while finds what had reached it, then the end, and nothing from after it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        abandoned = socket.create_connection(listener.getsockname(), timeout=PATIENCE_S)
        stalled, _ = listener.accept()
    stalled.settimeout(PATIENCE_S)
    abandoned.setblocking(False)
    sent = _until_blocked(abandoned)
    shut(abandoned)
    abandoned.close()
    heard = bytearray()
    with stalled, pytest.raises(ConnectionResetError):
        _read_on(stalled, heard)
    assert len(heard) < sent


def _until_blocked(sender: socket.socket) -> int:
    """Bytes that the system took."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sender.send(b"x" * 65_536)
    return sent


def _read_on(receiver: socket.socket, heard: bytearray) -> None:
    while piece := receiver.recv(65_536):
        heard += piece


class Fenced(Exception):
    """As the kernel's: this incarnation may write no more."""


class ClosedFence:
    closed = True

    def check(self) -> None:
        raise Fenced


def test_a_fenced_owner_writes_nothing(server: RedisServer, watch: Callable[..., Watched]) -> None:
    watched = watch(server.url, fence=ClosedFence())
    watched.await_change(("up", ""))
    with pytest.raises(Fenced):
        watched.call(pack("SET", "k", "v"))
    with server.client() as client:
        assert client.get("k") is None


def test_a_server_that_hangs_up_at_once_is_tried_again_and_told_once(watch: Callable[..., Watched]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        watched = watch(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        for _ in range(5):
            listener.accept()[0].close()
        watched.await_change(("degraded", "down"))
        watched.link.close()
    assert watched.history == [("degraded", "down")]
