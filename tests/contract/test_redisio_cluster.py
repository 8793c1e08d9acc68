"""A server in cluster mode refuses a transaction over two slots: with tagged templates, none of ours is one."""

from collections.abc import Iterator

import pytest
from support.redis_engines import ServerEngine
from support.redis_server import RedisServer, eventually
from support.servers import free_port

from tickwire.actors.ports import ListPush, OutboxEntry, RedisRefused
from tickwire.market.keys import Keys

pytestmark = pytest.mark.timeout(60)

TAGGED = Keys(
    ticks_template="ticks:{{{asset}}}",
    epoch_template="tickwire:epoch:{{{asset}}}",
    outbox_template="tickwire:outbox:{{{producer}}}",
    acked_template="tickwire:acked:{{{producer}}}",
)
PUSHES = [ListPush(asset=asset, encoded=[b"$1\r\n1\r\n"], epoch="e", seq=1) for asset in ("EURUSD", "GBPUSD", "#AAPL")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    folder = tmp_path_factory.mktemp("cluster")
    # Left to itself the bus takes the port + 10000, which may be past the last there is.
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    with RedisServer(folder, options=options) as running, running.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        eventually(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), "the cluster is up")
        yield running


def test_every_adapter_works_with_tagged_keys(server: RedisServer) -> None:
    engine = ServerEngine(server.url, keys=TAGGED)
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward(PUSHES, [OutboxEntry("1-1", b"payload")])
    buffer.mark("EURUSD", "e", 1, clean=True, boot_ms=7)
    assert buffer.epoch("EURUSD").clean
    outbox.acknowledge([entry.id for entry in outbox.read_new(10)])
    assert buffer.acked_id() == "1-1"
    engine.cache().put([("EURUSD", "1m", b"[]"), ("GBPUSD", "1m", b"[]")])
    engine.registry().register({"EURUSD": b"{}"})
    engine.bus().publish([("updates:EURUSD", b"1"), ("updates:GBPUSD", b"1")])
    engine.close()


def test_without_the_tags_it_would_be_refused(server: RedisServer) -> None:
    engine = ServerEngine(server.url)
    with pytest.raises(RedisRefused, match="CROSSSLOT"):
        engine.buffer().forward(PUSHES, [])
    engine.close()
