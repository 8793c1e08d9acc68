"""Runs one bench scenario: starts server, feed, relay and subscriber as processes, and collects the figures."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import orjson

RelayKind = Literal["tickwire", "baseline"]
START_S = 20.0


class BenchFailed(Exception):
    """A part of the bench did not start or ended early; the text says which and what to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    rate: float
    """Ticks a second; 0: as fast as they are taken."""
    ticks: int
    per_frame: int = 1
    assets: int = 1
    framing: Literal["json", "pocketoption"] = "json"
    announce: bool = False
    """Whether a tick of each asset is sent ahead: browsers subscribe to known assets only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the subscriber saw. `per_second` is ticks over the time from the first to the last."""

    ticks: int
    seconds: float
    per_second: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    in_order: bool


def run(relay: RelayKind, scenario: Scenario) -> Figures:
    """One run on a fresh Redis server. Raises BenchFailed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-bench-")))
        port = _start_redis(stack, folder)
        feed, feed_port = _start_feed(stack, scenario)
        _start_relay(stack, relay, scenario, feed_port, port, folder)
        subscriber = _start(stack, "subscriber", "--port", str(port), "--ticks", str(scenario.ticks),
                            "--skip", str(scenario.ticks // 10))  # fmt: skip
        _expect(subscriber, "ready", "the subscriber")
        assert feed.stdin is not None
        feed.stdin.write("go\n")
        feed.stdin.flush()
        line = _read_line(subscriber, "the subscriber")
        seen: dict[str, Any] = orjson.loads(line)
        if seen["ticks"] < scenario.ticks:
            raise BenchFailed(f"{relay} relayed {seen['ticks']} of {scenario.ticks} ticks")
        return Figures(per_second=round(seen["ticks"] / max(seen["seconds"], 1e-9)), **seen)


def _start_redis(stack: ExitStack, folder: Path) -> int:
    """The same server for both relays, without persistence: the bench measures relays."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        raise BenchFailed(
            "the bench needs redis-server or valkey-server on PATH (Debian: apt-get install redis-server)"
        )
    port = _free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    _spawn(stack, command, folder / "redis.log", cwd=folder)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return port
    raise BenchFailed(f"{binary} did not start on port {port}")


def _start_feed(stack: ExitStack, scenario: Scenario) -> tuple["subprocess.Popen[str]", int]:
    feed = _start(
        stack, "feed", "--rate", str(scenario.rate), "--ticks", str(scenario.ticks),
        "--per-frame", str(scenario.per_frame), "--assets", str(scenario.assets), "--framing", scenario.framing,
        *(["--announce"] if scenario.announce else []),
    )  # fmt: skip
    return feed, int(_read_line(feed, "the feed"))


def _start_relay(
    stack: ExitStack, relay: RelayKind, scenario: Scenario, feed_port: int, redis_port: int, folder: Path
) -> None:
    if relay == "baseline":
        process = _start(stack, "baseline", "--feed", f"ws://127.0.0.1:{feed_port}", "--port", str(redis_port))
        _expect(process, "ready", "the baseline")
        return
    scheme = "json" if scenario.framing == "json" else "pocketoption"
    command = [
        sys.executable, "-m", "tickwire.runtime.cli", "run", "--feed", f"{scheme}+ws://127.0.0.1:{feed_port}/",
        "--redis", f"redis://127.0.0.1:{redis_port}/0", "--data-dir", str(folder / "data"), "--http", "127.0.0.1:0",
    ]  # fmt: skip
    process = _spawn(stack, command, folder / "relay.log")
    _expect(process, "tickwire ready", "tickwire", folder / "relay.log")


def _start(stack: ExitStack, module: str, *arguments: str) -> "subprocess.Popen[str]":
    return _spawn(stack, [sys.executable, "-m", f"tickwire.runtime.cli.bench.{module}", *arguments], None)


def _spawn(stack: ExitStack, command: list[str], log: Path | None, cwd: Path | None = None) -> "subprocess.Popen[str]":
    errors: IO[bytes] | int = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=cwd
    )
    stack.callback(_end, process)
    return process


def _end(process: "subprocess.Popen[str]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _expect(process: "subprocess.Popen[str]", start: str, name: str, log: Path | None = None) -> None:
    line = _read_line(process, name, log)
    if not line.startswith(start):
        raise BenchFailed(f"{name} said {line!r} instead of {start!r}")


def _read_line(process: "subprocess.Popen[str]", name: str, log: Path | None = None) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        said = f": {log.read_text()[-500:]}" if log is not None and log.exists() else ""
        raise BenchFailed(f"{name} ended before it was ready{said}")
    return line


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
