"""The application at `/socket.io/`: handshakes, tokens, limits, errors. In the event loop.

Host and Origin are the edge's matter, as for all of HTTP. A token comes in the Authorization header, in the query's
`token` or, as socket.io-client sends it, in `auth: {token}`.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import socketio
from engineio.exceptions import EngineIOError
from socketio.exceptions import ConnectionRefusedError as NotAdmitted
from starlette.types import ASGIApp, Receive, Scope, Send

from tickwire.market.spelling import AmbiguousAsset, UnknownAsset
from tickwire.runtime.gateway.admission import Limits, Places, Policy
from tickwire.runtime.gateway.directory import Directory
from tickwire.runtime.gateway.fanout import Fanout
from tickwire.runtime.gateway.health import readiness
from tickwire.runtime.gateway.quflx import shapes
from tickwire.runtime.gateway.quflx.bridge import Bridge
from tickwire.runtime.gateway.quflx.events import MONITOR, Events, Handler
from tickwire.runtime.gateway.quflx.outlet import Outlet
from tickwire.runtime.gateway.quflx.refusals import Refusal
from tickwire.runtime.gateway.quflx.sessions import Session, Sessions
from tickwire.runtime.gateway.services import Services, Unanswered
from tickwire.runtime.gateway.tokens import BadToken, bearer

PATH = "/socket.io"
MESSAGE_BYTES = 1024 * 1024
"""Of a client's packet: a few thousand candles for the cache."""
NAMELESS_BEATS = 5
"""Seconds for which a transport may be open without a Socket.IO connection on it."""


