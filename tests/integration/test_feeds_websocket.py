"""The feed's client against real servers: a library's, and hostile ones by hand."""

import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1
from pathlib import Path

import pytest
from support.feeds_clients import connected, receive_to_the_end, receive_until
from support.servers import free_port, need
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, CloseCode
from websockets.sync.server import ServerConnection, serve

from tickwire.actors.ports import BINARY, PING, PONG, TEXT, FeedClosed
from tickwire.runtime.feeds.websocket import WebSocketConnector

pytestmark = pytest.mark.timeout(60)

DEADLINE_S = 10.0


@contextmanager
def library_server(
    handler: Callable[[ServerConnection], None], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[ServerConnection]]]:
    """A server of the `websockets` library; yields its URL and its connections so far."""
    connections: list[ServerConnection] = []

    def handle(connection: ServerConnection) -> None:
        connections.append(connection)
        handler(connection)

    with serve(handle, "127.0.0.1", 0, ssl=tls, compression=None, ping_interval=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host = "localhost" if tls else "127.0.0.1"
        try:
            yield f"{'wss' if tls else 'ws'}://{host}:{server.socket.getsockname()[1]}/x", connections
        finally:
            server.shutdown()
            thread.join(DEADLINE_S)


@contextmanager
def raw_server(handler: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server for one client, served by hand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)

        def run() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(DEADLINE_S)
                handler(peer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def upgrade(peer: socket.socket, then: bytes = b"") -> None:
    """Answer the WebSocket handshake, and send `then` in the same segment."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += peer.recv(4096)
    key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    answer = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    peer.sendall(answer + accept + b"\r\n\r\n" + then)


def wait_for_the_client_to_go(peer: socket.socket) -> None:
    while peer.recv(65_536):
        pass


def test_frames_of_every_size_and_kind_arrive_in_order() -> None:
    sizes = [0, 1, 125, 126, 65_535, 65_536, 3_000_000]

    def handler(connection: ServerConnection) -> None:
        for size in sizes:
            connection.send("x" * size)
            connection.send(b"y" * size)
        connection.send(["in ", "three ", "parts"])

    with library_server(handler) as (url, _), connected(url) as feed:
        frames, closed = receive_to_the_end(feed)
    expected = [frame for size in sizes for frame in ((TEXT, b"x" * size), (BINARY, b"y" * size))]
    assert frames == [*expected, (TEXT, b"in three parts")]
    assert closed.code == CloseCode.NORMAL_CLOSURE


def test_what_the_client_sends_arrives_as_text_and_binary() -> None:
    heard: list[str | bytes] = []
    done = threading.Event()

    def handler(connection: ServerConnection) -> None:
        heard.extend(connection.recv(DEADLINE_S) for _ in range(3))
        done.set()

    with library_server(handler) as (url, _), connected(url) as feed:
        feed.send('42["ps"]')
        feed.send(b"\x00\x01")
        feed.send("ü" * 70_000)
        assert done.wait(DEADLINE_S)
    assert heard == ['42["ps"]', b"\x00\x01", "ü" * 70_000]


def test_a_ping_is_answered_and_handed_over_between_the_frames_around_it() -> None:
    answered: list[bool] = []

    def handler(connection: ServerConnection) -> None:
        connection.send("before")
        pong = connection.ping(b"t=17")
        connection.send("after")
        answered.append(pong.wait(DEADLINE_S))

    with library_server(handler) as (url, _), connected(url) as feed:
        frames, _ = receive_to_the_end(feed)
    assert frames == [(TEXT, b"before"), (PING, b"t=17"), (TEXT, b"after")]
    assert answered == [True]


def test_our_own_ping_gets_its_pong() -> None:
    def handler(connection: ServerConnection) -> None:
        with pytest.raises(ConnectionClosed):
            connection.recv(DEADLINE_S)

    with library_server(handler) as (url, _), connected(url) as feed:
        feed.ping()
        assert receive_until(feed, lambda frames: bool(frames)) == [(PONG, b"")]


def test_frames_sent_together_with_the_handshake_are_not_lost() -> None:
    def handler(peer: socket.socket) -> None:
        upgrade(peer, then=b"\x81\x05hello\x82\x03abc\x88\x07\x03\xe8ended")
        wait_for_the_client_to_go(peer)

    with raw_server(handler) as url, connected(url) as feed:
        frames, closed = receive_to_the_end(feed)
    assert frames == [(TEXT, b"hello"), (BINARY, b"abc")]
    assert (closed.code, closed.reason) == (1000, "ended")


def test_a_connection_cut_off_within_a_frame_says_so_after_what_was_whole() -> None:
    def handler(peer: socket.socket) -> None:
        upgrade(peer, then=b"\x81\x05hello\x82\x7e\x10\x00part")

    with raw_server(handler) as url, connected(url) as feed:
        frames, closed = receive_to_the_end(feed)
        with pytest.raises(FeedClosed):
            feed.receive()
        with pytest.raises(FeedClosed):
            feed.send("too late")
        assert feed.pending
    assert frames == [(TEXT, b"hello")]
    assert closed.code is None
    assert "connection lost" in closed.reason


@pytest.mark.parametrize(
    ("data", "reason", "answer"),
    [
        (b"\x82\x7f" + (2**30).to_bytes(8, "big"), "frame too large: 1073741824 bytes", 1009),
        (b"\x81\x85mask\x00\x00\x00\x00\x00", "a server's frame is masked", 1002),
        (b"\xf1\x00", "reserved bits", 1002),
        (b"\x88\x02\x03\xed", "invalid close code 1005", 1002),
    ],
)
def test_a_hostile_frame_closes_the_connection_with_the_right_code(data: bytes, reason: str, answer: int) -> None:
    closes: list[Close] = []

    def handler(peer: socket.socket) -> None:
        upgrade(peer, then=b"\x81\x02ok" + data)
        head = peer.recv(2)
        assert head[0] == 0x88
        rest = peer.recv(4 + (head[1] & 0x7F))
        mask, payload = rest[:4], rest[4:]
        closes.append(Close.parse(bytes(a ^ b for a, b in zip(payload, mask, strict=False))))
        wait_for_the_client_to_go(peer)

    with raw_server(handler) as url, connected(url) as feed:
        frames, closed = receive_to_the_end(feed)
    assert frames == [(TEXT, b"ok")]
    assert reason in closed.reason
    assert closed.code is None
    assert [close.code for close in closes] == [answer]


def test_a_server_that_takes_nothing_ends_the_connection_at_the_deadline() -> None:
    over = threading.Event()

    def handler(peer: socket.socket) -> None:
        upgrade(peer)
        over.wait(DEADLINE_S)

    with raw_server(handler) as url:
        feed = WebSocketConnector(lambda: url, send_timeout_s=0.2).connect()
        with pytest.raises(FeedClosed, match=r"took nothing for 0\.2 s"):
            feed.send(b"x" * 64_000_000)  # more than any buffer holds
        assert feed.pending
        feed.close()
        over.set()


def test_nobody_listening_is_a_reason_not_a_traceback() -> None:
    address = f"ws://127.0.0.1:{free_port()}/"
    with pytest.raises(FeedClosed, match="no connection: Connection refused"):
        WebSocketConnector(lambda: address).connect()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "HTTP 403"),
        (b"HTTP/1.1 302 Found\r\nLocation: ws://example.org/\r\n\r\n", "edirect"),
        (b"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "no connection"),
        (b"SSH-2.0-x\r\n\r\n", "no connection"),
        (b"", "no connection"),
    ],
)
def test_a_server_that_is_no_websocket_is_refused_with_a_reason(answer: bytes, reason: str) -> None:
    def handler(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(answer)

    with raw_server(handler) as url, pytest.raises(FeedClosed, match=reason):
        WebSocketConnector(lambda: url).connect()


def test_a_handshake_that_drips_ends_at_the_deadline() -> None:
    def handler(peer: socket.socket) -> None:
        peer.recv(4096)
        dripping = threading.Event()
        with suppress(OSError):  # until the client has gone
            while True:
                peer.sendall(b"H")
                dripping.wait(0.02)

    with raw_server(handler) as url, pytest.raises(FeedClosed, match="no connection"):
        WebSocketConnector(lambda: url, timeout_s=0.3).connect()


def test_the_origin_is_sent_where_there_is_one_and_none_otherwise() -> None:
    def handler(connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        connection.send(str(request.headers.get("Origin")))

    with library_server(handler) as (url, _):
        for origin in ("https://pocketoption.com", None):
            feed = WebSocketConnector(lambda: url, origin=origin).connect()
            frames, _ = receive_to_the_end(feed)
            feed.close()
            assert frames == [(TEXT, str(origin).encode())]


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    with library_server(lambda connection: connection.send("hello")) as (url, _), connected(url) as feed:
        assert receive_to_the_end(feed)[0] == [(TEXT, b"hello")]


def test_closing_twice_is_harmless() -> None:
    with library_server(lambda connection: connection.send("hello")) as (url, _), connected(url) as feed:
        feed.close()
        feed.close()
        with pytest.raises(FeedClosed, match="closed by us"):
            feed.receive()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def _server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_frames_arrive_over_tls(certificate: tuple[Path, Path]) -> None:
    messages = [f"{i}:" + "x" * (i * 37 % 40_000) for i in range(300)]

    def handler(connection: ServerConnection) -> None:
        for message in messages:
            connection.send(message)
        connection.send(f"echo {connection.recv(DEADLINE_S)!r}")

    with library_server(handler, _server_tls(certificate)) as (url, _):
        trusting = ssl.create_default_context(cafile=str(certificate[0]))
        feed = WebSocketConnector(lambda: url, tls=trusting).connect()
        feed.send("over TLS")
        frames, closed = receive_to_the_end(feed)
        feed.close()
    assert [payload.decode() for _, payload in frames] == [*messages, "echo 'over TLS'"]
    assert closed.code == 1000


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    with (
        library_server(lambda connection: None, _server_tls(certificate)) as (url, _),
        pytest.raises(FeedClosed, match=r"no connection.*CERTIFICATE_VERIFY_FAILED"),
    ):
        WebSocketConnector(lambda: url).connect()
