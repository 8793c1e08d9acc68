"""The end of a connection whose client takes nothing. In the event loop."""

import asyncio


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
