"""Finding the real servers that tests start."""

import shutil
import socket
from pathlib import Path

from support.recordings import missing

POSTGRES_FOLDERS = ("/usr/lib/postgresql",)


def need(binary: str) -> str:
    """The path of a server's binary; a named skip where it is missing, a failure in CI."""
    found = shutil.which(binary)
    if found is None:
        for folder in POSTGRES_FOLDERS:
            candidates = sorted(Path(folder).glob(f"*/bin/{binary}"))
            if candidates:
                return str(candidates[-1])
        missing(f"{binary} is not installed")
        raise AssertionError("missing() always ends the test")
    return found


def free_port() -> int:
    """A loopback port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
