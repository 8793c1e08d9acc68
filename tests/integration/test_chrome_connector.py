"""How a Chrome's DevTools are found and reached, and what is said of everything else that may answer there."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import pytest
from support.servers import free_port
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tickwire.actors.ports import FeedClosed
from tickwire.runtime.feeds.chrome import ChromeConnector

pytestmark = pytest.mark.timeout(60)

DEADLINE_S = 10.0
REMEDY = "--remote-debugging-port"

Answer = Callable[[int], tuple[int, bytes]]
"""Port → status and body of /json/version."""


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@contextmanager
def devtools(answer: Answer, host: str = "127.0.0.1") -> Iterator[tuple[int, list[Request]]]:
    """What a Chrome has there, in short; yields its port and the requests so far."""
    asked: list[Request] = []

    def process(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(request)
        if request.path != "/json/version":
            return None
        status, body = answer(connection.socket.getsockname()[1])
        headers = Headers({"Content-Length": str(len(body)), "Connection": "close"})
        return Response(status, "as told", headers, body)

    def handle(connection: ServerConnection) -> None:
        connection.recv()

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    with serve(handle, sock=listener, process_request=process, compression=None, ping_interval=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1], asked
        finally:
            server.shutdown()
            thread.join(DEADLINE_S)


def told(url: str) -> Answer:
    return lambda port: (200, orjson.dumps({"webSocketDebuggerUrl": url.replace("PORT", str(port))}))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_the_browsers_own_socket_is_opened_by_address_and_no_origin_is_named(host: str) -> None:
    """Chrome answers nobody who calls it by a name, but for localhost, nor who names the page that he comes from."""
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    listens = "127.0.0.1" if host == "localhost" else host
    with devtools(told("ws://127.0.0.1:PORT/devtools/browser/b-1"), listens) as (port, asked):
        ChromeConnector(host, port, timeout_s=DEADLINE_S).connect().close()
    assert [request.path for request in asked] == ["/json/version", "/devtools/browser/b-1"]
    assert not any("Origin" in request.headers for request in asked)
    called = f"[{listens}]:{port}" if ":" in listens else f"{listens}:{port}"
    assert [request.headers["Host"] for request in asked] == [called, called]


def test_whatever_host_it_names_the_one_that_was_asked_is_taken() -> None:
    with devtools(told("ws://192.0.2.1:1/devtools/browser/b-1")) as (port, asked):
        ChromeConnector("127.0.0.1", port, timeout_s=DEADLINE_S).connect().close()
    assert asked[-1].headers["Host"] == f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    "answer",
    [
        told("ws://127.0.0.1:PORT/somewhere/else"),
        told("http://[broken/devtools"),
        lambda _: (200, b"<html>"),
        lambda _: (200, b"[]"),
        lambda _: (200, b'{"webSocketDebuggerUrl":7}'),
        lambda _: (404, b"{}"),
        lambda port: (500, told("ws://127.0.0.1:PORT/devtools/browser/b-1")(port)[1]),
        lambda _: (200, b"[" * 200_000),
    ],
)
def test_what_is_no_chrome_is_said_to_be_none(answer: Answer) -> None:
    with devtools(answer) as (port, _), pytest.raises(FeedClosed, match=r"is no Chrome's DevTools") as refused:
        ChromeConnector("127.0.0.1", port, timeout_s=DEADLINE_S).connect()
    assert REMEDY in refused.value.reason


def test_where_nothing_listens_the_remedy_is_named() -> None:
    port = free_port()
    with pytest.raises(FeedClosed, match=f"no Chrome answers at 127.0.0.1:{port}") as refused:
        ChromeConnector("127.0.0.1", port, timeout_s=DEADLINE_S).connect()
    assert REMEDY in refused.value.reason


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    ended = threading.Event()

    def drip(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\n")
            while not ended.wait(0.05):
                try:
                    peer.sendall(b"X: y\r\n"[:1])
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=[listener])
        thread.start()
        try:
            with pytest.raises(FeedClosed, match="Chrome"):
                ChromeConnector("127.0.0.1", listener.getsockname()[1], timeout_s=0.5).connect()
        finally:
            ended.set()
            thread.join(DEADLINE_S)
