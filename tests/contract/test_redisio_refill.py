"""What Gateway may rely on from Redis, on a real server and on the double of its tests."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.gateway import MemoryRefill
from support.redis_engines import Engine, MemoryEngine, ServerEngine
from support.redis_server import RedisServer

from tickwire.actors.ports import RedisRefused, RefillRedis
from tickwire.runtime.redisio.refill import RedisRefill

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["redis-server", "memory"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, RefillRedis]]:
    with ExitStack() as stack:
        if request.param == "memory":
            memory = MemoryEngine()
            yield memory, MemoryRefill(memory.redis)
            return
        server = ServerEngine(stack.enter_context(RedisServer(tmp_path)).url)
        stack.callback(server.close)
        yield server, RedisRefill(server.link(), server.keys)


def test_a_buffer_is_read_newest_first(both: tuple[Engine, RefillRedis]) -> None:
    engine, refill = both
    for item in (b"1", b"2", b"3"):
        engine.push("ticks:#AAPL_otc", item)
    assert list(refill.newest("#AAPL_otc")) == [b"3", b"2", b"1"]
    assert list(refill.newest("EURUSD_otc")) == []


def test_registered_assets_are_read(both: tuple[Engine, RefillRedis]) -> None:
    engine, refill = both
    assert list(refill.assets()) == []
    engine.registry().register({"#AAPL_otc": b"{}", "XBT/USD": b"{}"})
    assert set(refill.assets()) == {"#AAPL_otc", "XBT/USD"}


def test_names_that_are_no_assets_are_left_out_and_a_wrong_type_is_refused(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as running:
        server = ServerEngine(running.url)
        refill = RedisRefill(server.link(), server.keys)
        server.registry().register({"A": b"{}", "no asset": b"{}", "é": b"{}"})
        assert list(refill.assets()) == ["A"]
        server.push(server.keys.historical("A", "1m"), b"x")
        with running.client() as client:
            client.set("ticks:A", "text")
        with pytest.raises(RedisRefused):
            refill.newest("A")
        server.close()
