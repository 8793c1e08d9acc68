"""What waits to be sent to one client: counted in bytes and bounded. In the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

BEHIND_PACKETS = 64
BEHIND_BYTES = 64 * 1024
MOST_BYTES = 1024 * 1024
_SMALL = 64
"""Bytes of a packet that is not text: engineio's own, at the beginning and the end."""


class SendQueue(asyncio.Queue[Any]):
    """engineio's queue of a connection: packets, and None for its end."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.held = 0
        self._under_way = 0
        self.write: Callable[[bytes], bool] | None = None
        """Writes ready frames to its WebSocket, where it has one that takes them now; whether it did."""
        self.overflowed = False
        """It was given more than it holds. The client has missed something and must go."""

    def _put(self, packet: Any) -> None:
        size = _size(packet)
        if packet is not None and self.held + size > MOST_BYTES:
            self.overflowed = True
            return
        self.held += size
        self._under_way += 1
        super()._put(packet)

    def _get(self) -> Any:
        packet = super()._get()
        self.held -= _size(packet)
        return packet

    def task_done(self) -> None:
        """engineio's writer has it, and does nothing else before it is written."""
        super().task_done()
        self._under_way -= 1

    def write_past(self, frames: bytes) -> bool:
        """Past engineio's writer, which is a task a client, if nothing is before them; whether it was done."""
        return self.write is not None and not self._under_way and self.write(frames)

    @property
    def behind(self) -> bool:
        return self.qsize() >= BEHIND_PACKETS or self.held >= BEHIND_BYTES

    @property
    def relieved(self) -> bool:
        """It has room again for what was owed."""
        return self.qsize() < BEHIND_PACKETS // 2 and self.held < BEHIND_BYTES // 2

    def clear(self) -> None:
        """Forget what its client never took."""
        while not self.empty():
            self.get_nowait()
            self.task_done()
        self.overflowed = False


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, str | bytes) else _SMALL
