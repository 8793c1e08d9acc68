"""The guard: a small process that holds one Redis server, in a session of its own, and ends when its parent does.

Run by path, on the standard library alone (it is up in a few milliseconds): `python -I -S guard.py JSON` with
{"command": [binary, option, …], "port": n, "folder": path, "lock_s": seconds, "stop_s": seconds}. Its stdin is a pipe
from the parent: a line `stop`, or its end, which comes however the parent ends, stops the server. On stdout it says, a
JSON object a line:

    {"event": "ready", "pid": …}                          the server answers
    {"event": "failed", "reason": …, "detail": …}         it never did: locked, missing, slow, or ended (with its log)
    {"event": "ended", "code": …, "detail": …}            it has ended by itself

POSIX only. On Windows there is no server to hold: the parent holds `fake_server.py`, which keeps to the same words.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

READY_S = 30.0
POLL_S = 0.02
LOG_TAIL = 4096
PR_SET_PDEATHSIG = 1


class Guard:
    """One server's life. Single-threaded: its preexec function is safe, its death signal means the whole process."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self._command: list[str] = wanted["command"]
        self._port: int = wanted["port"]
        self._folder = Path(wanted["folder"])
        self._log = self._folder / "server.log"
        self._lock_s: float = wanted["lock_s"]
        self._stop_s: float = wanted["stop_s"]
        self._pid = os.getpid()
        self._child_ended, wake = os.pipe()
        for descriptor in (self._child_ended, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # A Python-level handler each, or the wakeup descriptor stays silent.
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, self._note)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._told_to_stop = False

    def run(self) -> int:
        lock = self._lock()
        if lock is None:
            return 0 if self._told_to_stop else self._failed("locked", str(self._folder))
        try:
            server = self._start(lock)
        except OSError as error:
            return self._failed("missing", str(error))
        try:
            return self._hold(server)
        finally:
            if server.poll() is None:
                self._stop(server)

    def _hold(self, server: "subprocess.Popen[bytes]") -> int:
        deadline = time.monotonic() + READY_S
        while not self._answers(server.pid):
            if server.poll() is not None:
                return self._failed("ended", self._log_tail())
            if time.monotonic() > deadline:
                return self._failed("slow", f"no answer on port {self._port} in {READY_S:.0f} s")
            if self._wait(POLL_S):
                return 0
        self._say(event="ready", pid=server.pid)
        while server.poll() is None:
            if self._wait(None):
                return 0
        self._say(event="ended", code=server.returncode, detail=self._log_tail())
        return 1

    def _lock(self) -> int | None:
        """The folder's lock, which the server inherits: it is free when the last holder has ended, guard or server."""
        descriptor = os.open(self._folder / "guard.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + self._lock_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > deadline or self._wait(POLL_S):
                    return None
            else:
                return descriptor

    def _start(self, lock: int) -> "subprocess.Popen[bytes]":
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def die_with_the_guard() -> None:
            if libc is not None:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != self._pid:
                    os._exit(1)

        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("wb") as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                pass_fds=[lock],
                preexec_fn=die_with_the_guard,  # single-threaded, see the class
            )

    def _stop(self, server: "subprocess.Popen[bytes]") -> None:
        server.terminate()
        try:
            server.wait(self._stop_s)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def _answers(self, pid: int) -> bool:
        """Whether our server (not another one that has the port) is up and has loaded its data."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\nINFO server\r\nQUIT\r\n")
                answer = b""
                while received := connection.recv(65536):
                    answer += received
        except OSError:
            return False
        return answer.startswith(b"+PONG") and b"process_id:%d\r\n" % pid in answer

    def _wait(self, timeout_s: float | None) -> bool:
        """Wait for news; True if the parent has ended or said stop, or a SIGTERM came."""
        readable, _, _ = select.select([0, self._child_ended], [], [], timeout_s)
        if self._child_ended in readable:
            os.read(self._child_ended, 512)
        if 0 in readable:
            os.read(0, 512)  # `stop` and the end mean the same
            self._told_to_stop = True
        return self._told_to_stop

    def _note(self, number: int, _frame: Any) -> None:
        self._told_to_stop = self._told_to_stop or number == signal.SIGTERM

    def _log_tail(self) -> str:
        return self._log.read_bytes()[-LOG_TAIL:].decode(errors="replace")

    def _failed(self, reason: str, detail: str) -> int:
        self._say(event="failed", reason=reason, detail=detail)
        return 1

    @staticmethod
    def _say(**report: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more: stdin's end says so too
            os.write(1, json.dumps(report).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(Guard(json.loads(sys.argv[1])).run())
