"""What waits for a client that takes nothing, and its end. In the event loop."""

import asyncio
import socket
from contextlib import suppress

KERNEL_BYTES = 256 * 1024
"""Of the socket's own send buffer: what lies there grows old unseen."""


def bound_kernel_buffer(transport: asyncio.BaseTransport) -> None:
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)


class CutsStalled(asyncio.Protocol):
    """Before a protocol of uvicorn's in a class's bases; `loop` and `transport` are that one's."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    stalled_s: float
    """So long may written bytes wait without any room being made."""
    _cut: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.spare()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._cut = self.loop.call_later(self.stalled_s, self.transport.abort)

    def resume_writing(self) -> None:
        self.spare()
        super().resume_writing()

    def spare(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
