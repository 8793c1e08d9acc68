"""uvicorn's WebSocket connection for `/socket.io/`, which takes ready frames, too. In the event loop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tickwire.runtime.gateway.stall import CutsStalled

CLOSING_S = 2.0
"""For the client's goodbye."""
KERNEL_BYTES = 256 * 1024
"""Of the socket's own send buffer: what lies there grows old unseen."""
WRITER = "write_frames"
"""The connection's `write_frames`, in the state of its application's scope."""


class SocketIoConnection(CutsStalled, WebSocketsSansIOProtocol):
    def __init__(self, stalled_s: float, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.app_state = {**self.app_state, WRITER: self.write_frames}
        self.close_timeout = CLOSING_S
        self.stalled_s = stalled_s
        self._sending = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

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
