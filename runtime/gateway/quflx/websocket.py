"""uvicorn's WebSocket connection for `/socket.io/`, which takes ready frames, too. In the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from tickwire.runtime.gateway.admission import Allowance, Limits
from tickwire.runtime.gateway.stall import CutsStalled, bound_kernel_buffer

CLOSING_S = 2.0
"""For the client's goodbye."""
MESSAGE = b"4"
"""How Engine.IO's messages begin."""
WRITER = "write_frames"
"""The connection's `write_frames`, in the state of its application's scope."""


class SocketIoConnection(CutsStalled, WebSocketsSansIOProtocol):
    def __init__(self, limits: Limits, refused: Callable[[], None], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.app_state = {**self.app_state, WRITER: self.write_frames}
        self.close_timeout = CLOSING_S
        self.stalled_s = limits.slow_s
        self._sending = 0
        self._refused = refused
        self._allowance = Allowance(limits.messages_burst, limits.messages_per_s, self.loop.time())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        bound_kernel_buffer(transport)

    # What is said beside messages, which are counted where their sender can be told why (doorway.py): each ping would
    # be answered, whether the answers are taken or not, and each empty piece of a message kept.

    def handle_ping(self) -> None:
        if self._may_speak():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._may_speak():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        if self._may_speak():
            super().handle_cont(event)

    def handle_text(self, event: Frame) -> None:
        if event.data[:1] == MESSAGE or self._may_speak():
            super().handle_text(event)

    def _may_speak(self) -> bool:
        """Else it is cut off."""
        if self.transport.is_closing():
            return False
        self._allowance.earn(self.loop.time())
        if self._allowance.spend():
            return True
        self._refused()
        self.transport.abort()
        return False

    async def send(self, message: Any) -> None:
        self._sending += 1
        try:
            await super().send(message)
        finally:
            self._sending -= 1

    def write_frames(self, frames: bytes) -> bool:
        """Write whole frames of text, unless the application's wait or nothing more is taken; whether it was done."""
        if self._sending or not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True


def writer_of(scope: Scope) -> Callable[[bytes], bool] | None:
    """Of a WebSocket's; of a request there is none."""
    writer: Callable[[bytes], bool] | None = scope.get("state", {}).get(WRITER)
    return writer
