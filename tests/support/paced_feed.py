"""A venue that sends a tape over a real WebSocket, so many ticks a second, and knows what it has sent.

The tape waits while nobody is connected, or while it is paused; a tick that was not wholly handed to the system is sent
again to the next client.
"""

import threading
import time
from bisect import bisect_right
from types import TracebackType

from support.tape import Tape, Tick

from tickwire.actors.ports import TEXT
from tickwire.runtime.feeds.loopback import ClientGone, LoopbackClient, LoopbackServer, server_frame

STEP_S = 0.01
BEHIND_S = 0.5
"""A client that took nothing for longer is not made up for: the pace begins anew."""


class PacedFeed:
    """`run` and `pause` at will; `sent` ticks of the tape are out."""

    def __init__(self, tape: Tape, rate: int) -> None:
        self.tape = tape
        self.rate = rate
        self.sent = 0
        self._server = LoopbackServer(self._serve, name="paced-feed")
        self._turn = threading.Lock()
        self._running = threading.Event()
        self._resting = threading.Event()
        self._resting.set()
        self._deciding = threading.Lock()
        self._times: list[tuple[int, float]] = []

    @property
    def url(self) -> str:
        return f"json+{self._server.url}/"

    def __enter__(self) -> "PacedFeed":
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def run(self) -> None:
        self._running.set()
        self._server.wake_clients()

    def pause(self) -> int:
        """Stop sending; returns how many ticks are out."""
        with self._deciding:
            self._running.clear()
        assert self._resting.wait(30.0), "the feed is stuck in a write"
        return self.sent

    def sent_at(self, number: int) -> float:
        """When (monotonic) that tick of the tape went out."""
        place = bisect_right(self._times, number, key=lambda each: each[0])
        return self._times[place][1]

    def ticks(self, start: int, stop: int) -> list[Tick]:
        return list(self.tape.ticks(start, stop))

    def _serve(self, client: LoopbackClient) -> None:
        with self._turn:
            try:
                self._send(client)
            finally:
                self._resting.set()

    def _send(self, client: LoopbackClient) -> None:
        begun, base = time.monotonic(), self.sent
        while True:
            client.take_messages()
            if not self._may_send():
                client.wait(None)
                begun, base = time.monotonic(), self.sent
                continue
            now = time.monotonic()
            due = base + int((now - begun) * self.rate)
            if due - self.sent > self.rate * BEHIND_S:
                begun, base, due = now, self.sent, self.sent + 1
            if due > self.sent:
                self._write(client, due)
            client.wait(STEP_S)

    def _may_send(self) -> bool:
        """Whoever pauses after this knows whether to wait for us."""
        with self._deciding:
            if self._running.is_set():
                self._resting.clear()
            else:
                self._resting.set()
            return self._running.is_set()

    def _write(self, client: LoopbackClient, due: int) -> None:
        frames = [server_frame(TEXT, tick.frame) for tick in self.tape.ticks(self.sent, due)]
        try:
            client.write(b"".join(frames))
        except ClientGone as gone:
            for frame in frames:
                gone.sent -= len(frame)
                if gone.sent < 0:
                    break
                self.sent += 1
            raise
        else:
            self.sent = due
        finally:
            self._times.append((self.sent, time.monotonic()))
