"""Serves a recording over a real WebSocket, as the venue did: paced, resumable, ended by a close with 1000 `ended`.

The position belongs to the recording, not to a connection: a client that comes again gets the recorded handshake and
then the first event that was not wholly sent. The newest client is the one that is served.
"""

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import structlog

from tickwire.actors.ports import PING, Clock
from tickwire.config.urls import ReplayFeed
from tickwire.runtime.feeds.loopback import ClientGone, LoopbackClient, LoopbackServer, server_frame
from tickwire.runtime.feeds.recordings import RecordedEvent, Recording, open_recording

_log = structlog.get_logger("tickwire.replay")

BATCH_BYTES = 65_536
LAP_PAUSE_S = 1.0
"""Recorded time between the end of a loop and its next beginning."""


class Player:
    """The position in a recording and when its next event is due. Used by one thread at a time."""

    def __init__(self, recording: Recording, feed: ReplayFeed, clock: Clock) -> None:
        self._recording = recording
        self._feed = feed
        self._clock = clock
        self._again: list[RecordedEvent] = []
        self._next: RecordedEvent | None = None
        self._due = 0.0
        self._events: Iterator[RecordedEvent] | None = None
        self._start = 0.0
        self._lap_is_empty = True
        self.shift_s = 0

    def begin(self) -> None:
        """Start the first lap, unless it has been."""
        if self._events is None:
            self._begin_lap(self._clock.monotonic())

    def take(self) -> list[RecordedEvent]:
        """Events that are due, at most a batch."""
        batch, self._again = self._again, []
        now = self._clock.monotonic()
        size = 0
        while size < BATCH_BYTES and self._fill() and self._due <= now:
            assert self._next is not None
            size += len(self._next.wire)
            batch.append(self._next)
            self._next = None
        return batch

    def put_back(self, events: Sequence[RecordedEvent]) -> None:
        """These were not wholly sent: they come first, at once."""
        self._again = list(events)

    def wait_s(self) -> float | None:
        """How long until the next event is due; None at the recording's end."""
        return max(0.0, self._due - self._clock.monotonic()) if self._fill() else None

    def _fill(self) -> bool:
        """Have the next event at hand, if there is one."""
        while self._next is None:
            self._next = next(self._events, None) if self._events is not None else None
            if self._next is not None:
                elapsed_s = (self._next.at_us - self._recording.first_us) / 1e6
                self._due = self._start + elapsed_s / self._feed.speed
                self._lap_is_empty = False
            elif self._feed.loop and not self._lap_is_empty:
                self._begin_lap(max(self._due, self._start) + LAP_PAUSE_S / self._feed.speed)
            else:
                return False
        return True

    def _begin_lap(self, start: float) -> None:
        self._start = start
        self._lap_is_empty = True
        if self._feed.rebase:
            step = self._recording.rebase_step_s
            age_s = (self._clock.now_us() - self._recording.first_us) // 1_000_000
            self.shift_s = age_s // step * step
        self._events = self._recording.events(self.shift_s)


class ReplayServer:
    """A recording's server; `ready` starts the clock of `delay=`."""

    def __init__(self, feed: ReplayFeed, clock: Clock) -> None:
        """Raises RecordingError where the file can't be played."""
        self.recording = open_recording(feed)
        self._feed = feed
        self._clock = clock
        self._player = Player(self.recording, feed, clock)
        self._server = LoopbackServer(self._serve, name="replay")
        self._turn = threading.Lock()
        self._arriving = threading.Lock()
        self._served: LoopbackClient | None = None
        self._begins_at: float | None = None

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.start()

    def ready(self) -> None:
        """All is up: the first event leaves `delay=` seconds from now."""
        if self._begins_at is None:
            self._begins_at = self._clock.monotonic() + self._feed.delay_s
            self._server.wake_clients()

    def stop(self) -> None:
        self._server.stop()

    def drop_clients(self) -> None:
        """Cut the connection without a goodbye, as a failing network would."""
        self._server.drop_clients()

    def _serve(self, client: LoopbackClient) -> None:
        with self._arriving:
            before, self._served = self._served, client
        if before is not None:
            before.shut()
        with self._turn:
            self._await_beginning(client)
            self._player.begin()
            announced = -1
            if self.recording.handshake:
                announced = self.recording.first_us
                client.write(self._ping(announced) + self.recording.handshake)
            self._play(client, announced)
        _log.info("replay_ended", recording=self._feed.name)
        client.finish(1000, "ended")

    def _await_beginning(self, client: LoopbackClient) -> None:
        while True:
            begins_at = self._begins_at
            left_s = begins_at - self._clock.monotonic() if begins_at is not None else None
            if left_s is not None and left_s <= 0:
                return
            client.take_messages()
            client.wait(left_s)

    def _play(self, client: LoopbackClient, announced: int) -> None:
        """Send until the recording's end. Raises ClientGone."""
        while True:
            client.take_messages()  # a recording answers nothing
            batch = self._player.take()
            if batch:
                data, ends, announced = self._join(batch, announced)
                try:
                    client.write(data)
                except ClientGone as gone:
                    self._player.put_back(batch[bisect_right(ends, gone.sent) :])
                    raise
                continue
            wait_s = self._player.wait_s()
            if wait_s is None:
                return
            if wait_s > 0:
                client.wait(wait_s)

    def _join(self, batch: Sequence[RecordedEvent], announced: int) -> tuple[bytes, list[int], int]:
        """The batch as bytes, where each event ends in them, and the arrival time announced last."""
        pieces, ends, size = [], [], 0
        for event in batch:
            wire = event.wire
            if self.recording.has_arrivals and event.at_us != announced:
                announced = event.at_us
                wire = self._ping(announced) + wire
            pieces.append(wire)
            size += len(wire)
            ends.append(size)
        return b"".join(pieces), ends, announced

    def _ping(self, at_us: int) -> bytes:
        """The announcement of an arrival, moved as the stamps are."""
        if not self.recording.has_arrivals:
            return b""
        return server_frame(PING, b"t=%d" % (at_us + self._player.shift_s * 1_000_000))
