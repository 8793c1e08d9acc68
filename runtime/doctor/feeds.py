"""Whether the feeds' hosts can be reached. Nothing is sent to them."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tickwire.actors.ports import FeedClosed
from tickwire.config.urls import ChromeFeed, FeedUrl, JsonFeed, PocketOptionFeed, ReplayFeed
from tickwire.runtime.doctor.findings import Finding, failed, ok
from tickwire.runtime.feeds.chrome import ChromeConnector

TIMEOUT_S = 5.0


def check_feeds(feeds: Sequence[FeedUrl]) -> Iterator[Finding]:
    for feed in feeds:
        match feed:
            case PocketOptionFeed() | JsonFeed():
                yield _connect(feed.websocket_url)
            case ChromeFeed():
                yield _chrome(feed)
            case ReplayFeed():
                yield _recording(Path(feed.path))
            case _:
                yield ok("feed", "it is made in the relay itself")


def _connect(url: str) -> Finding:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_S).close()
    except OSError as error:
        return failed(
            f"feed {host}",
            f"no connection to port {port}: {error.strerror or error}",
            "check the address, the network and its firewall",
        )
    return ok(f"feed {host}", f"port {port} takes connections")


def _chrome(feed: ChromeFeed) -> Finding:
    try:
        ChromeConnector(feed.host, feed.port, timeout_s=TIMEOUT_S).connect().close()
    except FeedClosed as error:
        what, _, remedy = error.reason.rpartition(": ")
        return failed(f"feed {feed.name}", what or error.reason, remedy)
    return ok(f"feed {feed.name}", "its DevTools answer")


def _recording(path: Path) -> Finding:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return failed(f"feed {path.name}", f"{path}: {error.strerror or error}", "name a readable recording")
    return ok(f"feed {path.name}", f"{path} can be read")
