"""What adapters raise when a real server answers and refuses, and that the link stays up through it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.redis_engines import PRODUCER, ServerEngine
from support.redis_server import RedisServer

from tickwire.actors.ports import ListPush, OutboxEntry, OutboxMissing, RedisRefused
from tickwire.runtime.redisio.faults import kind_of

pytestmark = pytest.mark.timeout(60)

ASSET = "EURUSD_otc"
PUSH = ListPush(asset=ASSET, encoded=[b"$1\r\n1\r\n"], epoch="e1", seq=1)
MORE = ListPush(asset=ASSET, encoded=[b"$1\r\n2\r\n"], epoch="e1", seq=2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def engine(server: RedisServer) -> Iterator[ServerEngine]:
    engine = ServerEngine(server.url)
    yield engine
    engine.close()


def entry(place: str) -> OutboxEntry:
    return OutboxEntry(place, b"payload")


def test_out_of_memory_is_named_and_passes(server: RedisServer, engine: ServerEngine) -> None:
    buffer = engine.buffer()
    buffer.make_outbox()
    with server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(RedisRefused) as raised:
            buffer.forward([PUSH], [entry("1-1")])
        assert (raised.value.kind, buffer.link.up) == ("out of memory", True)
        client.config_set("maxmemory", "0")
    buffer.forward([PUSH], [entry("1-1")])
    assert engine.list(engine.keys.ticks(ASSET)) == [b"1"]


def test_out_of_memory_does_not_stop_the_trim_that_makes_room(server: RedisServer, engine: ServerEngine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], [entry("1-1"), entry("1-2")])
    read = outbox.read_new(10)
    with server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(RedisRefused) as raised:
            outbox.acknowledge([each.id for each in read])
        assert raised.value.kind == "out of memory"
        client.config_set("maxmemory", "0")
    assert outbox.backlog() == 0
    buffer.forward([], [entry("1-3")])
    outbox.acknowledge([each.id for each in outbox.read_new(10)])
    assert buffer.acked_id() == "1-3"


def test_a_read_only_replica_is_named(server: RedisServer, engine: ServerEngine) -> None:
    buffer = engine.buffer()
    with server.client() as client:
        client.replicaof("127.0.0.1", server.port)
        with pytest.raises(RedisRefused) as raised:
            buffer.forward([PUSH], [])
    assert raised.value.kind == "read-only"


def test_a_server_that_cannot_persist_is_named(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", options=["--save", "3600 1"]) as server, server.client() as client:
        engine = ServerEngine(server.url)
        client.set("k", "v")
        # A directory in the dump's place makes the background save fail, as a full disk would.
        (server.folder / "dump.rdb").mkdir()
        client.bgsave()
        while client.info("persistence")["rdb_bgsave_in_progress"]:
            pass
        with pytest.raises(RedisRefused) as raised:
            engine.buffer().forward([PUSH], [])
        assert raised.value.kind == "misconf"
        engine.close()


def test_missing_rights_are_named_and_the_rest_goes_through(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "relay", "on", ">secret", "~*", "&*", "+@all", "-publish")
    engine = ServerEngine(f"redis://relay:secret@127.0.0.1:{server.port}/0")
    bus = engine.bus()
    with pytest.raises(RedisRefused) as raised:
        bus.publish([("channel", b"payload")])
    assert (raised.value.kind, bus.link.up) == ("no permission", True)
    engine.cache().put([(ASSET, "1m", b"[]")])
    engine.close()


def test_an_error_inside_a_transaction_is_an_error(server: RedisServer, engine: ServerEngine) -> None:
    buffer = engine.buffer()
    with server.client() as client:
        client.set(engine.keys.ticks(ASSET), "not a list")
    with pytest.raises(RedisRefused) as raised:
        buffer.forward([PUSH], [])
    assert "WRONGTYPE" in raised.value.answer
    buffer.forward([ListPush(asset=ASSET, encoded=PUSH.encoded, epoch="e1", seq=1, rewrite=True)], [])
    assert engine.list(engine.keys.ticks(ASSET)) == [b"1"]


def test_a_list_is_pushed_and_marked_as_one_or_not_at_all(server: RedisServer, engine: ServerEngine) -> None:
    buffer = engine.buffer()
    buffer.forward([PUSH], [])
    with server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(RedisRefused):
            buffer.forward([MORE], [])
        client.config_set("maxmemory", "0")
    assert engine.list(engine.keys.ticks(ASSET)) == [b"1"]
    assert engine.hash(engine.keys.epoch(ASSET))["seq"] == b"1"


def test_entries_deleted_before_they_were_stored_are_told_once_and_hold_the_floor(
    server: RedisServer, engine: ServerEngine
) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], [entry(f"1-{row}") for row in (1, 2, 3)])
    outbox.read_new(10)
    with server.client() as client:
        client.xdel(engine.keys.outbox(PRODUCER), "1-2")
    with pytest.raises(OutboxMissing):
        outbox.read_own_pending("0-0", 10)
    assert [each.id for each in outbox.read_own_pending("0-0", 10)] == ["1-1", "1-3"]
    outbox.acknowledge(["1-1", "1-3"])
    assert buffer.acked_id() == "1-1"

    buffer.forward([], [entry("2-2"), entry("2-3")])
    outbox.acknowledge([each.id for each in outbox.read_new(10)])
    assert buffer.acked_id() == "2-3"
    assert outbox.backlog() == 0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("LOADING Redis is loading the dataset in memory", "loading"),
        ("READONLY You can't write against a read only replica.", "read-only"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "out of memory"),
        ("MISCONF Redis is configured to save RDB snapshots", "misconf"),
        ("ERR max number of clients reached", "max clients"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "wrong password"),
        ("NOAUTH Authentication required.", "wrong password"),
        ("ERR invalid password", "wrong password"),
        ("NOPERM this user has no permissions to run the 'set' command", "no permission"),
        ("ERR unknown command 'FOO'", "other"),
        ("", "other"),
    ],
)
def test_refusals_are_named(answer: str, kind: str) -> None:
    assert kind_of(answer) == kind
