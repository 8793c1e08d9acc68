"""The application at `/socket.io/`: handshakes, tokens, ends, errors. In the event loop.

Host and Origin are the edge's matter, as for all of HTTP. A token comes in the Authorization header, in the query's
`token` or, as socket.io-client sends it, in `auth: {token}`.
"""

import asyncio
import logging
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
from tickwire.runtime.gateway.quflx.bridge import Bridge
from tickwire.runtime.gateway.quflx.doorway import Doorway
from tickwire.runtime.gateway.quflx.events import Events
from tickwire.runtime.gateway.quflx.gate import MESSAGE_BYTES, Gate
from tickwire.runtime.gateway.quflx.outlet import NAMESPACE, Outlet
from tickwire.runtime.gateway.quflx.packets import Event
from tickwire.runtime.gateway.quflx.refusals import Refusal
from tickwire.runtime.gateway.quflx.send_queue import SendQueue
from tickwire.runtime.gateway.quflx.sessions import Session, Sessions
from tickwire.runtime.gateway.quflx.standing import Standing
from tickwire.runtime.gateway.services import Services, Unanswered
from tickwire.runtime.gateway.tokens import BadToken, bearer

PATH = "/socket.io"
NAMELESS_BEATS = 5
"""Seconds for which a transport may be open without a Socket.IO connection on it."""


