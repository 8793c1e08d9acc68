"""Who is connected over Socket.IO, what each holds and may do. In the event loop."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import socketio

from tickwire.runtime.gateway.admission import Limits, Places
from tickwire.runtime.gateway.quflx.bridge import Bridge, Kind, room_of
from tickwire.runtime.gateway.quflx.refusals import Refusal

MOST_SPELLINGS = 4
"""Of one asset: each is told of every tick by packets of its own."""

Hold = tuple[Kind, str, str]
"""Kind, asset, the client's spelling of it."""


@dataclass(slots=True)
class Session:
    sid: str
    address: str
    until: float
    """When its token ends, in seconds UTC."""
    holds: dict[Hold, None] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Its requests are done one after the other."""


class Sessions:
    def __init__(self, server: socketio.AsyncServer, bridge: Bridge, places: Places, limits: Limits) -> None:
        self._server = server
        self._bridge = bridge
        self._places = places
        self._limits = limits
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, sid: str) -> Session | None:
        return self._sessions.get(sid)

    def sids(self) -> list[str]:
        return list(self._sessions)

    def open(self, sid: str, address: str, until: float) -> None:
        """Raises Refusal."""
        if not self._places.take(address):
            raise Refusal("too many connections; try again later")
        self._sessions[sid] = Session(sid, address, until)
        self._bridge.browsers = len(self._sessions)

    def close(self, sid: str) -> None:
        """Idempotent."""
        session = self._sessions.pop(sid, None)
        if session is None:
            return
        self._places.give_back(session.address)
        self._bridge.browsers = len(self._sessions)
        for kind, asset, name in session.holds:
            self._bridge.release(kind, asset, name)

    async def hold(self, session: Session, kind: Kind, asset: str, name: str) -> None:
        """Let it hear of an asset. Raises Refusal."""
        hold = (kind, asset, name)
        if hold in session.holds:
            return
        if len(session.holds) >= self._limits.channels:
            raise Refusal(f"{self._limits.channels} subscriptions a connection; unsubscribe from some")
        if sum(held[:2] == (kind, asset) for held in session.holds) >= MOST_SPELLINGS:
            raise Refusal(f"{asset} is subscribed to in {MOST_SPELLINGS} spellings; unsubscribe from some")
        await self._bridge.hold(kind, asset, name)
        if self._sessions.get(session.sid) is not session:
            self._bridge.release(kind, asset, name)  # it has gone meanwhile
            return
        session.holds[hold] = None
        await self._server.enter_room(session.sid, room_of(kind, asset, name))

    async def release(self, session: Session, holds: Iterable[Hold]) -> None:
        for hold in list(holds):
            if hold in session.holds:
                del session.holds[hold]
                await self._server.leave_room(session.sid, room_of(*hold))
                self._bridge.release(*hold)

    def expired(self) -> list[str]:
        now = time.time()
        return [sid for sid, session in self._sessions.items() if now > session.until]
