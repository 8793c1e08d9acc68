"""A subscriber of `updates:*` and a reader of `/readyz`, beside the relay under test; both in threads of their own."""

import threading
import time
from types import TracebackType
from typing import Any

import orjson
import redis
from faults.servers import PASSWORD, Servers
from support.tickwire_process import Tickwire

PAUSE_S = 0.05


class Listener:
    """What a plain subscriber sees, over every restart of the server: the order of each asset's (epoch, seq)."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._newest: dict[str, tuple[str, int]] = {}
        self.heard = 0
        self.disorder: list[str] = []

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(15)

    def _listen(self) -> None:
        while not self._ending.is_set():
            port = self._servers.redis.port
            try:
                client = redis.Redis(port=port, password=PASSWORD, socket_timeout=2, retry=None)  # type: ignore[arg-type]
                with client, client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.psubscribe("updates:*")
                    self._follow(pubsub, port)
            except redis.RedisError:
                self._ending.wait(PAUSE_S)

    def _follow(self, pubsub: Any, port: int) -> None:
        while not self._ending.is_set() and self._servers.redis.port == port:
            message = pubsub.get_message(timeout=0.2)
            if message is not None and message["type"] == "pmessage":
                self._take(orjson.loads(message["data"]))

    def _take(self, tick: dict[str, Any]) -> None:
        asset, place = tick["asset"], (tick["epoch"], tick["seq"])
        before = self._newest.get(asset)
        if before is not None and place <= before:
            self.disorder.append(f"{asset}: {place} after {before}")
        self._newest[asset] = place
        self.heard += 1


class Watch:
    """Collects what `/readyz` says is wrong, while it is entered; it may be entered again."""

    def __init__(self, app: Tickwire) -> None:
        self._app = app
        self._ending = threading.Event()
        self.seen: dict[str, None] = {}

    def __enter__(self) -> "Watch":
        self._ending.clear()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(15)

    def _look(self) -> None:
        while not self._ending.wait(PAUSE_S):
            try:
                self.note()
            except OSError:
                time.sleep(PAUSE_S)  # a process that is busy, or ending

    def note(self) -> bool:
        """Whether the relay is ready."""
        answer = self._app.get("/readyz")
        feeds = {f"feed {name}": found for name, found in answer["feeds"].items() if found["detail"]}
        for what, found in {"redis": answer["redis"], "store": answer["store"], **feeds}.items():
            if found and found["state"] != "up":
                self.seen[f"{what} {found['state']}: {found['detail']}".rstrip(": ")] = None
        return bool(answer["ready"])

    def shown(self, words: str) -> bool:
        return any(words in each for each in self.seen)
