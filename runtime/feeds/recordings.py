"""Recordings as events to send again: `*.frames.jsonl`, `*.csv` and raw exchange captures `*.ws.*`, each also `.gz`.

An event is what belongs together on the wire: a Socket.IO header with its attachments, else one frame. Files are
read as they are played, so their size does not matter.
"""

import gzip
import re
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import orjson
import structlog

from tickwire.actors.ports import BINARY, TEXT
from tickwire.config.urls import ReplayFeed
from tickwire.runtime.feeds.csv_ticks import CsvError, CsvTicks, split_rows
from tickwire.runtime.feeds.loopback import server_frame
from tickwire.runtime.feeds.rebase import shift_attachment

_log = structlog.get_logger("tickwire.replay")

LOOK_AHEAD_FRAMES = 50
LINES_SHOWN = 10
"""Of damaged lines, one by one in the log; how many there were in all is said at the end."""
KNOWN_FILES = "*.frames.jsonl, *.csv, *.ws.* (exchange captures), each also with .gz"
_HANDSHAKE = re.compile(rb"(?:0|40)(?:\{|$)")
_ATTACHMENTS = re.compile(rb"4[56]([1-9][0-9]?)-")
_EVENT_NAME = re.compile(rb'45[0-9]+-\["([^"]+)"')
_RECEIVED = re.compile(rb"([0-9]+(?:\.[0-9]+)?): (.*)", re.DOTALL)

RecordedFrame = tuple[int, int, bytes]
"""(arrival µs, opcode, payload)."""


class FeedError(Exception):
    """A feed can't be used as it is set up; names what is wrong and the remedy."""


class RecordingError(FeedError):
    """A recording can't be played; names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    at_us: int
    """When it arrived, as recorded; of a CSV row, when it happened."""
    wire: bytes
    """Its WebSocket frames, whole."""


class Recording(Protocol):
    source: str
    """The venue whose frames these are."""
    decoder: str
    """The scheme of the venue whose decoder reads them."""
    unique_stamps: bool
    has_arrivals: bool
    """Whether `at_us` is a time of arrival, to be announced."""
    rebase_step_s: int
    """By what whole multiple stamps can be shifted; 0: not at all."""
    handshake: bytes
    first_us: int

    def events(self, shift_s: int) -> Iterator[RecordedEvent]:
        """All events after the handshake, stamps inside moved by `shift_s` (`at_us` is not)."""


def open_recording(url: ReplayFeed) -> Recording:
    """Look into the file far enough to know its kind. Raises RecordingError."""
    path = Path(url.path)
    name = path.name.removesuffix(".gz")
    try:
        if name.endswith(".csv"):
            recording: Recording = CsvRecording(path, url)
        elif name.endswith(".frames.jsonl"):
            recording = FramesRecording(path)
        elif ".ws." in name:
            recording = CaptureRecording(path)
        else:
            raise RecordingError(f"{path}: unknown kind of recording; known are {KNOWN_FILES}")
    except FileNotFoundError as error:
        raise RecordingError(f"{path}: no such file; paths are relative to {Path.cwd()}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    except CsvError as error:
        raise RecordingError(str(error)) from error
    if url.rebase and not recording.rebase_step_s:
        raise RecordingError(f"{path}: rebase=1 knows CSV and PocketOption's frames only; leave it out")
    if not isinstance(recording, CsvRecording) and (url.asset or url.day):
        raise RecordingError(f"{path}: frames carry their assets and times; leave asset= and date= out")
    return recording


class FramesRecording:
    """`{"t": unix seconds, "type": "text" | "binary", "data": text or base64}` a line."""

    has_arrivals = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handshakes = 0
        self.handshake = b""
        self.first_us = 0
        engine_io, begun, empty = False, False, True
        for at_us, opcode, payload in islice(self._frames(quiet=True), LOOK_AHEAD_FRAMES):
            self.first_us = self.first_us or at_us
            handshake = opcode == TEXT and _HANDSHAKE.match(payload) is not None
            if handshake and not begun:
                self._handshakes += 1
                self.handshake += server_frame(opcode, payload)
            begun = begun or not handshake
            engine_io = engine_io or handshake or (opcode == TEXT and _ATTACHMENTS.match(payload) is not None)
            empty = False
        if empty:
            raise _unplayable(
                path, 'is a frame {"t": seconds, "type": "text", "data": …}, as tickwire record writes them'
            )
        self.source = self.decoder = "pocketoption" if engine_io else "json"
        self.unique_stamps = engine_io
        self.rebase_step_s = 60 if engine_io else 0  # so that candles stay on their minutes

    def events(self, shift_s: int) -> Iterator[RecordedEvent]:
        frames = self._frames(quiet=False)
        for _ in range(self._handshakes):
            next(frames)
        return _grouped(frames, shift_s)

    def _frames(self, *, quiet: bool) -> Iterator[RecordedFrame]:
        skipped = _Skipped(self._path.name)
        for number, line in enumerate(_lines(self._path, quiet=quiet), 1):
            frame = _frame(line)
            if frame is not None:
                yield frame
            elif line.strip() and not quiet:
                skipped.add(number, line)
        skipped.tell()


class CaptureRecording:
    """An exchange's public WebSocket: `time: payload` a received line; connections and what was sent are left out."""

    has_arrivals = True
    handshake = b""
    unique_stamps = False
    rebase_step_s = 0

    def __init__(self, path: Path) -> None:
        self._path = path
        self.source = self.decoder = path.name.partition(".ws.")[0].lower()
        first = next(self._events(quiet=True), None)
        if first is None:
            raise _unplayable(path, "is `seconds: payload`, as captures of exchanges have them")
        self.first_us = first.at_us

    def events(self, shift_s: int) -> Iterator[RecordedEvent]:
        return self._events(quiet=False)

    def _events(self, *, quiet: bool) -> Iterator[RecordedEvent]:
        for line in _lines(self._path, quiet=quiet):
            received = _RECEIVED.fullmatch(line.rstrip(b"\r\n"))
            if received is not None:
                yield RecordedEvent(round(float(received[1]) * 1e6), server_frame(TEXT, received[2]))


