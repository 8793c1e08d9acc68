"""The WebSocket server that replays and the simulated broker stand on."""

import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tickwire.runtime.feeds.loopback import LoopbackClient, LoopbackServer

pytestmark = pytest.mark.timeout(60)

DEADLINE_S = 15.0


def test_a_message_left_unread_does_not_keep_a_connection_from_ending() -> None:
    ended = threading.Event()

    def serve(client: LoopbackClient) -> None:
        client.wait(DEADLINE_S)  # until the message has come; it is never taken
        client.finish(1000, "ended")
        ended.set()

    server = LoopbackServer(serve, name="test")
    server.start()
    try:
        with connect(server.url, compression=None, ping_interval=None, proxy=None) as client:
            client.send("anybody there?")
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(DEADLINE_S)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "ended")
        assert ended.wait(DEADLINE_S)
    finally:
        server.stop()
