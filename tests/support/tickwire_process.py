"""`tickwire` as its users run it: a process of its own, its ready line, its signals."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson

T = TypeVar("T")

READY = re.compile(r"tickwire ready (?P<http>http://127\.0\.0\.1:\d+) redis=(?P<redis>\S+) store=(?P<store>\S+)")
PATIENCE_S = 60.0


class Tickwire:
    """A running `tickwire run` or `tickwire replay`. `http` and `redis` are its URLs."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, data_dir: Path) -> None:
        self.process = process
        self.log = log
        self.data_dir = data_dir
        assert process.stdout is not None
        line = process.stdout.readline()
        found = READY.fullmatch(line.strip())
        if found is None:
            process.stdout.close()
            process.wait(10)
            raise AssertionError(f"no ready line but {line!r}; its log:\n{self.logged()}")
        self.http = found["http"]
        self.redis = found["redis"]

    @property
    def redis_port(self) -> int:
        return int(re.findall(r":(\d+)", self.redis)[-1])

    @property
    def database(self) -> Path:
        return self.data_dir / "ticks.db"

    def logged(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def get(self, path: str) -> Any:
        """The JSON of a URL, whatever its status."""
        try:
            with urllib.request.urlopen(self.http + path, timeout=10) as answer:
                return orjson.loads(answer.read())
        except urllib.error.HTTPError as error:
            return orjson.loads(error.read())

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.http + path, timeout=10) as answer:
            body: bytes = answer.read()
        return body.decode()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """However it is: it is gone afterwards."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def tickwire(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, data_dir: Path | None = None
) -> Iterator[Tickwire]:
    """Start `tickwire ARGUMENTS --data-dir … --http 127.0.0.1:0`, wait for its ready line, end it afterwards."""
    data_dir = data_dir or folder / "data"
    log = folder / f"tickwire-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "tickwire.runtime.cli", *arguments, "--data-dir", str(data_dir)]
    if "--http" not in arguments:
        command += ["--http", "127.0.0.1:0"]
    stack: list[IO[bytes]] = [log.open("wb")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=stack[0],
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env=clean_environment() | dict(environment or {}),
    )
    stack[0].close()
    running: Tickwire | None = None
    try:
        running = Tickwire(process, log, data_dir)
        yield running
    finally:
        if running is not None:
            running.end()
        elif process.poll() is None:
            process.kill()
            process.wait()


def clean_environment() -> dict[str, str]:
    """This environment without settings of tickwire's or QuFLX's."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("TICKWIRE_", "REDIS_", "SUPABASE_"))
    }


def eventually(probe: Callable[[], T | None], what: str, timeout_s: float = PATIENCE_S) -> T:
    """The first true answer of `probe`; fails by name after the time limit."""
    deadline = time.monotonic() + timeout_s
    pause = 0.01
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(pause)
        pause = min(0.2, pause * 1.5)


def stored(database: Path) -> list[tuple[str, str, str, int, int, str]]:
    """(uid, pair, price, ts_us, timestamp, source) of every row."""
    with sqlite3.connect(database) as db:
        rows = db.execute("select tick_uid, pair, price, ts_us, timestamp, source from historical_ticks").fetchall()
    db.close()
    return rows


def count_stored(database: Path) -> int:
    if not database.exists():
        return 0
    with sqlite3.connect(database) as db:
        try:
            count: int = db.execute("select count(*) from historical_ticks").fetchone()[0]
        except sqlite3.OperationalError:
            count = 0  # the table is not there yet
    db.close()
    return count
