"""Writes Socket.IO packets to those in a room: encoded once, never waited for, bounded for each. In the event loop.

A client that lets packets wait gets the latest of each subject once it can take it; one that takes nothing for too
long is sent away. What a conflated `redis_update` says of the minute covers the ticks that it stands for.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import ACK, EVENT

NAMESPACE = "/"
SLOW_BEATS = 10
"""Seconds for which a client may be behind without once catching up."""


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

    def to_room(self, room: str, event: str, data: object, *, subject: str | None = None) -> int:
        """To all in a room; packets of one `subject` may be conflated. Returns how many got it."""
        packet = None
        count = 0
        for sid, engine_sid in list(self._server.manager.get_participants(NAMESPACE, room)):
            packet = packet or EnginePacket(MESSAGE, f"{EVENT}{orjson.dumps([event, data]).decode()}")
            count += self._put(sid, engine_sid, packet, subject)
        return count

    def acknowledge(self, engine_sid: str, number: int) -> None:
        """To a client that wants to know when its request is done."""
        socket = self._server.eio.sockets.get(engine_sid)
        if socket is not None:
            socket.queue.put_nowait(EnginePacket(MESSAGE, f"{ACK}{number}[]"))

    def _put(self, sid: str, engine_sid: str, packet: EnginePacket, subject: str | None) -> bool:
        socket = self._server.eio.sockets.get(engine_sid)
        if socket is None or socket.closed or socket.closing:
            return False
        if subject is not None and (socket.queue.behind or subject in self._owed.get(sid, ())):
            self._owed.setdefault(sid, {})[subject] = packet
            self.conflated += 1
            return False
        socket.queue.put_nowait(packet)
        return True

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