class CsvRecording:
    """A row is a frame `[["ASSET",time,price]]`."""

    has_arrivals = False
    handshake = b""
    decoder = "json"
    source = "pocketoption"  # the CSV files there are, are QuFLX's
    unique_stamps = False
    rebase_step_s = 1

    def __init__(self, path: Path, url: ReplayFeed) -> None:
        self._path = path
        rows = split_rows(_lines(path, quiet=True))
        header = next(rows, None)
        if header is None:
            raise RecordingError(f"{path}: is empty; a CSV begins with timestamp,asset,price")
        self._ticks = CsvTicks(path.name, header, url.asset, url.day)
        first = next((row for row in rows if row != header), None)
        self.first_us = 0
        if first is not None:
            self._ticks.check(first)
            self.first_us = self._first_us()

    def _first_us(self) -> int:
        """When the first row happened whose time can be read; there has to be one that is whole as well."""
        first_us = None
        for tick in self._ticks.ticks(split_rows(_lines(self._path, quiet=True))):
            first_us = tick.at_us if first_us is None else first_us
            if tick.usable and first_us is not None:
                return first_us
        raise _unplayable(self._path, "has an asset, a time and a price under its header", below=1)

    def events(self, shift_s: int) -> Iterator[RecordedEvent]:
        rows = split_rows(_lines(self._path, quiet=False))
        next(rows)
        at_us, unreadable = self.first_us, 0
        for tick in self._ticks.ticks(rows, shift_s):
            at_us = tick.at_us - shift_s * 1_000_000 if tick.at_us is not None else at_us
            unreadable += not tick.usable
            yield RecordedEvent(at_us, server_frame(TEXT, tick.payload))
        if unreadable:
            _log.warning("recording_rows_unreadable", file=self._path.name, rows=unreadable)


class _Skipped:
    """Lines that are no frames: the first ones are shown, all are counted."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0

    def add(self, number: int, line: bytes) -> None:
        self._count += 1
        if self._count <= LINES_SHOWN:
            _log.warning("recording_line_skipped", file=self._file, line=number, sample=line[:80])

    def tell(self) -> None:
        if self._count:
            _log.warning("recording_lines_skipped", file=self._file, lines=self._count)


def _unplayable(path: Path, wanted: str, *, below: int = 0) -> RecordingError:
    """Nothing in the file can be played; names the first line, behind a header of `below` lines, that is not blank."""
    remedy = "is this the right file? Name another, or record it anew"
    lines = ((number, line.strip()) for number, line in enumerate(_lines(path, quiet=True), 1) if number > below)
    number, line = next(((number, line) for number, line in lines if line), (0, b""))
    if not line:
        return RecordingError(f"{path}: is empty; {remedy}")
    sample = line[:60].decode(errors="replace")
    return RecordingError(f"{path}: no line of it {wanted}: line {number} is {sample!r}; {remedy}")


def _lines(path: Path, *, quiet: bool) -> Iterator[bytes]:
    """Lines of a file; one that a kill cut off ends the recording where it was cut."""
    begun = False
    with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
        try:
            for line in file:
                begun = True
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if not begun:
                raise
            if not quiet:
                _log.warning("recording_cut_off", file=path.name, error=str(error))


def _frame(line: bytes) -> RecordedFrame | None:
    try:
        record = orjson.loads(line)
        at_us, kind, data = round(record["t"] * 1e6), record["type"], record["data"]
        if kind == "text":
            return at_us, TEXT, data.encode()
        return (at_us, BINARY, b64decode(data, validate=True)) if kind == "binary" else None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, Base64Error):
        return None


def _grouped(frames: Iterable[RecordedFrame], shift_s: int) -> Iterator[RecordedEvent]:
    """Frames as events: a header waits for its attachments, unless something else comes first."""
    at_us, wire, name, missing = 0, b"", b"", 0
    for frame_at_us, opcode, payload in frames:
        if missing and opcode == BINARY:
            wire += server_frame(BINARY, shift_attachment(name, payload, shift_s) if shift_s else payload)
            missing -= 1
        else:
            if missing:
                yield RecordedEvent(at_us, wire)
            at_us, wire = frame_at_us, server_frame(opcode, payload)
            header = _ATTACHMENTS.match(payload) if opcode == TEXT else None
            missing = int(header[1]) if header else 0
            named = _EVENT_NAME.match(payload) if header else None
            name = named[1] if named else b""
        if not missing:
            yield RecordedEvent(at_us, wire)
    if missing:
        yield RecordedEvent(at_us, wire)
