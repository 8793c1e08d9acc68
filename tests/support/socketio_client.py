"""socket.io-client of npm, driven from here: one node process, any number of sockets by name."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.recordings import missing
from support.servers import need

_FOLDER = Path(__file__).parent / "node"
PATIENCE_S = 20.0

Heard = list[Any]
"""[event, argument, …]"""


class Browsers:
    """`connect` makes a socket; what each hears waits in order until it is asked for."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self._process = process
        self._url = url
        self._heard: dict[str, queue.Queue[Heard]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def connect(self, name: str, **options: Any) -> "Browser":
        """A socket that has been let in."""
        browser = self.attempt(name, **options)
        browser.until("connect")
        return browser

    def attempt(self, name: str, **options: Any) -> "Browser":
        self._heard[name] = queue.Queue()
        self.command("connect", name, self._url, options)
        return Browser(self, name, self._heard[name])

    def command(self, *words: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            name, *heard = json.loads(line)
            self._heard[name].put(heard)


class Browser:
    def __init__(self, browsers: Browsers, name: str, heard: "queue.Queue[Heard]") -> None:
        self._browsers = browsers
        self.name = name
        self._heard = heard

    def emit(self, event: str, *data: Any) -> None:
        self._browsers.command("emit", self.name, event, *data)

    def close(self) -> None:
        self._browsers.command("close", self.name)

    def until(self, event: str, accept: Callable[[Any], bool] = lambda _: True) -> Any:
        """The argument of the next such event; others before it are left out."""
        deadline = time.monotonic() + PATIENCE_S
        passed = []
        while (left := deadline - time.monotonic()) > 0:
            try:
                heard = self._heard.get(timeout=left)
            except queue.Empty:
                break
            data = heard[1] if len(heard) > 1 else None
            if heard[0] == event and accept(data):
                return data
            passed.append(heard[0])
        raise AssertionError(f"{self.name} heard no {event} within {PATIENCE_S:.0f} s, but {passed[-20:]}")

    def asked(self, event: str, *data: Any, answer: str) -> Any:
        self.emit(event, *data)
        return self.until(answer)

    def heard_so_far(self) -> list[Heard]:
        found = []
        while not self._heard.empty():
            found.append(self._heard.get())
        return found


@contextmanager
def browsers(url: str) -> Iterator[Browsers]:
    node = need("node")
    if not (_FOLDER / "node_modules" / "socket.io-client").is_dir():
        missing("the packages of tests/support/node are not installed; run npm ci there")
    process = subprocess.Popen(
        [node, str(_FOLDER / "socketio_client.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    made = Browsers(process, url)
    try:
        yield made
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)
        made._reader.join(10)
        assert process.stdout is not None
        process.stdout.close()
