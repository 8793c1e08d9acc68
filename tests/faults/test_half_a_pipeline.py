"""A server that refuses the first half of a pipeline and takes the second must not end with a hole."""

import threading
from pathlib import Path

import pytest
from support.fault_proxy import FaultProxy
from support.redis_server import RedisServer, address, eventually

from tickwire.actors.ports import OutboxEntry, PortError
from tickwire.market.keys import Keys
from tickwire.runtime.redisio.buffer import RedisBuffer
from tickwire.runtime.redisio.link import RedisLink

ENTRIES = [OutboxEntry(f"5-{row}", b"x" * 200) for row in range(1, 101)]
"""A pipeline of less than one piece of the proxy's."""


@pytest.mark.parametrize("after", [None, "5-0"], ids=["first", "behind others"])
def test_rows_refused_in_the_midst_of_a_pipeline_are_not_taken_for_rows_that_are_in(
    tmp_path: Path, after: str | None
) -> None:
    with RedisServer(tmp_path) as server, server.client() as admin, FaultProxy(server.port) as proxy:
        link = RedisLink(address(f"redis://127.0.0.1:{proxy.port}/0"), "test", timeout_s=30.0)
        link.start()
        eventually(lambda: link.up, "the link is up")
        buffer = RedisBuffer(link, Keys(), "p")
        buffer.make_outbox()
        if after is not None:
            admin.xadd("tickwire:outbox:p", {"p": b""}, id="4-9")
            buffer.forward([], [OutboxEntry("5-0", b"x")])
        admin.config_set("maxmemory", "1")
        proxy.hold_half()
        outcomes: list[str] = []

        def forward() -> None:
            try:
                buffer.forward([], ENTRIES, after)
            except PortError as error:
                outcomes.append(str(error))
            else:
                outcomes.append("taken")

        sending = threading.Thread(target=forward)
        sending.start()
        assert proxy.half_is_through.wait(15.0)
        eventually(lambda: admin.info("commandstats").get("cmdstat_xadd", {}).get("rejected_calls", 0), "a refusal")
        admin.config_set("maxmemory", "0")
        proxy.normal()
        sending.join(30.0)
        assert outcomes[0].startswith("out of memory")
        buffer.forward([], ENTRIES, after)
        got = {place.decode() for place, _ in admin.xrange("tickwire:outbox:p")}
        assert {entry.id for entry in ENTRIES} <= got
        link.close()
