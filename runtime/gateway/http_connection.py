"""uvicorn's HTTP/1.1 connection with limits: how many at once, how long a request's head may take, and how long a
client may take nothing of what it asked for."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tickwire.runtime.gateway.admission import Places
from tickwire.runtime.gateway.edge import SOCKET_IO
from tickwire.runtime.gateway.stall import CutsStalled


class HttpConnection(CutsStalled, H11Protocol):
    def __init__(
        self,
        places: Places,
        socket_io: Callable[..., asyncio.Protocol],
        *,
        head_s: float,
        stalled_s: float,
        **uvicorns: Any,
    ) -> None:
        """`socket_io` makes what takes over at an upgrade there. `head_s`: for a request's head to be whole; a
        handshake of /ws is one."""
        super().__init__(**uvicorns)
        self._places = places
        self._socket_io = socket_io
        self._head_s = head_s
        self.stalled_s = stalled_s
        self._address: str | None = None
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else ""
        if not self._places.take(address):
            transport.abort()
            return
        self._address = address
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_is_here()
        elif self._head_timer is None and self.conn.trailing_data[0]:
            self._await_head()  # a further request of a kept connection

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._leave()
        if event.target.startswith(f"{SOCKET_IO}/".encode()):
            self.ws_protocol_class = cast(type[asyncio.Protocol], self._socket_io)
        super().handle_websocket_upgrade(event)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_s, self.transport.abort)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _leave(self) -> None:
        """It is no HTTP connection (any more)."""
        self._head_is_here()
        self.spare()
        if self._address is not None:
            self._places.give_back(self._address)
            self._address = None