class Quflx:
    """An ASGI application, and a client of the fan-out."""

    def __init__(
        self, services: Services, fanout: Fanout, policy: Policy, places: Places, limits: Limits, directory: Directory
    ) -> None:
        self._fanout = fanout
        self._policy = policy
        server = self._server = socketio.AsyncServer(
            async_mode="asgi",
            cors_allowed_origins=[],  # the edge decides, for all of HTTP alike
            max_http_buffer_size=MESSAGE_BYTES,
            http_compression=False,  # the edge looks for secrets in what leaves
            logger=_logger(),
            engineio_logger=_logger(),
        )
        server.eio.create_queue = SendQueue
        self._outlet = Outlet(server, self._send_away)
        bridge = Bridge(fanout, services, self._outlet)
        self._sessions = Sessions(server, bridge, places, limits)
        self._events = Events(server, services, self._sessions, directory)
        self._standing = Standing(server, services, self._sessions, self._outlet)
        self._doorway = Doorway(
            server, limits, on_event=self._on_event, refuse=self._refuse, send_away=self._send_away, run=self._run
        )
        self._app: ASGIApp = Gate(socketio.ASGIApp(server), self._doorway, self._count)
        self._tasks: set[asyncio.Task[None]] = set()
        self._nameless: dict[str, int] = {}
        """Engine.IO's sid → beats for which nobody has connected on it."""
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)
        bridge.on_status, bridge.on_beat = self._on_status, self._on_beat
        fanout.add(bridge)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def close(self) -> None:
        """Send everybody away and end what runs in the background."""
        for task in self._tasks:
            task.cancel()
        for socket in list(self._server.eio.sockets.values()):
            with suppress(EngineIOError):  # it may be closing by itself
                await socket.close(wait=False)
        await self._server.shutdown()

    # -- clients come and go

    async def _connect(self, sid: str, request: dict[str, Any], auth: Any = None) -> None:
        scope = request["asgi.scope"]
        client = scope.get("client")
        try:
            until = self._policy.until(_token(request, auth))
            self._sessions.open(sid, client[0] if client else "", until)
        except (BadToken, Refusal) as error:
            self._count()
            raise NotAdmitted(str(error)) from error
        self._run(self._greet(sid))

    async def _greet(self, sid: str) -> None:
        """After the connection is confirmed: what comes before, its client does not hear."""
        await asyncio.sleep(0)
        await self._standing.greet(sid)

    async def _disconnect(self, sid: str, *_reason: object) -> None:
        self._sessions.close(sid)
        self._outlet.forget(sid)

    async def _send_away(self, engine_sid: str, why: str) -> None:
        """With a reason and a goodbye, in place of whatever it never took."""
        socket = self._server.eio.sockets.get(engine_sid)
        if socket is None or socket.closed or socket.closing:
            return
        self._count()
        socket.queue.clear()
        sid = self._server.manager.sid_from_eio_sid(engine_sid, NAMESPACE)
        if sid is not None:
            await self._server.emit("error", {"message": why}, to=sid)
            await self._server.disconnect(sid)
        await self._end(engine_sid)

    async def _end(self, engine_sid: str) -> None:
        """Whether its client helps or not."""
        socket = self._server.eio.sockets.get(engine_sid)
        if socket is not None:
            with suppress(EngineIOError):
                await socket.close(wait=False)

    # -- events

    async def _on_event(self, engine_sid: str, event: Event) -> None:
        session = self._session_on(engine_sid)
        if session is None:
            return
        async with session.turn:
            if self._sessions.get(session.sid) is session:
                await self._answer(session, event)
                if event.ack is not None:
                    self._outlet.acknowledge(engine_sid, event.ack)

    async def _answer(self, session: Session, event: Event) -> None:
        try:
            await self._events.handler(event.name)(session, event.said)
        except (Refusal, UnknownAsset, AmbiguousAsset) as error:
            await self._say_refused(session, str(error))
        except Unanswered as error:
            await self._server.emit("redis_error", {"message": str(error)}, to=session.sid)

    async def _refuse(self, engine_sid: str, why: str) -> None:
        session = self._session_on(engine_sid)
        if session is not None:
            await self._say_refused(session, why)

    async def _say_refused(self, session: Session, why: str) -> None:
        self._count()
        for event in ("error", "redis_error"):
            await self._server.emit(event, {"message": why}, to=session.sid)

    def _session_on(self, engine_sid: str) -> Session | None:
        return self._sessions.get(self._server.manager.sid_from_eio_sid(engine_sid, NAMESPACE) or "")

    # -- for everybody

    def _on_status(self) -> None:
        self._run(self._standing.look())

    def _on_beat(self) -> None:
        if self._server.eio.sockets:
            self._run(self._beat())
            self._run(self._standing.look())

    async def _beat(self) -> None:
        await self._outlet.check()
        for engine_sid in map(self._engine_sid, self._sessions.expired()):
            await self._send_away(engine_sid, "the token has expired; come back with another")
        named = set(map(self._engine_sid, self._sessions.sids()))
        self._nameless = {
            sid: self._nameless.get(sid, 0) + 1 for sid in list(self._server.eio.sockets) if sid not in named
        }
        for sid, beats in self._nameless.items():
            if beats > NAMELESS_BEATS:
                await self._end(sid)
                self._server.eio.sockets.pop(sid, None)  # engineio keeps a closed one, and its queue, for long

    def _engine_sid(self, sid: str) -> str:
        return str(self._server.manager.eio_sid_from_sid(sid, NAMESPACE))

    # --

    def _count(self) -> None:
        self._fanout.refused += 1

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """In the background, kept until it ends: asyncio itself keeps no task."""

        async def answered() -> None:
            with suppress(Unanswered):  # the gateway's actor is being restarted; a status comes with the next one
                await work

        task = asyncio.create_task(answered())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _logger() -> logging.Logger:
    """For failures. All else that the libraries log is what clients say: whole packets, tokens and all, and an error
    for a session that is over. Without a logger they add a handler of their own, beside every rule of ours."""
    logger = logging.getLogger("tickwire.socketio")
    logger.setLevel(logging.ERROR)
    logger.addFilter(_is_failure)
    return logger


def _is_failure(record: logging.LogRecord) -> bool:
    return record.exc_info is not None


def _token(request: dict[str, Any], auth: Any) -> str | None:
    given = auth.get("token") if type(auth) is dict else None
    if type(given) is str:
        return given
    query = parse_qs(request.get("QUERY_STRING", ""))
    return bearer(request.get("HTTP_AUTHORIZATION")) or query.get("token", [None])[0]
