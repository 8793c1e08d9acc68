"""Every Engine.IO connection from its handshake to its end, and every message on it. In the event loop.

Stands where socketio hooks into engineio. Comings and goings are handed on to socketio; events are not: a client could
call any handler by its name there, `disconnect` too, and all that it sends at once would be parsed and held.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import socketio
from starlette.types import Scope

from tickwire.runtime.gateway.admission import Allowance, Limits, Places
from tickwire.runtime.gateway.quflx.packets import BadPacket, Event, Greeting, read_message
from tickwire.runtime.gateway.quflx.websocket import writer_of

MOST_HELD_BYTES = 2 * 1024 * 1024
"""Of one client's requests that wait for their turn."""
BUSY = "too many requests that wait for their answers; wait for some"


@dataclass(slots=True)
class Caller:
    """One connection. Its requests are counted from its handshake on, whatever they are."""

    address: str
    allowance: Allowance
    waiting: int = 0
    held: int = 0


class Doorway:
    def __init__(
        self,
        server: socketio.AsyncServer,
        limits: Limits,
        *,
        on_event: Callable[[str, Event], Awaitable[None]],
        refuse: Callable[[str, str], Awaitable[None]],
        send_away: Callable[[str, str], Awaitable[None]],
        run: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """All are told engineio's id of the connection: of an event, of why one is refused, of why it must go."""
        self._limits = limits
        self._on_event = on_event
        self._refuse = refuse
        self._send_away = send_away
        self._run = run
        self._places = Places(limits.clients, limits.clients_per_address)
        self._callers: dict[str, Caller] = {}
        self._sockets = server.eio.sockets
        hooks = {"connect": self._connect, "message": self._message, "disconnect": self._disconnect}
        self._socketio = {name: server.eio.handlers[name] for name in hooks}
        for name, hook in hooks.items():
            server.eio.on(name, hook)

    @property
    def most_frames(self) -> int:
        """Of one body: with more its client is over its limit."""
        return int(self._limits.messages_burst) + 1

    def is_open(self, sid: str) -> bool:
        return sid in self._callers

    def has_room(self, address: str) -> bool:
        return self._places.has_room(address)

    async def _connect(self, sid: str, request: dict[str, Any]) -> str | None:
        """What is returned refuses it."""
        client = request["asgi.scope"].get("client")
        address = client[0] if client else ""
        if not self._places.take(address):
            return "too many connections; try again later"
        allowance = Allowance(self._limits.messages_burst, self._limits.messages_per_s, _now())
        self._callers[sid] = Caller(address, allowance)
        self.attach(sid, request["asgi.scope"])
        await self._socketio["connect"](sid, request)
        return None

    def attach(self, sid: str, scope: Scope) -> None:
        """Note the WebSocket that the connection has, or is about to have by an upgrade."""
        socket = self._sockets.get(sid)
        if socket is not None and not socket.upgraded:
            socket.queue.write = writer_of(scope)

    async def _disconnect(self, sid: str, reason: str) -> None:
        caller = self._callers.pop(sid, None)
        if caller is not None:
            self._places.give_back(caller.address)
            socket = self._sockets.get(sid)
            await self._socketio["disconnect"](sid, reason)
            if socket is not None:
                # Behind engineio's goodbye: the end of what is written, which ends the connection, too. Left to its
                # client, a WebSocket that is given up would stay open for as long as that sends something.
                asyncio.get_running_loop().call_soon(socket.queue.put_nowait, None)

    async def _message(self, sid: str, message: str | bytes) -> None:
        caller = self._callers.get(sid)
        if caller is None:
            return  # it was sent away
        caller.allowance.earn(_now())
        if not caller.allowance.spend():
            await self._send_away(sid, f"over {self._limits.messages_per_s:g} messages a second")
            return
        match read_message(message, self._limits.message_bytes):
            case BadPacket() as bad:
                await self._send_away(sid, bad.why)
            case Event() as event:
                await self._take(sid, caller, event, len(message))
            case Greeting():
                await self._hand_on(sid, message)

    async def _hand_on(self, sid: str, message: str | bytes) -> None:
        try:
            await self._socketio["message"](sid, message)
        except (ValueError, RecursionError):  # its JSON goes deeper than socketio's parser
            await self._send_away(sid, "this is no packet of Socket.IO's")

    async def _take(self, sid: str, caller: Caller, event: Event, size: int) -> None:
        if caller.waiting >= self._limits.messages_burst or caller.held + size > MOST_HELD_BYTES:
            await self._refuse(sid, BUSY)
            return
        caller.waiting += 1
        caller.held += size
        self._run(self._handle(sid, caller, event, size))

    async def _handle(self, sid: str, caller: Caller, event: Event, size: int) -> None:
        try:
            await self._on_event(sid, event)
        finally:
            caller.waiting -= 1
            caller.held -= size


def _now() -> float:
    return asyncio.get_running_loop().time()
