"""What the doctor says of Redis servers, good ones and bad ones. All of it on real servers."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from support.redis_server import FakeRedisServer, RedisServer, address
from support.servers import free_port

from tickwire.market.keys import Keys
from tickwire.runtime.doctor.findings import Finding
from tickwire.runtime.doctor.redis_buffers import Watch, check_buffers
from tickwire.runtime.doctor.redis_rights import check_rights, commands
from tickwire.runtime.doctor.redis_server import check_server, client, clock, reachable

pytestmark = pytest.mark.timeout(60)

KEYS = Keys()
MIB = 1024 * 1024
ADAPTERS = Path(__file__).resolve().parents[2] / "runtime" / "redisio"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", append_only=True) as running:
        yield running


@pytest.fixture
def asked(server: RedisServer) -> Iterator[Any]:
    with client(address(server.url)) as made:
        yield made


def states(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.check: finding.state for finding in findings}


def only(findings: Iterator[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def test_a_server_as_it_should_be_is_in_order_and_left_untouched(server: RedisServer, asked: Any) -> None:
    url = address(server.url)
    assert reachable(asked, url).state == "ok"
    assert set(states(check_server(asked, window_bytes=MIB)).values()) == {"ok"}
    assert states(check_rights(asked, KEYS)) == {"redis rights": "ok"}
    assert clock(asked).state == "ok"
    assert states(check_buffers(asked, KEYS, size=1000, watch_s=0.0)) == {"redis buffers": "ok"}
    with server.client() as looking:
        assert looking.dbsize() == 0


@pytest.mark.parametrize(
    ("name", "value", "check", "state", "word"),
    [
        ("maxmemory-policy", "allkeys-lru", "redis eviction", "failed", "noeviction"),
        ("maxmemory", "20mb", "redis memory", "warning", "maxmemory"),
        ("maxmemory", "1", "redis memory", "failed", "maxmemory"),
        ("appendonly", "no", "redis persistence", "warning", "appendonly yes"),
        ("maxclients", "5", "redis clients", "warning", "maxclients"),
    ],
)
def test_each_setting_that_is_wrong_is_found_with_its_remedy(
    name: str, value: str, check: str, state: str, word: str, server: RedisServer, asked: Any
) -> None:
    with server.client() as owner:
        owner.config_set(name, value)
        found = only(check_server(asked, window_bytes=64 * MIB), check)
    assert (found.state, word in found.remedy) == (state, True), found


def test_a_replica_is_found(server: RedisServer, asked: Any) -> None:
    with server.client() as owner:
        owner.replicaof("127.0.0.1", free_port())
        found = list(check_server(asked, window_bytes=MIB))
        refused = list(check_rights(asked, KEYS))
    assert only(iter(found), "redis role").state == "failed"
    assert [finding.state for finding in refused] == ["failed"]
    assert refused[0].seen.startswith("read-only")


def test_a_full_server_is_named_without_writing_into_it(server: RedisServer, asked: Any) -> None:
    with server.client() as owner:
        owner.config_set("maxmemory", "1")
        (found,) = check_rights(asked, KEYS)
        assert found.state == "failed"
        assert found.seen.startswith("out of memory")
        assert "maxmemory" in found.remedy
        assert owner.dbsize() == 0


def test_rights_that_lack_are_named_and_the_remedy_gives_them(server: RedisServer) -> None:
    with server.client() as owner:
        owner.acl_setuser("narrow", enabled=True, passwords=["+s3cret"], keys=["ticks:*"], categories=["+@all"])
        narrow = address(server.url.replace("redis://", "redis://narrow:s3cret@"))
        with client(narrow) as asked:
            (found,) = check_rights(asked, KEYS)
        assert found.state == "failed"
        assert "no permission" in found.seen
        assert "tickwire:" in found.seen
        rules = found.remedy.removeprefix("ACL SETUSER NAME ").split()
        owner.execute_command("ACL", "SETUSER", "fitting", "reset", "on", ">s3cret", *rules)
        fitting = address(server.url.replace("redis://", "redis://fitting:s3cret@"))
        with client(fitting) as asked:
            assert states(check_rights(asked, KEYS)) == {"redis rights": "ok"}
            assert "failed" not in states(check_server(asked, window_bytes=MIB)).values()
            assert clock(asked).state == "ok"
            assert states(check_buffers(asked, KEYS, size=1000, watch_s=0.0)) == {"redis buffers": "ok"}


def test_every_command_that_the_adapters_send_is_tried() -> None:
    sent = set()
    for module in ADAPTERS.glob("*.py"):
        sent |= set(re.findall(r'"([A-Z]{3,}[A-Z]*)"', module.read_text(encoding="utf-8")))
    commands_sent = sent & {name.upper() for name in _known()}
    elsewhere = {"MULTI", "EXEC", "INFO", "PING", "SUBSCRIBE", "UNSUBSCRIBE", "READONLY"}  # the last is an error's name
    assert len(commands_sent) > 15
    assert commands_sent - elsewhere <= {str(command[0]) for command in commands(KEYS)}


def _known() -> set[str]:
    """Names of Redis commands, by redis-py's own methods."""
    return {name for name in dir(redis.Redis) if not name.startswith("_")} | {"multi", "exec"} | {
        f"x{word}" for word in ("group", "info", "readgroup", "autoclaim", "pending", "add", "trim", "ack", "len")
    }  # fmt: skip


