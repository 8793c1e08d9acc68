"""A page of `web/`, built by its own vite and served on loopback.

Its packages: `make web`, or `npm ci --ignore-scripts` in `web`.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.recordings import missing
from support.servers import need

WEB = Path(__file__).resolve().parents[2] / "web"
BUILD_S = 180


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


def packages() -> Path:
    """The installed packages of `web`; a named skip where they are missing, a failure in CI."""
    if not (WEB / "node_modules" / "vite").is_dir():
        missing("the packages of web are not installed; run npm ci there")
    return WEB / "node_modules"


def build(page: str, folder: Path) -> None:
    """Build the page in that folder of `web` into `folder`."""
    node, vite = need("node"), packages() / "vite" / "bin" / "vite.js"
    done = subprocess.run(
        [node, str(vite), "build", page, "--outDir", str(folder), "--emptyOutDir"],
        cwd=WEB, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a folder's files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="web-page")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
