"""Writes Socket.IO packets to those in a room: encoded once, never waited for, bounded for each. In the event loop.

What ticks and candles say holds no secret, so a WebSocket that has nothing waiting gets it as frames that were built
for all, as one of /ws does; everything else, and everybody else, goes through engineio's queues and the edge.

A client that lets packets wait gets the latest of each subject once it can take it; one that takes nothing for too
long is sent away. What a conflated `redis_update` says of the minute covers the ticks that it stands for.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any

import orjson
import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import ACK, EVENT

from tickwire.runtime.gateway.frames import text_frame

NAMESPACE = "/"
SLOW_BEATS = 10
"""Seconds for which a client may be behind without once catching up."""


class Packets:
    """Of one event, for everybody who gets them."""

    def __init__(self, event: str, said: Sequence[object]) -> None:
        self.each = [EnginePacket(MESSAGE, f"{EVENT}{orjson.dumps([event, data]).decode()}") for data in said]

    @cached_property
    def frames(self) -> bytes:
        return b"".join([text_frame(packet.encode().encode()) for packet in self.each])


class Outlet:
    def __init__(self, server: socketio.AsyncServer, drop: Callable[[str, str], Awaitable[None]]) -> None:
        """`drop(engine_sid, why)` sends a client away."""
        self._server = server
        self._drop = drop
        self._owed: dict[str, dict[str, EnginePacket]] = {}
        """Client → subject → the latest packet that it has not got."""
        self._slow: dict[str, int] = {}
        """Client → for how many beats it has owed packets."""
        self.conflated = 0

    def to_room(self, room: str, event: str, *said: object, subject: str | None = None) -> int:
        """A packet for each of `said` to all in a room; those of one `subject`, ticks or candles, may be conflated.

        Returns how many were not.
        """
        packets = None
        count = 0
        for sid, engine_sid in list(self._server.manager.get_participants(NAMESPACE, room)):
            packets = packets or Packets(event, said)
            count += self._put(sid, engine_sid, packets, subject)
        return count

    def acknowledge(self, engine_sid: str, number: int) -> None:
        """To a client that wants to know when its request is done."""
        socket = self._server.eio.sockets.get(engine_sid)
        if socket is not None:
            socket.queue.put_nowait(EnginePacket(MESSAGE, f"{ACK}{number}[]"))

    def _put(self, sid: str, engine_sid: str, packets: Packets, subject: str | None) -> int:
        socket = self._server.eio.sockets.get(engine_sid)
        if socket is None or socket.closed or socket.closing:
            return 0
        owes = subject is not None and subject in self._owed.get(sid, ())
        if subject is not None and not owes and _is_websocket(socket) and socket.queue.write_past(packets.frames):
            return len(packets.each)
        for place, packet in enumerate(packets.each):
            if subject is not None and (owes or socket.queue.behind):
                self._owed.setdefault(sid, {})[subject] = packets.each[-1]
                self.conflated += len(packets.each) - place
                return place
            socket.queue.put_nowait(packet)
        return len(packets.each)

    def settle(self) -> bool:
        """Pay what is owed to those who can take it; whether more is owed."""
        for sid, owed in list(self._owed.items()):
            socket = self._socket(sid)
            if socket is None:
                del self._owed[sid]
            elif socket.queue.relieved:
                for packet in owed.values():
                    socket.queue.put_nowait(packet)
                del self._owed[sid]
        return bool(self._owed)

    async def check(self) -> None:
        """Once a second: send away who is too slow, or has more waiting than may wait."""
        self._slow = {sid: self._slow.get(sid, 0) + 1 for sid in self._owed}
        slow = {sid for sid, beats in self._slow.items() if beats > SLOW_BEATS}
        for sid, engine_sid in list(self._server.manager.get_participants(NAMESPACE, None)):
            socket = self._server.eio.sockets.get(engine_sid)
            if sid in slow or (socket is not None and socket.queue.overflowed):
                await self._drop(engine_sid, "too slow for what it is subscribed to")

    def forget(self, sid: str) -> None:
        self._owed.pop(sid, None)
        self._slow.pop(sid, None)

    def _socket(self, sid: str) -> Any:
        engine_sid = self._server.manager.eio_sid_from_sid(sid, NAMESPACE)
        return self._server.eio.sockets.get(engine_sid) if engine_sid is not None else None


def _is_websocket(socket: Any) -> bool:
    """And not on its way to become one: till then its client listens by polling."""
    return bool(socket.upgraded and not socket.upgrading)
