"""fakeredis' TCP server as a process of its own, for machines where no real server runs (Windows, old glibc).

Run by path: `python -P fake_server.py '{"port": n}'`, with the guard's pipes and words (see guard.py): it ends at the
end of its stdin, however the parent ended, or at a line `stop`. Volatile, slow, and without INFO.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
from typing import Any

from fakeredis import TcpFakeServer
from redis.exceptions import AuthenticationError, ResponseError

WRITE_S = 5.0


class _PatientFile:
    """The connection's writing side. fakeredis makes its sockets non-blocking and then loses what does not fit."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._connection.send(view) :]
            except BlockingIOError:
                _, writable, _ = select.select([], [self._connection], [], WRITE_S)
                if not writable:
                    raise ConnectionError("the client reads no more") from None

    def flush(self) -> None:
        """Nothing is held back."""


class _PatientClient:
    """fakeredis' inner client, whose error replies are answers. Raised, they make its server hang up after each."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def read_response(self) -> Any:
        try:
            return self._client.read_response()
        except (ResponseError, AuthenticationError) as error:
            return error


def _patient(handler: Any) -> Any:
    """fakeredis' request handler, with the two above."""

    class Patient(handler):  # type: ignore[misc]  # it is known at run time only
        current_client: Any

        def setup(self) -> None:
            super().setup()
            self.writer.writer = _PatientFile(self.connection)
            self.current_client = _PatientClient(self.current_client)

    return Patient


def serve(port: int) -> int:
    """Serve until told to stop; returns the exit code."""
    try:
        server = TcpFakeServer(("127.0.0.1", port))
    except OSError as error:
        _say(event="failed", reason="ended", detail=str(error))
        return 1
    server.RequestHandlerClass = _patient(server.RequestHandlerClass)
    threading.Thread(target=server.serve_forever, name="fake-redis", daemon=True).start()
    _say(event="ready", pid=os.getpid())
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.buffer.read(1)
    return 0


def _say(**report: Any) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for name in ("SIGINT", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    code = serve(json.loads(sys.argv[1])["port"])
    # Handler threads may be waiting for clients that outlive us.
    os._exit(code)
