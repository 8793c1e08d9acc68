"""How all is, told to Socket.IO's clients: at their beginning and with every change. In the event loop."""

from typing import Any

import socketio

from tickwire.runtime.gateway.health import readiness
from tickwire.runtime.gateway.quflx import shapes
from tickwire.runtime.gateway.quflx.events import MONITOR
from tickwire.runtime.gateway.quflx.outlet import Outlet
from tickwire.runtime.gateway.quflx.sessions import Sessions
from tickwire.runtime.gateway.services import Services


class Standing:
    def __init__(self, server: socketio.AsyncServer, services: Services, sessions: Sessions, outlet: Outlet) -> None:
        self._server = server
        self._services = services
        self._sessions = sessions
        self._outlet = outlet
        self._redis_was_up = False

    async def greet(self, sid: str) -> None:
        """Raises Unanswered, as `changed` does."""
        state = await self._services.state()
        await self._server.emit("connection_status", shapes.connection_status(state, self._now()), to=sid)
        redis = readiness(state)["redis"]
        if redis["state"] == "degraded":
            await self._say_outage(redis, sid)

    async def changed(self) -> None:
        state = await self._services.state()
        now, ready = self._now(), readiness(state)
        status, redis = shapes.connection_status(state, now), ready["redis"]
        is_up = redis["state"] == "up"
        fell, self._redis_was_up = self._redis_was_up and not is_up, is_up
        for sid in self._sessions.sids():
            await self._server.emit("connection_status", status, to=sid)
            if fell:
                await self._say_outage(redis, sid)
        for each in shapes.system_statuses(ready, now):
            self._outlet.to_room(MONITOR, "system_status", each)

    async def _say_outage(self, redis: dict[str, Any], sid: str) -> None:
        await self._server.emit("redis_error", {"message": f"Redis is {redis.get('detail') or 'down'}"}, to=sid)

    def _now(self) -> float:
        return self._services.clock.now_us() / 1e6
