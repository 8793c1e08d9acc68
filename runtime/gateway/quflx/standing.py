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
        self._told: dict[str, object] = {}
        """What → how it was said to be; of feeds, Redis and the store: a handful."""

    async def greet(self, sid: str) -> None:
        """Raises Unanswered, as `look` does."""
        state = await self._services.state()
        await self._server.emit("connection_status", shapes.connection_status(state, self._now()), to=sid)
        redis = readiness(state)["redis"]
        if redis["state"] == "degraded":
            await self._say_outage(redis, sid)

    async def look(self) -> None:
        """Say what has changed since the last look: called with every `status` of Gateway's, and once a second."""
        state = await self._services.state()
        now, ready = self._now(), readiness(state)
        redis = ready["redis"]
        is_up = redis["state"] == "up"
        fell, self._redis_was_up = self._redis_was_up and not is_up, is_up
        status = shapes.connection_status(state, now)
        if self._is_news("connection", (status["status"], status["chrome"])):
            for sid in self._sessions.sids():
                await self._server.emit("connection_status", status, to=sid)
        if fell:
            for sid in self._sessions.sids():
                await self._say_outage(redis, sid)
        for each in shapes.system_statuses(ready, now):
            if self._is_news(each["service"], (each["status"], each["details"])):
                self._outlet.to_room(MONITOR, "system_status", each)

    def _is_news(self, what: str, how: object) -> bool:
        old, self._told[what] = self._told.get(what), how
        return old != how

    async def _say_outage(self, redis: dict[str, Any], sid: str) -> None:
        await self._server.emit("redis_error", {"message": f"Redis is {redis.get('detail') or 'down'}"}, to=sid)

    def _now(self) -> float:
        return self._services.clock.now_us() / 1e6
