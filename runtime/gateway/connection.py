"""One client of /ws: handshake, limits, its bounded queue. In the event loop.

uvicorn hands over the connection when it sees an upgrade. What is read goes through websockets' protocol without I/O;
what is sent are frames that were built for everybody, straight to the transport.

A client that does not keep up (its transport holds more than it takes) gets ticks conflated and the latest of each
candle once it can take them; one that stays behind is closed with 1008. Nothing of it is ever waited for.
"""

import asyncio
import time
from typing import cast

from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN

from tickwire.actors.kernel.behaviour import PutResult
from tickwire.messages.clients import CandleOut, ChannelWanted, Joined, Refused
from tickwire.runtime.gateway.admission import Allowance, Limits, Places, Policy
from tickwire.runtime.gateway.backlog import Backlog
from tickwire.runtime.gateway.fanout import Channel, Fanout
from tickwire.runtime.gateway.frames import PING, GapFrame, TicksFrame, error_frame, text_frame
from tickwire.runtime.gateway.handshake import Protocol, judge, respond
from tickwire.runtime.gateway.requests import BadRequest, LeavesAsset, WantsChannel, read_request
from tickwire.runtime.gateway.stall import bound_kernel_buffer

PING_EVERY = 20
"""Beats."""
CLOSING_S = 2.0


