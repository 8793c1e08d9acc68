"""A feed whose connection is cut: nothing is joined over the cut, and what it cost is on record until it is closed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.feeds_clients import RealClock
from support.tickwire_process import Tickwire, eventually, tickwire

from tickwire.actors.ports import TEXT
from tickwire.runtime.feeds.loopback import LoopbackClient, LoopbackServer, server_frame
from tickwire.runtime.feeds.simulated import SimulatedBroker

pytestmark = pytest.mark.timeout(60)

ASSET = "EURUSD_otc"


class Exchange:
    """A JSON venue: each client is told the ticks said since it came, and nothing that was before."""

    def __init__(self) -> None:
        self._said: list[bytes] = []
        self.server = LoopbackServer(self._serve, name="exchange")
        self.clients = 0

    def say(self, ts_us: int, price: float) -> None:
        self._said.append(orjson.dumps([ASSET, ts_us / 1e6, price]))
        self.server.wake_clients()

    def _serve(self, client: LoopbackClient) -> None:
        told = len(self._said)
        self.clients += 1
        while True:
            for payload in self._said[told:]:
                client.write(server_frame(TEXT, payload))
                told += 1
            client.take_messages()
            client.wait(None)


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    made = Exchange()
    made.server.start()
    try:
        yield made
    finally:
        made.server.stop()


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    made = SimulatedBroker([ASSET], 20, clock=RealClock())
    made.start()
    try:
        yield made
    finally:
        made.stop()


def asset(running: Tickwire) -> dict[str, Any]:
    found = running.get("/api/v1/assets")["assets"]
    return dict(found[0]) if found else {"epoch": "", "seq": 0}


def in_a_new_epoch(running: Tickwire, epoch: str, ticks: int) -> None:
    eventually(lambda: (now := asset(running))["epoch"] != epoch and now["seq"] >= ticks, "ticks in a new epoch")


def test_what_a_cut_left_out_is_listed_from_the_last_tick_before_it_to_the_first_one_after_it(
    exchange: Exchange, tmp_path: Path
) -> None:
    start_us = time.time_ns() // 1_000_000_000 * 1_000_000
    feed = f"json+{exchange.server.url}/"
    with tickwire("run", "--feed", feed, folder=tmp_path) as running:
        eventually(lambda: exchange.clients == 1, "the relay has come")
        for place in range(3):
            exchange.say(start_us + place * 100_000, 1.1)
        eventually(lambda: asset(running)["seq"] == 3, "the ticks before the cut")
        epoch = asset(running)["epoch"]
        exchange.server.drop_clients()
        eventually(lambda: exchange.clients == 2, "the relay has come again")
        exchange.say(start_us + 400_000, 1.3)
        in_a_new_epoch(running, epoch, 1)
        holes = eventually(lambda: running.get(f"/api/v1/holes/{ASSET}")["holes"], "the hole is listed")
        assert [(hole["from"], hole["to"]) for hole in holes] == [
            ((start_us + 200_000) / 1e6, (start_us + 400_000) / 1e6)
        ]


def test_the_history_that_the_broker_sends_after_a_cut_closes_the_hole(broker: SimulatedBroker, tmp_path: Path) -> None:
    feed = f"pocketoption+{broker.url.partition('/socket.io')[0]}/?assets={ASSET}"
    with tickwire(
        "run", "--feed", feed, folder=tmp_path, environment={"TICKWIRE_POCKETOPTION_SESSION": "s"}
    ) as running:
        eventually(lambda: asset(running)["seq"] > 10, "ticks before the cut")
        epoch = asset(running)["epoch"]
        broker.drop_clients()
        in_a_new_epoch(running, epoch, 10)
        eventually(lambda: running.get(f"/api/v1/holes/{ASSET}")["count"] == 0, "the hole is closed")
