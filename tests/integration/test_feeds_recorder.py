"""Recording a feed, and playing what was recorded."""

import gzip
import importlib.util
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from support.feeds_clients import RealClock, connected, receive_to_the_end
from support.recordings import recording

from tickwire.actors.ports import BINARY, PING, PONG, TEXT
from tickwire.config.urls import parse_feed, parse_replay
from tickwire.market.backoff import Backoff
from tickwire.runtime.feeds import Feed, FeedError, FrameFile, Recorder, SimulatedBroker, open_feed
from tickwire.runtime.feeds.replay import ReplayServer

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0


def recorder(feed: Feed, file: FrameFile, stopped: threading.Event) -> Recorder:
    backoff = Backoff(min_s=0.01, max_s=0.1, random=random.Random(1))
    return Recorder(feed, file, clock=RealClock(), backoff=backoff, stopped=stopped)


@contextmanager
def started(url: str) -> Iterator[Feed]:
    feed = open_feed(parse_feed(url), clock=RealClock())
    feed.start()
    feed.ready()
    try:
        yield feed
    finally:
        feed.stop()


def replayed(path: Path) -> list[tuple[int, bytes]]:
    server = ReplayServer(parse_replay(f"{path}?speed=max"), RealClock())
    server.start()
    server.ready()
    try:
        with connected(server.url) as client:
            frames, closed = receive_to_the_end(client)
    finally:
        server.stop()
    assert closed.reason == "ended"
    return [frame for frame in frames if frame[0] not in (PING, PONG)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_recorded_replay_replays_as_the_original(tmp_path: Path, suffix: str) -> None:
    original = recording("pocketoption.frames.jsonl")
    path = tmp_path / f"again.frames.jsonl{suffix}"
    with started(f"replay:{original}?speed=max") as feed:
        file = FrameFile(path)
        recorder(feed, file, threading.Event()).run()
        file.close()
    frames = replayed(path)
    expected = replayed(original)
    assert file.frames == len(frames) == 319
    assert frames[2:] == expected[2:]
    assert [payload[:2] for _, payload in frames[:2]] == [b"0{", b"40"]
    assert all(b'"sid":"recorded"' in payload for _, payload in frames[:2])


def test_a_live_session_is_recorded_over_a_cut_without_login_or_secret(tmp_path: Path) -> None:
    path = tmp_path / "live.frames.jsonl"
    stopped = threading.Event()
    with started("simulated:?assets=EURUSD_otc,GBPUSD_otc&rate=200") as feed:
        file = FrameFile(path, secrets=["simulated"])
        thread = threading.Thread(target=recorder(feed, file, stopped).run)
        thread.start()
        try:
            _until(lambda: file.frames > 300)
            assert feed.server is not None
            feed.server.drop_clients()
            before = file.frames
            _until(lambda: file.frames > before + 300)
        finally:
            stopped.set()
            thread.join(DEADLINE_S)
        file.close()
    content = path.read_bytes()
    frames = replayed(path)
    assert b"simulated" not in content
    assert not any(b"successauth" in payload or b'"auth"' in payload for _, payload in frames)
    assert sum(payload.startswith(b"0{") for _, payload in frames) == 2  # one handshake a connection
    histories = [payload for opcode, payload in frames if opcode == BINARY and b'"history":' in payload]
    assert len(histories) == 4  # two assets, two connections
    headers = [payload for opcode, payload in frames if opcode == TEXT and payload.startswith(b"451-")]
    assert len(headers) - sum(opcode == BINARY for opcode, _ in frames) in (0, 1)  # one may be cut off


def test_a_killed_recorder_leaves_whole_lines_that_replay(tmp_path: Path) -> None:
    path = tmp_path / "killed.frames.jsonl.gz"
    code = """
import random, sys, threading
from pathlib import Path
from tickwire.config.urls import parse_feed
from tickwire.market.backoff import Backoff
from tickwire.runtime.clock import SystemClock
from tickwire.runtime.feeds import FrameFile, Recorder, open_feed
feed = open_feed(parse_feed("simulated:?rate=200"), clock=SystemClock())
feed.start()
backoff = Backoff(min_s=0.01, max_s=0.1, random=random.Random(1))
file = FrameFile(Path(sys.argv[1]))
Recorder(feed, file, clock=SystemClock(), backoff=backoff, stopped=threading.Event()).run()
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(path)])
    try:
        _until(lambda: path.exists() and path.stat().st_size > 40_000)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with pytest.raises(EOFError):
        gzip.decompress(path.read_bytes())  # so it was cut off indeed
    assert len(replayed(path)) > 100


def test_a_secret_that_the_venue_repeats_is_blotted_out(tmp_path: Path) -> None:
    path = tmp_path / "a.frames.jsonl"
    file = FrameFile(path, secrets=["canary-1", ""])
    file.write(1_500_000, [(TEXT, b'42["echo","canary-1"]'), (BINARY, b"\x00canary-1\x00"), (TEXT, b"\xff")])
    file.close()
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert b"canary" not in b"".join(payload for _, payload in replayed(path))
    assert [(line["t"], line["type"]) for line in lines] == [(1.5, "text"), (1.5, "binary"), (1.5, "binary")]
    assert lines[0]["data"] == '42["echo","***"]'


def test_the_answer_to_a_login_is_left_out_with_its_attachments(tmp_path: Path) -> None:
    path = tmp_path / "a.frames.jsonl"
    file = FrameFile(path)
    file.write(1, [(TEXT, b'452-["successauth",{},{}]'), (BINARY, b"account 1")])
    file.write(2, [(BINARY, b"account 2"), (BINARY, b"kept"), (TEXT, b"kept too")])
    file.close()
    assert replayed(path) == [(BINARY, b"kept"), (TEXT, b"kept too")]


def test_a_refused_session_ends_the_recording_with_the_reason(tmp_path: Path) -> None:
    broker = SimulatedBroker(["EURUSD_otc"], 2.0, clock=RealClock(), session="right")
    broker.start()
    try:
        url = parse_feed(f"pocketoption+{broker.url}")
        feed = open_feed(url, clock=RealClock(), session="wrong")
        file = FrameFile(tmp_path / "a.frames.jsonl")
        with pytest.raises(FeedError, match="refused the session"):
            recorder(feed, file, threading.Event()).run()
        file.close()
    finally:
        broker.stop()


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.frames.jsonl"
    path.write_text("precious")
    with pytest.raises(FeedError, match=r"exists already"):
        FrameFile(path)
    with pytest.raises(FeedError, match=r"\.frames\.jsonl"):
        FrameFile(tmp_path / "a.json")
    with pytest.raises(FeedError, match="can't be written"):
        FrameFile(tmp_path / "missing" / "a.frames.jsonl")
    assert path.read_text() == "precious"


def test_a_host_that_pushes_has_nothing_to_record(tmp_path: Path) -> None:
    file = FrameFile(tmp_path / "a.frames.jsonl")
    with started("push:") as feed, pytest.raises(FeedError, match="no frames"):
        recorder(feed, file, threading.Event()).run()
    file.close()


def test_the_demo_recording_is_what_its_script_makes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_demo_recording", ROOT / "scripts" / "make_demo_recording.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = tmp_path / "demo.frames.jsonl"
    script.main(made)
    committed = ROOT / "examples" / "demo.frames.jsonl"
    assert made.read_bytes() == committed.read_bytes()
    assert committed.stat().st_size < 150_000
    events = [payload for opcode, payload in replayed(committed) if opcode == BINARY and payload.startswith(b"[[")]
    ticks = [row for payload in events for row in orjson.loads(payload) if len(row) == 3]
    assert len(ticks) > 300
    assert {row[0] for row in ticks} == {"EURUSD_otc", "GBPUSD_otc", "#AAPL_otc"}


def _until(condition: Callable[[], bool]) -> None:
    """Wait for a state that nothing announces."""
    pause = threading.Event()
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)
