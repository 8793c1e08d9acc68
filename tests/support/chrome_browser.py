"""A Chromium with its DevTools open, as QuFLX's users start it, and a page in it that talks to a broker."""

import html
import http.server
import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import websocket
from support.browser import ARGUMENTS
from support.servers import need
from support.tickwire_process import eventually

PAGE = (Path(__file__).parent / "broker_page.html").read_bytes()


class Chrome:
    """One browser after another on the same port and profile: `start`, `kill`, `start`."""

    def __init__(self, folder: Path) -> None:
        self._binary = need("chromium")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        marker = self._folder / "DevToolsActivePort"
        marker.unlink(missing_ok=True)
        flags = [*ARGUMENTS, f"--remote-debugging-port={self.port}", f"--user-data-dir={self._folder}", "about:blank"]
        self._process = subprocess.Popen([self._binary, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def told() -> int:
            words = marker.read_text().split() if marker.exists() else []
            return int(words[0]) if len(words) > 1 else 0

        def answers() -> bool:
            with suppress(OSError):
                return bool(self.ask("/json/version"))
            return False

        self.port = self.port or eventually(told, "Chromium says its port")
        eventually(answers, "Chromium's DevTools answer")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for leftover in self._folder.glob("Singleton*"):
            leftover.unlink(missing_ok=True)

    def ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read()
        return json.loads(body) if body.startswith((b"{", b"[")) else body

    def open_tab(self, url: str) -> str:
        """The new tab's id."""
        tab: str = self.ask(f"/json/new?{quote(url, safe='')}", "PUT")["id"]
        return tab

    def close_tab(self, tab: str) -> None:
        self.ask(f"/json/close/{tab}")

    def close_tabs(self) -> None:
        """All but the empty one that it began with, and without which it would end."""
        for target in self.ask("/json/list"):
            if target["type"] == "page" and target["url"].startswith("http"):
                self.close_tab(target["id"])

    def crash_tab(self, tab: str) -> None:
        """As a page that ran out of memory does."""
        self._say(tab, "Page.crash", {}, until="Inspector.targetCrashed")

    def traders(self) -> list[str]:
        """Ids of the pages, and of frames of other sites in them, that talk to a broker."""
        return [
            each["id"] for each in self.ask("/json/list") if "broker=" in each["url"] and "/framed" not in each["url"]
        ]

    def evaluate(self, page: str, expression: str) -> Any:
        """What JavaScript comes to there."""
        told = self._say(page, "Runtime.evaluate", {"expression": expression, "returnByValue": True}, until='"id":1')
        assert "exceptionDetails" not in told["result"], told
        return told["result"]["result"].get("value")

    def _say(self, page: str, method: str, params: dict[str, object], *, until: str) -> Any:
        url = f"ws://127.0.0.1:{self.port}/devtools/page/{page}"
        socket = websocket.create_connection(url, timeout=20, suppress_origin=True)
        try:
            socket.send(json.dumps({"id": 1, "method": method, "params": params}))
            while until not in (answer := str(socket.recv())):
                pass
        finally:
            socket.close()
        return json.loads(answer)


@contextmanager
def chrome(folder: Path) -> Iterator[Chrome]:
    made = Chrome(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()
        with suppress(OSError):
            shutil.rmtree(folder)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self._framed() if self.path.startswith("/framed") else PAGE)

    def _framed(self) -> bytes:
        """The page in a frame of another site, which is another process of the browser's."""
        port, query = self.connection.getsockname()[1], urlsplit(self.path).query
        return f'<!doctype html><iframe src="http://localhost:{port}/?{html.escape(query)}"></iframe>'.encode()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def page_server() -> Iterator[str]:
    """The page's URL; `?broker=ws://…&assets=A,B` says to whom it talks and of what, `framed?…` has it in a frame."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
