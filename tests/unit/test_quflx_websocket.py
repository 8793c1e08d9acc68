"""Ready frames on a Socket.IO client's WebSocket: only where nothing of the application's is before them."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.protocol import State

from tickwire.runtime.gateway.admission import Limits
from tickwire.runtime.gateway.quflx.websocket import SocketIoConnection, writer_of

pytestmark = pytest.mark.timeout(20)

READY = b"\x81\x01r"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False
        self.cut = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.ended

    def abort(self) -> None:
        self.cut.set()


def opened(stalled_s: float = 10.0) -> tuple[SocketIoConnection, Transport]:
    async def app(_scope: object, _receive: object, _send: object) -> None: ...

    connection = SocketIoConnection(
        Limits(slow_s=stalled_s),
        lambda: None,
        config=uvicorn.Config(app, log_config=None),
        server_state=ServerState(),
        app_state={"kept": 1},
    )
    connection.transport = transport = Transport()
    connection.conn.state, connection.handshake_complete = State.OPEN, True
    return connection, transport


def test_frames_wait_for_what_the_application_sends_while_nothing_is_taken() -> None:
    async def play() -> None:
        connection, transport = opened()
        assert connection.write_frames(READY)
        connection.pause_writing()
        assert not connection.write_frames(READY)
        before = asyncio.create_task(connection.send({"type": "websocket.send", "text": "a"}))
        await asyncio.sleep(0)
        connection.resume_writing()
        assert not connection.write_frames(READY), "the application's goes first"
        await before
        assert connection.write_frames(READY)
        assert transport.written == READY + b"\x81\x01a" + READY

    asyncio.run(play())


def test_nothing_is_written_behind_a_goodbye_or_to_who_has_gone() -> None:
    async def play() -> None:
        connection, transport = opened()
        transport.ended = True
        assert not connection.write_frames(READY)
        connection, transport = opened()
        await connection.send({"type": "websocket.close", "code": 1000})
        goodbye = transport.written
        assert not connection.write_frames(READY)
        assert transport.written == goodbye
        assert connection.close_timer is not None
        connection.close_timer.cancel()

    asyncio.run(play())


def test_who_makes_no_room_is_cut_and_who_does_is_not() -> None:
    async def play() -> None:
        stalled, its = opened(stalled_s=0.01)
        taking, others = opened(stalled_s=0.01)
        for each in (taking, stalled):
            each.pause_writing()
        taking.resume_writing()
        await its.cut.wait()
        assert not others.cut.is_set()

    asyncio.run(play())


def test_the_application_is_told_how_to_write() -> None:
    async def play() -> None:
        connection, _ = opened()
        assert writer_of({"state": dict(connection.app_state)}) == connection.write_frames
        assert connection.app_state["kept"] == 1
        assert writer_of({}) is None

    asyncio.run(play())
