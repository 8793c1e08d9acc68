"""A subscription that knows when it is deaf, and says where it may have missed something."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.redis_server import PATIENCE_S, RedisServer, address, eventually

from tickwire.runtime.redisio.subscriber import Subscriber

pytestmark = pytest.mark.timeout(60)

HEARTBEAT = "tickwire:heartbeat"
Event = tuple[object, ...]


class Listening:
    """A subscriber and what it called back, in order."""

    def __init__(self, url: str, silence_s: float) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.subscriber = Subscriber(
            address(url),
            HEARTBEAT,
            on_message=lambda channel, payload: self.events.put(("message", channel, payload)),
            on_gap=lambda channel: self.events.put(("gap", channel)),
            on_state=lambda heard, detail: self.events.put(("heard" if heard else "deaf", detail)),
            silence_s=silence_s,
            backoff_s=(0.01, 0.05),
        )

    def next(self) -> Event:
        return self.events.get(timeout=PATIENCE_S)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def listening(server: RedisServer) -> Iterator[Listening]:
    made = Listening(server.url, silence_s=PATIENCE_S)
    made.subscriber.subscribe("updates:A")
    made.subscriber.start()
    yield made
    made.subscriber.close()


def publish(server: RedisServer, channel: str, payload: bytes) -> None:
    """Publish once somebody listens there."""
    with server.client() as client:
        while not client.publish(channel, payload):
            pass


def test_messages_and_heartbeats_are_heard(server: RedisServer, listening: Listening) -> None:
    publish(server, HEARTBEAT, b"1")
    assert listening.next() == ("heard", "")
    publish(server, "updates:A", b"\x00\r\n")
    publish(server, "updates:A", b"2")
    assert listening.next() == ("message", "updates:A", b"\x00\r\n")
    assert listening.next() == ("message", "updates:A", b"2")


def test_channels_are_added_and_left_while_it_runs(server: RedisServer, listening: Listening) -> None:
    listening.subscriber.subscribe("updates:B")
    publish(server, "updates:B", b"1")
    assert listening.next() == ("message", "updates:B", b"1")
    listening.subscriber.unsubscribe("updates:B")
    with server.client() as client:
        while client.publish("updates:B", b"late"):
            pass
    listening.subscriber.subscribe("updates:B")
    publish(server, "updates:B", b"2")
    while (event := listening.next())[2] == b"late":
        pass
    assert event == ("message", "updates:B", b"2")


def test_a_restarted_server_is_a_gap_on_every_channel(server: RedisServer, listening: Listening) -> None:
    publish(server, "updates:A", b"1")
    assert listening.next() == ("message", "updates:A", b"1")
    server.kill()
    assert listening.next() == ("deaf", "down")
    server.start()
    assert listening.next() == ("gap", "updates:A")
    publish(server, "updates:A", b"2")
    assert listening.next() == ("message", "updates:A", b"2")


def test_silence_is_deafness_and_ends_in_a_gap(server: RedisServer) -> None:
    listening = Listening(server.url, silence_s=0.3)
    listening.subscriber.subscribe("updates:A")
    listening.subscriber.start()
    try:
        publish(server, HEARTBEAT, b"1")
        assert listening.next() == ("heard", "")
        assert listening.next() == ("deaf", "no heartbeat")
        assert listening.next() == ("gap", "updates:A")
    finally:
        listening.subscriber.close()


def test_a_server_that_is_not_there_is_named_and_found_later(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    listening = Listening(server.url, silence_s=PATIENCE_S)
    listening.subscriber.subscribe("updates:A")
    listening.subscriber.start()
    try:
        assert listening.next() == ("deaf", "down")
        with server:
            publish(server, "updates:A", b"1")
            assert listening.next() == ("message", "updates:A", b"1")
    finally:
        listening.subscriber.close()


def test_closing_is_prompt_in_every_state(server: RedisServer, listening: Listening) -> None:
    publish(server, HEARTBEAT, b"1")
    listening.next()
    frozen = Listening(server.url, silence_s=PATIENCE_S)
    server.freeze()
    frozen.subscriber.start()
    for each in (listening, frozen):
        each.subscriber.close()
        each.subscriber.close()
    threads = threading.enumerate
    eventually(lambda: all(each.name != "redis-subscriber" for each in threads()), "the reading threads end")
