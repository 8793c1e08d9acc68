"""uvicorn's WebSocket connection for `/socket.io/`, cut where its client takes nothing. In the event loop."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

CLOSING_S = 2.0
"""For the client's goodbye."""
KERNEL_BYTES = 256 * 1024
"""Of the socket's own send buffer: what lies there grows old unseen."""


class SocketIoConnection(WebSocketsSansIOProtocol):
    def __init__(self, stalled_s: float, **uvicorns: Any) -> None:
        """`stalled_s`: so long may written bytes wait without any room being made."""
        super().__init__(**uvicorns)
        self.close_timeout = CLOSING_S
        self._stalled_s = stalled_s
        self._cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        self._spare()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cut = self.loop.call_later(self._stalled_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._spare()
        super().resume_writing()

    def _spare(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