class Connection(asyncio.Protocol):
    """`fanout.Client`."""

    browsers = 1

    def __init__(self, fanout: Fanout, policy: Policy, places: Places, limits: Limits, state: ServerState) -> None:
        self.id = fanout.next_number()
        self.channels: dict[Channel, int] = {}
        self.waiting = False
        self._fanout = fanout
        self._loop = fanout.loop
        self._policy = policy
        self._places = places
        self._limits = limits
        self._state = state
        self._protocol = Protocol(limits.message_bytes)
        self._open = False
        self._address: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._message = b""
        self._heard_at = self._loop.time()
        self._allowance = Allowance(limits.messages_burst, limits.messages_per_s, self._heard_at)
        self._until = float("inf")
        self._queue: list[bytes] = []
        self._slow_since: float | None = None
        self._backlog = Backlog()

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        behind = self._limits.behind_bytes
        transport.set_write_buffer_limits(high=behind, low=behind // 4)
        self._state.connections.add(self)  # type: ignore[arg-type]  # anything that has `shutdown`
        self._timer = self._loop.call_later(self._limits.handshake_s, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self._leave()
        self._cancel_timer()
        if self._address is not None:
            self._places.give_back(self._address)
            self._address = None

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._allowance.earn(self._heard_at)
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._on_request(event)
            elif isinstance(event, Frame) and self._open:
                self._on_frame(event)
        self._send_protocol()
        if self._open and self._protocol.state is not OPEN:
            if self._protocol.parser_exc is not None:
                self._fanout.refused += 1
            self._end()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._end()

    def pause_writing(self) -> None:
        self._slow_since = self._loop.time()

    def resume_writing(self) -> None:
        self._slow_since = None
        self._queue += self._backlog.take_all()
        if self._queue:
            self._fanout.line_up(self)

    # -- opening

    def _on_request(self, request: Request) -> None:
        verdict = judge(request, self._policy)
        response = respond(self._protocol, request, verdict)
        self._protocol.send_response(response)
        if response.status_code != 101:
            self._fanout.refused += 1
            return
        self._until = verdict.until
        self._cancel_timer()
        self._open = True
        bound_kernel_buffer(self.transport)
        self._take_place()

    def _take_place(self) -> None:
        peer = self.transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else ""
        self._send_protocol()  # the handshake goes out before the first frame
        if self._places.take(address):
            self._address = address
            self._fanout.add(self)
        else:
            self._fanout.refused += 1
            self.close(CloseCode.TRY_AGAIN_LATER, "too many connections; try again later")

    # -- reading

    def _on_frame(self, frame: Frame) -> None:
        if not self._allowance.spend():
            self._fanout.refused += 1
            self.close(CloseCode.POLICY_VIOLATION, f"over {self._limits.messages_per_s:g} messages a second")
            return
        match frame.opcode:
            case Opcode.TEXT | Opcode.CONT:
                self._message += frame.data
                if frame.fin:
                    message, self._message = self._message, b""
                    self._on_message(message)
            case Opcode.BINARY:
                self._fanout.refused += 1
                self.close(CloseCode.POLICY_VIOLATION, "messages are JSON text")
            case _:
                pass  # pings and the close are answered by the protocol

    def _on_message(self, message: bytes) -> None:
        match read_request(message):
            case WantsChannel() as wanted:
                self._on_wanted(wanted)
            case LeavesAsset() as leaves:
                self._fanout.leave(self, leaves.asset)
            case BadRequest() as bad:
                self._refuse(bad.code, bad.message)

    def _on_wanted(self, wanted: WantsChannel) -> None:
        channel = (wanted.asset, wanted.timeframe)
        if channel not in self.channels and len(self.channels) >= self._limits.channels:
            too_many = f"{self._limits.channels} channels a connection; unsubscribe from some"
            self._refuse("too_many_channels", too_many, wanted.asset)
            return
        ticket = self._fanout.next_number()
        told = self._fanout.tell(
            ChannelWanted(
                incarnation=self._fanout.incarnation,
                client=self.id,
                ticket=ticket,
                asset=wanted.asset,
                timeframe=wanted.timeframe,
                since=wanted.since,
            )
        )
        if told is PutResult.ACCEPTED:
            self.channels[channel] = ticket
        else:
            self._refuse("try_later", "the gateway takes no more requests now", wanted.asset)

    def _refuse(self, code: str, message: str, asset: str = "") -> None:
        self._fanout.refused += 1
        self.put(error_frame(code, message, asset))

    # -- sending

    def put(self, frame: bytes) -> None:
        if self._open:
            self._queue.append(frame)
            self._fanout.line_up(self)

    def put_joined(self, joined: Joined) -> None:
        for held in self._backlog.take_asset(joined.asset):
            self.put(held)
        self.put(text_frame(joined.payload))

    def put_refused(self, refused: Refused) -> None:
        self.put(text_frame(refused.payload))

    def put_ticks(self, frame: TicksFrame | GapFrame) -> None:
        if self._slow_since is None:
            self.put(frame.data)
            return
        if isinstance(frame, TicksFrame):
            self._fanout.conflated += frame.summary.n
        if not self._backlog.add_ticks(frame):
            self._too_slow()

    def put_candle(self, candle: CandleOut, frame: bytes) -> None:
        if self._slow_since is None:
            self.put(frame)
        elif not self._backlog.add_candle(candle, frame):
            self._too_slow()

    def flush(self) -> int:
        frames, self._queue = self._queue, []
        if not self._open or not frames:
            return 0
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        if self.transport.get_write_buffer_size() + len(data) > self._limits.queue_bytes:
            self._too_slow()
            return 0
        self.transport.write(data)
        return len(frames)

    def check(self, beat: int) -> None:
        now = self._loop.time()
        if now - self._heard_at > self._limits.silent_s:
            self._leave()
            self.transport.abort()
        elif self._slow_since is not None and now - self._slow_since > self._limits.slow_s:
            self._too_slow()
        elif time.time() > self._until:
            self.close(CloseCode.POLICY_VIOLATION, "the token has expired; come back with another")
        elif (beat + self.id) % PING_EVERY == 0 and self._slow_since is None:
            self.transport.write(PING)

    # -- ending

    def shutdown(self) -> None:
        """uvicorn's call when the server ends."""
        if self._open:
            self.close(CloseCode.GOING_AWAY, "the relay's gateway is going away; come back")
        elif not self.transport.is_closing():
            self.transport.abort()

    def close(self, code: int, reason: str) -> None:
        if not self._open:
            return
        self._protocol.send_close(code, reason)
        self._send_protocol()
        self._end()

    def _too_slow(self) -> None:
        if self._open:
            self._fanout.refused += 1
            self.close(CloseCode.POLICY_VIOLATION, "too slow for what it is subscribed to")

    def _end(self) -> None:
        """Nothing more is sent; the peer has a moment to close."""
        self._leave()
        if self._timer is None and not self.transport.is_closing():
            self._timer = self._loop.call_later(CLOSING_S, self.transport.abort)

    def _leave(self) -> None:
        self._open = False
        self._queue.clear()
        self._backlog.clear()
        self._fanout.remove(self)

    def _send_protocol(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
