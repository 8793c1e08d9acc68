"""What Gateway hands over, fanned out to the clients that watch it. All but `post` and `probe` run in the event loop.

Each turn takes everything that was handed over, builds a frame an asset, and writes it to its clients in slices with
the loop's other work between them; what comes meanwhile is in the next turn, so that frames grow under load by
themselves. There is no timer on the way of a tick.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from tickwire.actors.kernel.behaviour import PutResult
from tickwire.messages.clients import (
    CandleOut,
    ChannelsLeft,
    GapOut,
    Joined,
    LoopEchoed,
    Refused,
    StatusOut,
    TicksOut,
    ToServer,
)
from tickwire.runtime.gateway.frames import GapFrame, TicksFrame, coalesce, text_frame

SLICE = 64
"""Clients written to before the loop does something else."""
BEAT_S = 1.0

Channel = tuple[str, str | None]
"""Asset and timeframe; None for ticks."""


class Client(Protocol):
    """A connection of /ws, as the fan-out sees it."""

    id: int
    channels: dict[Channel, int]
    """Wanted channels and the ticket of each."""
    waiting: bool
    """Whether it is in line to be flushed."""

    def put(self, frame: bytes, /) -> None:
        """Queue a frame that must arrive."""

    @property
    def browsers(self) -> int:
        """For how many it stands."""

    def put_joined(self, joined: Joined, /) -> None:
        """Queue an asset's `subscribed`, behind all ticks of it that came before."""

    def put_refused(self, refused: Refused, /) -> None:
        """Queue that it does not get a channel."""

    def put_ticks(self, frame: TicksFrame | GapFrame, /) -> None:
        """Queue ticks; a slow client keeps a summary instead."""

    def put_candle(self, candle: CandleOut, frame: bytes, /) -> None:
        """Queue a candle; a slow client keeps the latest of each."""

    def flush(self) -> int:
        """Write what is queued; returns how many frames."""

    def check(self, beat: int, /) -> None:
        """Once a second: ping, or give up what is too slow or dead."""


class Fanout:
    """Channels and their clients."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[object], PutResult], incarnation: int) -> None:
        self.loop = loop
        self.incarnation = incarnation
        self.tell = tell
        self.refused = 0
        self.conflated = 0
        self._frames_sent = 0
        self._clients: dict[int, Client] = {}
        self._channels: dict[Channel, dict[Client, None]] = {}
        self._inbox: deque[ToServer] = deque()
        self._called = False
        self._pending: dict[str, list[TicksOut | GapOut]] = {}
        self._line: deque[Client] = deque()
        self._writing = False
        self._status = b""
        self._number = 0
        self._beats = 0

    # -- from the actor's thread

    def post(self, items: Sequence[ToServer]) -> None:
        self._inbox.extend(items)
        if not self._called:
            self._called = True
            self._call(self._turn)

    def probe(self) -> None:
        self._call(self._echo)

    def _call(self, act: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended: so has whatever it was for
            self.loop.call_soon_threadsafe(act)

    # -- clients

    def next_number(self) -> int:
        """For a client's id or a request's ticket."""
        self._number += 1
        return self._number

    def add(self, client: Client) -> None:
        self._clients[client.id] = client
        if self._status:
            client.put(self._status)

    def remove(self, client: Client) -> None:
        """Idempotent."""
        if self._clients.pop(client.id, None) is not None:
            for channel in client.channels:
                self._leave(client, channel)
            client.channels.clear()
            self.tell(ChannelsLeft(incarnation=self.incarnation, client=client.id, asset=None))

    def leave(self, client: Client, asset: str) -> None:
        """Take it off all channels of an asset."""
        channels = [channel for channel in client.channels if channel[0] == asset]
        for channel in channels:
            self._leave(client, channel)
            del client.channels[channel]
        if channels:
            self.tell(ChannelsLeft(incarnation=self.incarnation, client=client.id, asset=asset))

    def _leave(self, client: Client, channel: Channel) -> None:
        watching = self._channels.get(channel)
        if watching is not None:
            watching.pop(client, None)
            if not watching:
                del self._channels[channel]

    def line_up(self, client: Client) -> None:
        """The client has something to be written."""
        if not client.waiting:
            client.waiting = True
            self._line.append(client)
            if not self._writing:
                self._writing = True
                self.loop.call_soon(self._write)

    # -- turns

    def _turn(self) -> None:
        self._called = False
        if self._writing:
            return  # the end of the writing takes what has come
        while self._inbox:
            self._take(self._inbox.popleft())
        for asset in list(self._pending):
            self._settle(asset)

    def _take(self, item: ToServer) -> None:
        match item:
            case TicksOut() | GapOut():
                self._pending.setdefault(item.asset, []).append(item)
            case CandleOut():
                self._on_candle(item)
            case Joined():
                self._on_joined(item)
            case Refused():
                client = self._clients.get(item.client)
                if client is not None and client.channels.get((item.asset, item.timeframe)) == item.ticket:
                    del client.channels[item.asset, item.timeframe]
                    self.refused += 1
                    client.put_refused(item)
            case StatusOut():
                self._status = text_frame(item.payload)
                for client in self._clients.values():
                    client.put(self._status)

    def _settle(self, asset: str) -> None:
        """Queue an asset's pending ticks to those who watch them now."""
        pending = self._pending.pop(asset, ())
        watching = self._channels.get((asset, None))
        if pending and watching:
            for frame in coalesce(pending):
                for client in tuple(watching):
                    client.put_ticks(frame)

    def _on_joined(self, joined: Joined) -> None:
        client = self._clients.get(joined.client)
        channel = (joined.asset, joined.timeframe)
        if client is None or client.channels.get(channel) != joined.ticket:
            return  # it has left meanwhile
        self._settle(joined.asset)  # what came before the snapshot is in it
        self._channels.setdefault(channel, {})[client] = None
        client.put_joined(joined)

    def _on_candle(self, candle: CandleOut) -> None:
        watching = self._channels.get((candle.asset, candle.timeframe))
        if watching:
            frame = text_frame(candle.payload)
            for client in tuple(watching):
                client.put_candle(candle, frame)

    def _write(self) -> None:
        try:
            for _ in range(min(SLICE, len(self._line))):
                client = self._line.popleft()
                client.waiting = False
                self._frames_sent += client.flush()
        finally:  # a bug at one client must not leave the others waiting for ever
            if self._line:
                self.loop.call_soon(self._write)
            else:
                self._writing = False
                if self._inbox:
                    self._turn()

    # -- time

    def beat(self) -> None:
        """Once a second, from its first call on."""
        self._beats += 1
        self.loop.call_later(BEAT_S, self.beat)
        for client in list(self._clients.values()):
            client.check(self._beats)

    def _echo(self) -> None:
        echo = LoopEchoed(
            incarnation=self.incarnation,
            clients=sum(client.browsers for client in self._clients.values()),
            frames_sent=self._frames_sent,
            ticks_conflated=self.conflated,
            refused=self.refused,
        )
        self._frames_sent = self.conflated = self.refused = 0
        self.tell(echo)
