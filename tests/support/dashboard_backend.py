"""The page against a relay that is made of answers: each state of each panel, whenever a test wants it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from playwright.sync_api import Page, Route, WebSocketRoute

from tickwire.runtime.gateway.edge import CONTENT_SECURITY_POLICY
from tickwire.runtime.gateway.page import load_page

URL = "http://tickwire.test/"
EPOCH = "01J9ZZZZZZZZZZZZZZZZZZZZZZ"
NOON = 1_767_700_800
"""A noon UTC, in seconds."""

HANG = object()
"""The answer that never comes."""

Answer = Any
"""JSON, text, HANG, an int (the status of an error), or a function of the query that gives one of them."""


def asset(name: str = "EURUSD_otc", **fields: Any) -> dict[str, Any]:
    return {
        "asset": name, "source": "pocketoption", "price": 1.0845, "timestamp": NOON, "seq": 3, "epoch": EPOCH,
        "rate": 2.0, "stale": False, "buffered": 3,
    } | fields  # fmt: skip


def candle(timestamp: int, quality: str = "live", **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": timestamp, "open": 1.0840, "high": 1.0850, "low": 1.0835, "close": 1.0845, "volume": 0,
        "is_closed": True, "timeframe": "1m", "ticks": 60, "quality": quality,
    } | fields  # fmt: skip


def account(**fields: Any) -> dict[str, Any]:
    return {
        "asset": "EURUSD_otc", "balanced": True, "received": 100, "parsed": 100, "rejected": {}, "duplicates": 0,
        "stored": 90, "quarantined": 0, "pending": 10, "lost": {}, "unexplained_at_parse": 0, "unexplained_after": 0,
    } | fields  # fmt: skip


def status(**fields: Any) -> dict[str, Any]:
    return {
        "ok": True,
        "system": {"collector": "running", "stream": "live", "last_tick_ts": NOON, "last_tick_asset": "EURUSD_otc"},
        "feeds": {"pocketoption": {"state": "live", "detail": "", "stale_assets": []}},
        "redis": {"state": "up", "detail": "", "owners": {}},
        "store": {"state": "up", "detail": "", "owners": {}, "last_batch_rows": 50, "pending": 10, "catching_up": False,
                  "rate": 5.0, "eta_s": None, "quarantined": 0},
        "version": "0.1.0",
        "timestamp": NOON,
    } | fields  # fmt: skip


def actor(name: str = "publisher", **fields: Any) -> dict[str, Any]:
    return {
        "id": name, "state": "running", "incarnation": 1, "restarts": 0, "last_error": None, "mailbox_depth": 0,
        "oldest_age_s": 0.0,
    } | fields  # fmt: skip


def whole() -> dict[str, Answer]:
    """All is well."""
    return {
        "api/v1/assets": {"assets": [asset()]},
        "api/v1/candles/EURUSD_otc": {"candles": [candle(NOON - 60), candle(NOON, is_closed=False)]},
        "api/v1/status": status(),
        "api/v1/actors": {"actors": [actor()]},
        "api/v1/audit": {"balanced": True, "unreadable_entries": 0, "accounts": [account()], "holes": []},
        "metrics": "tickwire_feed_ticks_total 100\ntickwire_gateway_clients 1\n",
    }


TICKS = ((1, NOON, 1.0843), (2, NOON + 1, 1.0844), (3, NOON + 2, 1.0845))


@dataclass
class FakeRelay:
    """Answers below `URL` and at its /ws. `asked`: (path, query, Authorization) of every request for data."""

    page: Page
    answers: dict[str, Answer] = field(default_factory=whole)
    feed: str = "live"
    redis: str = "up"
    snapshot: tuple[tuple[int, float, float], ...] | None = TICKS
    """What a subscription is answered with; nothing where it is None."""
    refusal: str = ""
    asked: list[tuple[str, Mapping[str, list[str]], str]] = field(default_factory=list)
    sockets: list[WebSocketRoute] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._files = load_page()
        self.page.route(re.compile(re.escape(URL)), self._on_request)
        self.page.route_web_socket(re.compile(r"^ws://tickwire\.test/ws"), self._on_socket)

    def set(self, answer: Answer, *paths: str) -> None:
        for path in paths or tuple(self.answers):
            self.answers[path] = answer

    def say(self, **message: Any) -> None:
        """To every browser that is connected."""
        for socket in self.sockets:
            socket.send(orjson.dumps(message).decode())

    def _on_request(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        path = parts.path.lstrip("/")
        file = self._files.get(path.removeprefix("static/") if path.startswith("static/") else path or "index.html")
        if file is not None:
            headers = {"Content-Type": file.type, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
            route.fulfill(status=200, headers=headers, body=file.body)
            return
        query = parse_qs(parts.query)
        self.asked.append((path, query, route.request.headers.get("authorization", "")))
        answer = self.answers.get(unquote(path), 404)
        self._give(route, answer(query) if callable(answer) else answer)

    def _give(self, route: Route, answer: Answer) -> None:
        if answer is HANG:
            return
        if isinstance(answer, int):
            code = {401: "unauthorized", 404: "not_found"}.get(answer, "unavailable")
            body = {"ok": False, "error_code": code, "error_message": "no", "user_message": "it is restarting"}
            route.fulfill(status=answer, content_type="application/json", body=orjson.dumps(body))
        elif isinstance(answer, str):
            route.fulfill(status=200, content_type="text/plain", body=answer)
        else:
            route.fulfill(status=200, content_type="application/json", body=orjson.dumps(answer))

    def _on_socket(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda text: self._on_message(socket, orjson.loads(text)))
        socket.send(orjson.dumps({"type": "status", "feed": self.feed, "redis": self.redis}).decode())

    def _on_message(self, socket: WebSocketRoute, message: Mapping[str, Any]) -> None:
        if message["type"] != "subscribe":
            return
        answer: dict[str, Any] | None = None
        name = message["asset"]
        if message.get("mode") == "candles":
            answer = {"type": "subscribed", "asset": name, "mode": "candles", "timeframe": message["timeframe"],
                      "recovered": False, "epoch": EPOCH, "seq": 0, "snapshot": []}  # fmt: skip
        elif self.refusal:
            answer = {"type": "error", "code": "unknown_asset", "message": self.refusal, "asset": name}
        elif self.snapshot is not None:
            last = self.snapshot[-1][0] if self.snapshot else 0
            answer = {"type": "subscribed", "asset": name, "recovered": False, "epoch": EPOCH, "seq": last,
                      "snapshot": self.snapshot}  # fmt: skip
        if answer is not None:
            socket.send(orjson.dumps(answer).decode())
