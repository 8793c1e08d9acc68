"""Writes down what a feed sends, verbatim, as `*.frames.jsonl[.gz]`, which `replay:` plays again.

Only received frames are written, never our own, so no login; what a venue answers to a login (it names the account)
is left out, and secrets of ours are blotted out wherever the venue repeats them. Each read is flushed: a kill leaves
whole lines.
"""

import gzip
import re
import selectors
import threading
import zlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson
import structlog

from tickwire.actors.ports import PING, PONG, TEXT, Clock, FeedClosed, FeedSocket
from tickwire.market.backoff import Backoff
from tickwire.market.wire import AuthRefused, ClosedByVenue, Decoder, Opened, Send
from tickwire.runtime.feeds.feed import Feed
from tickwire.runtime.feeds.recordings import FeedError

_log = structlog.get_logger("tickwire.recorder")

WAIT_S = 0.25
PING_EVERY_S = 10.0
_LOGIN_ANSWER = re.compile(rb'45([0-9]+)-\["successauth"')
_SESSION_ID = re.compile(rb'"sid"\s*:\s*"[^"]*"')
_BLOT = b"***"


class FrameFile:
    """A recording under way: lines `{"t": unix seconds, "type": "text" | "binary", "data": text or base64}`."""

    def __init__(self, path: Path, secrets: Sequence[str] = ()) -> None:
        """Raises FeedError where the file exists or can't be written."""
        if not path.name.removesuffix(".gz").endswith(".frames.jsonl"):
            raise FeedError(f"{path}: a recording's name ends in .frames.jsonl or .frames.jsonl.gz")
        try:
            self._file: BinaryIO = path.open("xb")
        except FileExistsError as error:
            raise FeedError(f"{path}: exists already; name another file") from error
        except OSError as error:
            raise FeedError(f"{path}: can't be written: {error.strerror}") from error
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb") if path.name.endswith(".gz") else None
        self._secrets = [secret.encode() for secret in secrets if secret]
        self._login_attachments = 0
        self.frames = 0

    def write(self, at_us: int, frames: Sequence[tuple[int, bytes]]) -> None:
        """Add data frames that arrived together, and flush."""
        lines = [
            self._line(at_us, opcode, payload) for opcode, payload in frames if not self._is_login(opcode, payload)
        ]
        self.frames += len(lines)
        data = b"".join(lines)
        if self._packed is not None:
            self._packed.write(data)
            self._packed.flush(zlib.Z_SYNC_FLUSH)
        else:
            self._file.write(data)
        self._file.flush()

    def close(self) -> None:
        if self._packed is not None:
            self._packed.close()
        self._file.close()

    def _is_login(self, opcode: int, payload: bytes) -> bool:
        """Whether the frame belongs to the answer to a login."""
        if opcode != TEXT and self._login_attachments:
            self._login_attachments -= 1
            return True
        answer = _LOGIN_ANSWER.match(payload) if opcode == TEXT else None
        self._login_attachments = int(answer[1]) if answer else 0
        return answer is not None

    def _line(self, at_us: int, opcode: int, payload: bytes) -> bytes:
        for secret in self._secrets:
            payload = payload.replace(secret, _BLOT)
        if opcode == TEXT and payload[:2] in (b"0{", b"40"):
            payload = _SESSION_ID.sub(b'"sid":"recorded"', payload)
        kind, data = "binary", b64encode(payload).decode()
        if opcode == TEXT:
            try:
                kind, data = "text", payload.decode()
            except UnicodeDecodeError:
                _log.warning("text_frame_is_not_utf8", size=len(payload))
        return orjson.dumps({"t": at_us / 1_000_000, "type": kind, "data": data}, option=orjson.OPT_APPEND_NEWLINE)


def check_recordable(feed: Feed) -> None:
    """Raises FeedError where nothing of this feed can or may be written down."""
    if feed.connector is None:
        raise FeedError(f"feed {feed.name}: sends no frames that could be recorded")
    if feed.frames_are_private:
        raise FeedError(
            f"feed {feed.name}: a browser tells the logins and cookies of all its pages, which belong in no file; "
            f"record the broker itself (pocketoption+wss://)"
        )


class Recorder:
    """Connects to a feed as a TickIngestor does, again after a cut, and writes until stopped or the feed has ended."""

    def __init__(
        self, feed: Feed, file: FrameFile, *, clock: Clock, backoff: Backoff, stopped: threading.Event
    ) -> None:
        self._feed = feed
        self._file = file
        self._clock = clock
        self._backoff = backoff
        self._stopped = stopped

    def run(self) -> None:
        """Record until `stopped` is set or a replay has ended. Raises FeedError where the venue refuses us."""
        check_recordable(self._feed)
        assert self._feed.connector is not None
        while not self._stopped.is_set():
            try:
                socket = self._feed.connector.connect()
                try:
                    self._record(socket, self._feed.make_decoder())
                finally:
                    socket.close()
            except FeedClosed as closed:
                if closed.code == 1000 and closed.reason == "ended" and not self._feed.profile.reconnects_after_end:
                    return
                delay_s = self._backoff.next_s()
                _log.warning("feed_lost", feed=self._feed.name, reason=closed.reason, retry_in_s=round(delay_s, 2))
                self._stopped.wait(delay_s)

    def _record(self, socket: FeedSocket, decoder: Decoder) -> None:
        """One connection, until it is stopped. Raises FeedClosed."""
        _send(socket, decoder.greeting())
        next_ping = last_frame = self._clock.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(socket.fileno(), selectors.EVENT_READ)
            while not self._stopped.is_set():
                if not socket.pending:
                    selector.select(WAIT_S)
                now = self._clock.monotonic()
                frames = socket.receive()
                if frames:
                    last_frame = now
                    self._take(socket, decoder, [frame for frame in frames if frame[0] not in (PING, PONG)])
                elif now - last_frame > decoder.silence_limit_s:
                    raise FeedClosed(f"no frame for {now - last_frame:.0f} s")
                _send(socket, decoder.due(now))
                if now >= next_ping:
                    next_ping = now + PING_EVERY_S
                    socket.ping()

    def _take(self, socket: FeedSocket, decoder: Decoder, data: Sequence[tuple[int, bytes]]) -> None:
        self._file.write(self._clock.now_us(), data)
        for event in decoder.receive(data):
            match event:
                case Send():
                    socket.send(event.payload)
                case Opened():
                    self._backoff.reset()
                    for asset in self._feed.profile.assets:
                        _send(socket, decoder.subscribe(asset))
                case AuthRefused():
                    raise FeedError(f"feed {self._feed.name}: refused the session ({event.reason}); give a fresh one")
                case ClosedByVenue():
                    raise FeedClosed(event.reason)
                case _:
                    pass


def _send(socket: FeedSocket, sends: Sequence[Send]) -> None:
    for send in sends:
        socket.send(send.payload)