def test_who_is_down_or_wants_another_password_is_named(tmp_path: Path) -> None:
    nobody = address(f"redis://127.0.0.1:{free_port()}/0")
    with client(nobody) as asked:
        found = reachable(asked, nobody)
    assert (found.state, "--redis" in found.remedy) == ("failed", True)
    with RedisServer(tmp_path / "redis", password="s3cret") as server:
        wrong = address(server.url.replace("s3cret", "guessed"))
        with client(wrong) as asked:
            found = reachable(asked, wrong)
    assert found.state == "failed"
    assert "wrong password" in found.seen
    assert "guessed" not in found.seen + found.remedy


def test_a_server_without_info_is_named_as_what_it_is() -> None:
    with FakeRedisServer() as fake, client(address(fake.url)) as asked:
        (found,) = check_server(asked, window_bytes=MIB)
        assert found.state == "warning"
        assert "fakeredis" in found.seen
        assert states(check_rights(asked, KEYS)) == {"redis rights": "ok"}


# -- who takes ticks away ------------------------------------------------------------------------------------------


class Relay:
    """BufferKeeper's transaction: push, trim and the hash together."""

    def __init__(self, server: Any, asset: str) -> None:
        self._server = server
        self._asset = asset
        self._seq = 0
        server.hset(KEYS.assets, asset, "{}")

    def push(self, ticks: int) -> None:
        self._seq += ticks
        with self._server.pipeline(transaction=True) as pipeline:
            pipeline.lpush(KEYS.ticks(self._asset), *range(ticks))
            pipeline.ltrim(KEYS.ticks(self._asset), 0, 99)
            pipeline.hset(KEYS.epoch(self._asset), mapping={"epoch": "e1", "seq": self._seq})
            pipeline.execute()


def while_watching(server: RedisServer, asked: Any, act: Callable[[Any], None]) -> Finding:
    """The finding of a watch during which `act` is called over and over."""
    ended = threading.Event()

    def go_on() -> None:
        with server.client() as other:
            while not ended.wait(0.02):
                act(other)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        (found,) = check_buffers(asked, KEYS, size=100, watch_s=1.0)
    finally:
        ended.set()
        thread.join()
    return found


def test_buffers_from_which_nobody_takes_are_whole_while_ticks_come_in(server: RedisServer, asked: Any) -> None:
    with server.client() as owner:
        relay = Relay(owner, "EURUSD_otc")
        relay.push(90)
        found = while_watching(server, asked, lambda _: relay.push(3))
    assert found.state == "ok"
    assert re.search(r"nobody took any of the [1-9]\d* ticks", found.seen)


def test_a_program_that_pops_ticks_is_caught_and_its_connection_named(server: RedisServer, asked: Any) -> None:
    with server.client() as owner:
        relay = Relay(owner, "EURUSD_otc")
        relay.push(90)

        def drain(other: Any) -> None:
            relay.push(2)
            other.rpop(KEYS.ticks("EURUSD_otc"), 5)

        found = while_watching(server, asked, drain)
    assert found.state == "failed"
    assert "ticks:EURUSD_otc" in found.seen
    assert "rpop" in found.seen
    assert "RedisBatchProcessor" in found.remedy


def test_a_batch_job_that_was_at_work_before_shows_in_a_buffer_that_is_too_short(
    server: RedisServer, asked: Any
) -> None:
    with server.client() as owner:
        relay = Relay(owner, "EURUSD_otc")
        relay.push(80)
        owner.delete(KEYS.ticks("EURUSD_otc"))
        relay.push(5)
        (found,) = check_buffers(asked, KEYS, size=100, watch_s=0.0)
    assert found.state == "warning"
    assert "holds 80 ticks fewer" in found.seen


def test_a_full_buffer_that_is_trimmed_has_lost_nothing() -> None:
    watch = Watch(100)
    for seq, length in ((99, 99), (150, 100), (400, 100)):
        watch.take(b"e", seq, length)
    assert (watch.came, watch.taken, watch.short) == (301, 0, 0)


def test_a_new_epoch_starts_the_count_anew() -> None:
    watch = Watch(100)
    watch.take(b"e1", 90, 90)
    watch.take(b"e2", 5, 95)
    assert (watch.came, watch.taken, watch.short) == (0, 0, 0)
