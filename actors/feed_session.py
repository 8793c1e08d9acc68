"""One connection of a feed: its socket, its decoder, its deadlines. TickIngestor's, in its thread."""

from collections.abc import Iterator, Sequence

from tickwire.actors.ports import PING, PONG, FeedClosed, FeedSocket
from tickwire.market.wire import Decoder, Event, Frame, Send

PING_EVERY_S = 10.0
"""Our own WebSocket ping: a half-open connection says nothing for ever."""


class FeedSession:
    """Not thread-safe. Every method may raise FeedClosed, after which the session is over."""

    def __init__(self, socket: FeedSocket, decoder: Decoder, now: float, *, arrivals_from_pings: bool) -> None:
        self.socket = socket
        self.decoder = decoder
        self.frames = 0
        self.opened = False
        self._arrivals_from_pings = arrivals_from_pings
        self._arrival_us: int | None = None
        self._last_frame = now
        self._next_ping = now + PING_EVERY_S
        self._answers: list[Send] = []

    def greet(self) -> None:
        """Send what the venue expects first."""
        self.send(self.decoder.greeting())

    def send(self, sends: Sequence[Send]) -> None:
        for send in sends:
            self.socket.send(send.payload)

    def answer(self, sends: Sequence[Send]) -> None:
        """Send this once what `read` has in hand was taken."""
        self._answers += sends

    def read(self, now: float, recv_us: int) -> Iterator[tuple[int, Sequence[Event]]]:
        """What has arrived, decoded, as (arrival µs, events): one run, or one for each arrival a replay announces.

        Answers leave after the last run: a venue that is gone by then can take none, but what it said counts.
        """
        frames = self.socket.receive()
        if not frames:
            return
        self._last_frame = now
        self.frames += len(frames)
        for arrival_us, data in self._runs(frames, recv_us):
            events = self.decoder.receive(data)
            self._answers += [event for event in events if type(event) is Send]
            yield arrival_us, events
        if self._answers:
            answers, self._answers = self._answers, []
            self.send(answers)

    def _runs(self, frames: Sequence[tuple[int, bytes]], recv_us: int) -> list[tuple[int, list[Frame]]]:
        """Data frames, split at the pings that announce arrival times."""
        if frames[0][0] not in (PING, PONG) and not self._arrivals_from_pings:
            return [(recv_us, [frame for frame in frames if frame[0] not in (PING, PONG)])]
        runs: list[tuple[int, list[Frame]]] = []
        data: list[Frame] = []
        for frame in frames:
            opcode, payload = frame
            if opcode == PING and self._arrivals_from_pings and payload.startswith(b"t=") and payload[2:].isdigit():
                if data:
                    runs.append((self._arrival_us or recv_us, data))
                    data = []
                self._arrival_us = int(payload[2:])
            elif opcode not in (PING, PONG):
                data.append(frame)
        if data:
            runs.append((self._arrival_us or recv_us, data))
        return runs

    def beat(self, now: float, *, paused: bool) -> None:
        """Send what is due; raise FeedClosed when the venue has been silent for too long (not while we don't read)."""
        self.send(self.decoder.due(now))
        if paused:
            self._last_frame = now
        silence = now - self._last_frame
        if silence > self.decoder.silence_limit_s:
            raise FeedClosed(f"no frame for {silence:.0f} s")
        if now >= self._next_ping:
            self._next_ping = now + PING_EVERY_S
            self.socket.ping()

    def close(self) -> None:
        self.socket.close()