class Quflx:
    """An ASGI application, and a client of the fan-out."""

    def __init__(
        self, services: Services, fanout: Fanout, policy: Policy, places: Places, limits: Limits, directory: Directory
    ) -> None:
        self._services = services
        self._fanout = fanout
        self._policy = policy
        self._limits = limits
        self._server = socketio.AsyncServer(
            async_mode="asgi",
            cors_allowed_origins=[],  # the edge decides, for all of HTTP alike
            max_http_buffer_size=MESSAGE_BYTES,
            logger=False,
            engineio_logger=False,
        )
        self._app: ASGIApp = socketio.ASGIApp(self._server)
        outlet = self._outlet = Outlet(self._server, self._drop)
        bridge = Bridge(fanout, services, outlet)
        bridge.on_status, bridge.on_beat = self._on_status, self._on_beat
        self._sessions = Sessions(self._server, bridge, places, limits)
        self._events = Events(self._server, services, self._sessions, directory)
        self._tasks: set[asyncio.Task[None]] = set()
        self._nameless: dict[str, int] = {}
        """Engine.IO's sid → beats for which nobody has connected on it."""
        self._redis = "up"
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        for event, handler in self._events.handlers.items():
            self._server.on(event, self._guarded(handler))
        fanout.add(bridge)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "sid" not in parse_qs(scope["query_string"].decode("latin-1")) and self._is_full():
            await _busy(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_full(self) -> bool:
        return len(self._server.eio.sockets) >= self._limits.clients

    async def close(self) -> None:
        """Send everybody away and end what runs in the background."""
        for task in self._tasks:
            task.cancel()
        for socket in list(self._server.eio.sockets.values()):
            with suppress(EngineIOError):  # it may be closing by itself
                await socket.close(wait=False)
        await self._server.shutdown()

    # -- clients

    async def _connect(self, sid: str, request: dict[str, Any], auth: Any = None) -> None:
        scope = request["asgi.scope"]
        client = scope.get("client")
        try:
            until = self._policy.until(_token(request, auth))
            self._sessions.open(sid, client[0] if client else "", until)
        except (BadToken, Refusal) as error:
            self._fanout.refused += 1
            raise NotAdmitted(str(error)) from error
        self._run(self._greet(sid))

    async def _greet(self, sid: str) -> None:
        """After the connection is confirmed: what comes before, its client does not hear."""
        await asyncio.sleep(0)
        status = shapes.connection_status(await self._services.state(), self._now())
        await self._server.emit("connection_status", status, to=sid)

    async def _disconnect(self, sid: str, *_reason: object) -> None:
        self._sessions.close(sid)
        self._outlet.forget(sid)

    async def _drop(self, sid: str, why: str) -> None:
        self._fanout.refused += 1
        self._sessions.close(sid)
        self._outlet.forget(sid)
        engine_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        socket = self._server.eio.sockets.get(engine_sid) if engine_sid is not None else None
        if socket is not None:
            while not socket.queue.empty():  # what it never took, so that the goodbye is next
                socket.queue.get_nowait()
            await self._server.emit("error", {"message": why}, to=sid)
            await self._server.disconnect(sid)

    def _guarded(self, handler: Handler) -> Any:
        async def handle(sid: str, *arguments: Any) -> None:
            session = self._sessions.get(sid)
            if session is None:
                return
            now = asyncio.get_running_loop().time()
            session.allowance.earn(now)
            if not session.allowance.spend():
                await self._drop(sid, f"over {self._limits.messages_per_s:g} messages a second")
                return
            async with session.turn:
                await self._answer(handler, session, arguments[0] if arguments else {})

        return handle

    async def _answer(self, handler: Handler, session: Session, said: Any) -> None:
        try:
            await handler(session, said)
        except (Refusal, UnknownAsset, AmbiguousAsset) as error:
            self._fanout.refused += 1
            for event in ("error", "redis_error"):
                await self._server.emit(event, {"message": str(error)}, to=session.sid)
        except Unanswered as error:
            await self._server.emit("redis_error", {"message": str(error)}, to=session.sid)

    # -- for everybody

    def _on_status(self) -> None:
        if len(self._sessions):
            self._run(self._say_status())

    async def _say_status(self) -> None:
        state = await self._services.state()
        now, ready = self._now(), readiness(state)
        status = shapes.connection_status(state, now)
        before, self._redis = self._redis, ready["redis"]["state"]
        for sid in self._sessions.sids():
            await self._server.emit("connection_status", status, to=sid)
            if before == "up" and self._redis == "degraded":
                detail = ready["redis"].get("detail") or "down"
                await self._server.emit("redis_error", {"message": f"Redis is {detail}"}, to=sid)
        for each in shapes.system_statuses(ready, now):
            self._outlet.to_room(MONITOR, "system_status", each)

    def _on_beat(self) -> None:
        if self._server.eio.sockets:
            self._run(self._beat())

    async def _beat(self) -> None:
        await self._outlet.check()
        for sid in self._sessions.expired():
            await self._drop(sid, "the token has expired; come back with another")
        named = {self._server.manager.eio_sid_from_sid(sid, "/") for sid in self._sessions.sids()}
        self._nameless = {
            sid: self._nameless.get(sid, 0) + 1 for sid in list(self._server.eio.sockets) if sid not in named
        }
        for sid, beats in self._nameless.items():
            if beats > NAMELESS_BEATS:
                await self._server.eio.disconnect(sid)

    # --

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """In the background, kept until it ends: asyncio itself keeps no task."""

        async def answered() -> None:
            with suppress(Unanswered):  # the gateway's actor is being restarted; a status comes with the next one
                await work

        task = asyncio.create_task(answered())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _now(self) -> float:
        return self._services.clock.now_us() / 1e6


def _token(request: dict[str, Any], auth: Any) -> str | None:
    given = auth.get("token") if type(auth) is dict else None
    if type(given) is str:
        return given
    query = parse_qs(request.get("QUERY_STRING", ""))
    return bearer(request.get("HTTP_AUTHORIZATION")) or query.get("token", [None])[0]


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1013, "reason": "too many connections; try again later"})
        return
    body = b'{"message":"too many connections; try again later"}'
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
