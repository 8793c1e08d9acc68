"""`GatewayServer`: uvicorn on an event loop in a thread of its own, on a socket that it is lent."""

import asyncio
import socket
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import structlog
import uvicorn
from uvicorn.server import ServerState

from tickwire.messages.clients import ToServer
from tickwire.messages.lifecycle import ReaderEnded
from tickwire.runtime.gateway.admission import Access, Limits, Places, Policy
from tickwire.runtime.gateway.connection import Connection
from tickwire.runtime.gateway.directory import Directory
from tickwire.runtime.gateway.fanout import Fanout
from tickwire.runtime.gateway.http_connection import HttpConnection
from tickwire.runtime.gateway.loop import LoopFactory, fastest
from tickwire.runtime.gateway.loop import run as run_loop
from tickwire.runtime.gateway.quflx.gate import MESSAGE_BYTES
from tickwire.runtime.gateway.quflx.mount import Quflx
from tickwire.runtime.gateway.quflx.websocket import SocketIoConnection
from tickwire.runtime.gateway.redaction import Redaction
from tickwire.runtime.gateway.services import Services
from tickwire.runtime.gateway.site import make_site

_log = structlog.get_logger("tickwire.http")

START_S = 5.0
CLOSE_S = 1.6
"""Under the two seconds that the actor has for all it closes."""
GRACEFUL_S = 1
"""For requests under way and for clients to say goodbye."""
CUT_S = 0.2
"""For connections that are cut to be gone."""
UVICORN: Mapping[str, Any] = {
    "lifespan": "off",
    "log_config": None,
    "log_level": "warning",
    "access_log": False,  # addresses of /ws may hold tokens
    "proxy_headers": False,
    "server_header": False,
    "ws_max_size": MESSAGE_BYTES,  # of Socket.IO's; /ws has a limit of its own
    "ws_per_message_deflate": False,
}


class ServerFailed(Exception):
    """The event loop did not come up."""


class HttpServer:
    """One incarnation's. `start`, `post`, `probe` and `close` are the actor's."""

    def __init__(
        self,
        listener: socket.socket,
        services: Services,
        *,
        incarnation: int,
        access: Access | None = None,
        limits: Limits | None = None,
        make_loop: LoopFactory | None = None,
    ) -> None:
        """`listener` stays open, whatever becomes of this server."""
        self._make_loop = make_loop or fastest()
        self._access = access or Access()
        self._limits = limits or Limits()
        self._listener = listener
        self._services = services
        self._incarnation = incarnation
        self._started = threading.Event()
        self._closing = threading.Event()
        self._server: _Uvicorn | None = None
        self._fanout: Fanout | None = None
        self._thread = threading.Thread(target=self._run, name="gateway-http", daemon=True)

    def start(self) -> None:
        self._thread.start()
        if not self._started.wait(START_S) or self._fanout is None:
            raise ServerFailed("the gateway's event loop did not start; the log above says why")

    def post(self, items: Sequence[ToServer]) -> None:
        if self._fanout is not None:
            self._fanout.post(items)

    def probe(self) -> None:
        if self._fanout is not None:
            self._fanout.probe()

    def stuck_at(self) -> str:
        frame = sys._current_frames().get(self._thread.ident or 0)
        return "".join(traceback.format_stack(frame)) if frame is not None else "the thread has ended"

    def close(self) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                _log.error("gateway_loop_left_behind", stack=self.stuck_at())

    # -- the loop's thread

    def _run(self) -> None:
        reason = "ended"
        try:
            run_loop(self._serve(), self._make_loop)
        except (OSError, RuntimeError, SystemExit) as error:
            reason = repr(error)
            _log.error("gateway_loop_failed", error=reason, exc_info=True)
        finally:
            self._started.set()
        if not self._closing.is_set():
            self._services.gateway(ReaderEnded(reader="gateway-http", reason=reason, incarnation=self._incarnation))

    async def _serve(self) -> None:
        fanout = Fanout(asyncio.get_running_loop(), self._services.gateway, self._incarnation)

        def on_started() -> None:
            self._fanout = fanout
            fanout.beat()
            self._started.set()

        quflx = self._quflx(fanout)
        self._server = _Uvicorn(self._config(fanout, quflx), on_started, quflx.close)
        if not self._closing.is_set():
            await self._server.serve(sockets=[self._listener.dup()])
            await self._leave_nobody(self._server.server_state)

    async def _leave_nobody(self, state: ServerState) -> None:
        """Cut who has not said goodbye in time, while there is a loop to do it."""
        for connection in list(state.connections):
            connection.transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(CUT_S):
                while state.connections:  # noqa: ASYNC110  # uvicorn's set, whose changes nobody can wait for
                    await asyncio.sleep(0)

    def _quflx(self, fanout: Fanout) -> Quflx:
        services, limits = self._services, self._limits
        self._policy = self._make_policy()
        self._directory = Directory(services)
        self._clients = Places(limits.clients, limits.clients_per_address)
        return Quflx(services, fanout, self._policy, self._clients, limits, self._directory)

    def _config(self, fanout: Fanout, quflx: Quflx) -> uvicorn.Config:
        policy, limits, clients = self._policy, self._limits, self._clients
        connections = Places(limits.connections, limits.connections_per_address)

        def refused() -> None:
            fanout.refused += 1

        def make_connection(*, server_state: ServerState, **_: Any) -> Connection:
            return Connection(fanout, policy, clients, limits, server_state)

        def make_socket_io(**uvicorns: Any) -> SocketIoConnection:
            return SocketIoConnection(limits, refused, **uvicorns)

        def make_http(**uvicorns: Any) -> HttpConnection:
            return HttpConnection(
                connections, make_socket_io, head_s=limits.handshake_s, stalled_s=limits.silent_s, **uvicorns
            )

        site = make_site(self._services, self._directory, policy, refused, Redaction(self._access.secrets), quflx)
        http, ws = cast(type[asyncio.Protocol], make_http), cast(type[asyncio.Protocol], make_connection)
        return uvicorn.Config(site, http=http, ws=ws, timeout_graceful_shutdown=GRACEFUL_S, **UVICORN)

    def _make_policy(self) -> Policy:
        policy = Policy(self._listener.getsockname()[0], self._access)
        if not (policy.loopback or policy.asks_for_tokens):
            _log.warning("http_is_open_to_other_machines", remedy="set TICKWIRE_HTTP__TOKEN_SECRET, unset http.open")
        return policy


class _Uvicorn(uvicorn.Server):
    """Says when it accepts."""

    def __init__(
        self, config: uvicorn.Config, on_started: Callable[[], None], on_end: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._on_end = on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._on_end()
        await super().shutdown(sockets)
