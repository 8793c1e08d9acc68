"""Connects to a Chrome's DevTools: its address is found over HTTP, since it changes with every start of the browser."""

import http.client
import socket
import threading
from contextlib import closing, suppress
from urllib.parse import urlsplit

import orjson

from tickwire.actors.ports import FeedClosed
from tickwire.runtime.feeds.websocket import CONNECT_TIMEOUT_S, WebSocketConnector, WebSocketFeed

ANSWER_BYTES = 64 * 1024
MAX_MESSAGE = 64 * 2**20
"""Chrome tells of everything on its pages, long responses too; those are read past."""


class ChromeConnector:
    """`actors.ports.FeedConnector`: the browser's own DevTools socket."""

    def __init__(self, host: str, port: int, *, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s

    def connect(self) -> WebSocketFeed:
        """Raises FeedClosed with the reason and the remedy."""
        address = self._address()
        # No Origin: Chrome refuses DevTools to pages, and a client that names none is no page.
        return WebSocketConnector(
            lambda: address, origin=None, timeout_s=self._timeout_s, max_message=MAX_MESSAGE
        ).connect()

    def _address(self) -> str:
        where = _host_port(self._host, self._port)
        remedy = f"start it with --remote-debugging-port={self._port} and a --user-data-dir of its own"
        try:
            where, told = self._ask()
            path = urlsplit(told).path
        except OSError as error:
            raise FeedClosed(f"no Chrome answers at {where} ({error.strerror or error}): {remedy}") from error
        except (http.client.HTTPException, ValueError) as error:
            raise FeedClosed(f"what answers at {where} is no Chrome's DevTools: {remedy}") from error
        if not path.startswith("/devtools/browser/"):
            raise FeedClosed(f"what answers at {where} is no Chrome's DevTools: {remedy}")
        return f"ws://{where}{path}"

    def _ask(self) -> tuple[str, str]:
        """Who answers, and `webSocketDebuggerUrl` of its /json/version."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        connection.connect()
        # By its address: Chrome refuses to be called by another name than localhost.
        where = _host_port(connection.sock.getpeername()[0], self._port)
        # The library's time-out is one of each read: what drips its answer needs a deadline over all.
        deadline = threading.Timer(self._timeout_s, _shut, [connection.sock])
        deadline.daemon = True
        deadline.start()
        try:
            connection.request("GET", "/json/version", headers={"Host": where})
            with closing(connection.getresponse()) as answer:
                told = orjson.loads(answer.read(ANSWER_BYTES))
        finally:
            deadline.cancel()
            connection.close()
        address = told.get("webSocketDebuggerUrl") if type(told) is dict else None
        if answer.status != 200 or type(address) is not str:
            raise ValueError("no webSocketDebuggerUrl")
        return where, address


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
