"""The Redis of the simulation, held to a real server: the same commands to both, the same answers from both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import hiredis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from support.redis_model import RedisModel, commands_of
from support.redis_server import RedisServer, address, eventually

from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import Argument, pack

pytestmark = pytest.mark.timeout(180)

KEYS = st.sampled_from(["a", "b"])
GROUPS = st.sampled_from(["g", "h"])
CONSUMERS = st.sampled_from(["c", "d"])
SMALL = st.integers(0, 4)
PLACES = st.builds("{}-{}".format, SMALL, SMALL)
TEXTS = st.sampled_from(["", "x", "yy", "\r\n"])


class SameAnswers(RuleBasedStateMachine):
    """Every rule is one command, or one pipeline, to both."""

    link: ClassVar[RedisLink]

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.session = RedisModel(now_ms=lambda: self.now_ms).session()

    @initialize()
    def begin(self) -> None:
        self.both(("FLUSHALL",))

    def both(self, *commands: tuple[Argument, ...]) -> None:
        payload = b"".join(pack(*command) for command in commands)
        here = self.session.send(payload)
        there = self.link.call(payload, len(commands))
        for command, mine, real in zip(commands, here, there, strict=True):
            assert comparable(command, mine) == comparable(command, real), command

    # -- strings, hashes, lists

    @rule(key=KEYS, text=TEXTS)
    def set(self, key: str, text: str) -> None:
        self.both(("SET", key, text), ("GET", key))

    @rule(key=KEYS, text=TEXTS)
    def set_for_a_while(self, key: str, text: str) -> None:
        self.both(("SETEX", key, 3600, text), ("GET", key))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=2))
    def delete(self, keys: list[str]) -> None:
        self.both(("DEL", *keys))

    @rule(key=KEYS, fields=st.dictionaries(TEXTS, TEXTS, min_size=1))
    def set_fields(self, key: str, fields: dict[str, str]) -> None:
        pairs = [part for pair in fields.items() for part in pair]
        self.both(("HSET", key, *pairs), ("HMGET", key, "x", "yy", "z"))

    @rule(key=KEYS, texts=st.lists(TEXTS, min_size=1, max_size=5))
    def push(self, key: str, texts: list[str]) -> None:
        self.both(("LPUSH", key, *texts), ("LRANGE", key, 0, -1))

    @rule(key=KEYS, first=st.integers(-3, 3), last=st.integers(-3, 3))
    def trim_list(self, key: str, first: int, last: int) -> None:
        self.both(("LRANGE", key, first, last), ("LTRIM", key, first, last), ("LINDEX", key, first))

    @rule(key=KEYS, texts=st.lists(TEXTS, min_size=1, max_size=3), other=KEYS)
    def transact(self, key: str, texts: list[str], other: str) -> None:
        self.both(
            ("MULTI",),
            ("DEL", key),
            ("LPUSH", key, *texts),
            ("LTRIM", key, 0, 1),
            ("HSET", other, "epoch", "e"),
            ("EXEC",),
            ("LRANGE", key, 0, -1),
        )

    @rule()
    def execute_without_a_transaction(self) -> None:
        self.both(("EXEC",))

    @rule(text=TEXTS)
    def publish(self, text: str) -> None:
        self.both(("PUBLISH", "channel", text))

    # -- streams

    @rule(key=KEYS, group=GROUPS, after=st.one_of(PLACES, st.just("$")), make=st.booleans())
    def make_group(self, key: str, group: str, after: str, make: bool) -> None:
        self.both(("XGROUP", "CREATE", key, group, after, *(["MKSTREAM"] if make else [])))

    @rule(key=KEYS, group=GROUPS)
    def destroy_group(self, key: str, group: str) -> None:
        self.both(("XGROUP", "DESTROY", key, group))

    @rule(key=KEYS, places=st.lists(PLACES, min_size=1, max_size=4), make=st.booleans())
    def append(self, key: str, places: list[str], make: bool) -> None:
        no_make = [] if make else ["NOMKSTREAM"]
        self.both(*(("XADD", key, *no_make, place, "p", place) for place in sorted(places)))

    @rule(key=KEYS, places=st.lists(PLACES, min_size=1, max_size=3))
    def delete_entries(self, key: str, places: list[str]) -> None:
        self.both(("XDEL", key, *places))

    @rule(key=KEYS, place=PLACES)
    def trim_below(self, key: str, place: str) -> None:
        self.both(("XTRIM", key, "MINID", "=", place), ("XLEN", key))

    @rule(key=KEYS, length=SMALL)
    def trim_to_length(self, key: str, length: int) -> None:
        self.both(("XTRIM", key, "MAXLEN", "=", length), ("XLEN", key))

    @rule(key=KEYS, group=GROUPS, consumer=CONSUMERS, count=st.integers(1, 3))
    def read_new(self, key: str, group: str, consumer: str, count: int) -> None:
        self.both(("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">"))

    @rule(key=KEYS, group=GROUPS, consumer=CONSUMERS, count=st.integers(1, 3), after=PLACES)
    def read_pending(self, key: str, group: str, consumer: str, count: int, after: str) -> None:
        self.both(("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, after))

    @rule(key=KEYS, group=GROUPS, places=st.lists(PLACES, min_size=1, max_size=4))
    def acknowledge(self, key: str, group: str, places: list[str]) -> None:
        self.both(("XACK", key, group, *places), ("XPENDING", key, group))

    @rule(key=KEYS, group=GROUPS, consumer=CONSUMERS, start=PLACES, count=st.integers(1, 3), idle=st.booleans())
    def claim(self, key: str, group: str, consumer: str, start: str, count: int, idle: bool) -> None:
        """Idle for no time at all, or for longer than this test takes."""
        self.both(("XAUTOCLAIM", key, group, consumer, 3_600_000 if idle else 0, start, "COUNT", count))

    @rule(key=KEYS)
    def look(self, key: str) -> None:
        self.both(("XINFO", "STREAM", key), ("XINFO", "GROUPS", key), ("XLEN", key), ("XPENDING", key, "g"))

    @rule()
    def flush(self) -> None:
        self.both(("FLUSHALL",))


def comparable(command: tuple[Argument, ...], reply: Any) -> Any:
    """A reply, as far as tickwire reads it: later servers say more of a stream, and errors in other words."""
    if isinstance(reply, hiredis.ReplyError):
        return "error", str(reply).partition(" ")[0]
    if command[:2] == ("XINFO", "STREAM"):
        return {name: value for name, value in pairs(reply) if name in (b"length", b"last-generated-id", b"groups")}
    if command[:2] == ("XINFO", "GROUPS"):
        named = (b"name", b"pending", b"last-delivered-id")
        return [{name: value for name, value in pairs(group) if name in named} for group in reply]
    if isinstance(reply, list):
        return [comparable(("",), each) for each in reply]
    return reply


def pairs(fields: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(fields[::2], fields[1::2], strict=True)


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisLink]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        made = RedisLink(address(server.url), "model", timeout_s=20.0)
        made.start()
        eventually(lambda: made.up, "the link is up")
        yield made
        made.close()


def test_the_model_answers_as_the_server_does(link: RedisLink, request: pytest.FixtureRequest) -> None:
    SameAnswers.link = link
    examples = 2_000 if request.config.getoption("--long", default=False) else 200
    run_state_machine_as_test(
        SameAnswers,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )


@pytest.mark.parametrize(
    ("option", "value", "refusal"),
    [("maxmemory", "1", "out of memory"), ("replicaof", "127.0.0.1 1", "read-only")],
)
def test_the_model_refuses_what_the_server_refuses(
    link: RedisLink, option: str, value: str, refusal: str, tmp_path: Path
) -> None:
    commands = [
        ("SET", "s", "1"), ("SETEX", "s", 9, "1"), ("HSET", "h", "f", "1"), ("LPUSH", "l", "1"), ("DEL", "n"),
        ("LTRIM", "l", 0, 1), ("XADD", "x", "NOMKSTREAM", "1-1", "p", "1"),
        ("XGROUP", "CREATE", "x", "g", 0, "MKSTREAM"),
        ("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "x", ">"), ("XACK", "x", "g", "1-1"),
        ("XTRIM", "x", "MINID", "=", "1-1"), ("XAUTOCLAIM", "x", "g", "c", 0, "0-0", "COUNT", 1), ("XDEL", "x", "1-1"),
        ("MULTI",), ("LPUSH", "l", "1"), ("LTRIM", "l", 0, 1), ("EXEC",),
        ("GET", "s"), ("HMGET", "h", "f"), ("LRANGE", "l", 0, -1), ("XLEN", "x"), ("PUBLISH", "channel", "1"),
    ]  # fmt: skip
    payload = b"".join(pack(*command) for command in commands)
    model = RedisModel(now_ms=lambda: 0)
    model.refusal = refusal
    with RedisServer(tmp_path, options=[f"--{option}", *value.split()]) as server:
        made = RedisLink(address(server.url), "refusing", timeout_s=20.0)
        made.start()
        eventually(lambda: made.up, "the link is up")
        real = made.call(payload, len(commands))
        made.close()
    mine = model.session().send(payload)
    for command, here, there in zip(commands, mine, real, strict=True):
        assert comparable(command, here) == comparable(command, there), command


def test_a_pipeline_is_taken_apart_as_it_was_put_together() -> None:
    assert commands_of(pack("SET", "a", b"\r\n") + pack("GET", "a")) == [[b"SET", b"a", b"\r\n"], [b"GET", b"a"]]
