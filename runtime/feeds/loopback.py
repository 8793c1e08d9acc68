"""A WebSocket server on loopback for feeds of our own making: a thread accepts, a thread serves each client.

The protocol is the `websockets` library's, without its I/O: so a batch of many ready-made frames goes out in one
write, and after a cut the server knows which of them were wholly handed to the system.
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from tickwire.runtime.waker import Waker

HANDSHAKE_S = 5.0
STOP_S = 5.0
SEND_BUFFER = 262_144
"""Bytes in flight to a client that does not read: little, so that a cut loses little."""
MAX_CLIENTS = 64


class ClientGone(Exception):
    """The client, or the server's stop, ended the connection; `sent` bytes of the write under way had been taken."""

    def __init__(self, sent: int = 0) -> None:
        super().__init__("client gone")
        self.sent = sent


class LoopbackClient:
    """One connected client. Its serving thread uses it; `wake` and `shut` may be called by any thread."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._protocol = ServerProtocol()
        self._waker = Waker()
        self._selector = selectors.DefaultSelector()
        self._selector.register(connected, selectors.EVENT_READ)
        self._selector.register(self._waker.ear, selectors.EVENT_READ)
        self._answers = b""
        self._message = b""
        self._messages: list[bytes] = []
        self._woken = False
        self._shut = False

    def handshake(self) -> None:
        """Accept the WebSocket, or raise ClientGone."""
        deadline = time.monotonic() + HANDSHAKE_S
        while self._protocol.state is State.CONNECTING:
            if time.monotonic() > deadline:
                raise ClientGone
            self.wait(deadline - time.monotonic())

    def write(self, data: bytes) -> None:
        """Send whole frames, reading meanwhile what the client says. Raises ClientGone."""
        self._answer()
        self._write(data)
        try:
            self._poll(0, writing=False)
        except ClientGone:
            raise ClientGone(len(data)) from None

    def wait(self, timeout_s: float | None) -> None:
        """Wait for a message, a wake (also one since the last wait) or the time-out. Raises ClientGone."""
        self._answer()
        if not self._messages and not self._woken:
            self._poll(timeout_s, writing=False)
        self._woken = False

    def read(self) -> None:
        """Take in what has come by now, without waiting. Raises ClientGone."""
        self._answer()
        self._poll(0, writing=False)

    def take_messages(self) -> list[bytes]:
        """What the client has sent since the last call, text and binary alike."""
        messages, self._messages = self._messages, []
        return messages

    def finish(self, code: int, reason: str) -> None:
        """Close the WebSocket and wait until the client has read everything and gone."""
        with suppress(ClientGone):
            self._protocol.send_close(code, reason)
            self._answers += b"".join(self._protocol.data_to_send())
            while True:
                self.take_messages()  # unread ones would end every wait at once
                self.wait(None)

    def wake(self) -> None:
        self._waker.wake()

    def shut(self) -> None:
        """Cut the connection: the serving thread gets ClientGone."""
        self._shut = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._waker.wake()

    def close(self) -> None:
        self._selector.close()
        self._socket.close()
        self._waker.close()

    def _answer(self) -> None:
        """Send pongs and the like, which must not land within a frame."""
        while self._answers:
            answers, self._answers = self._answers, b""
            try:
                self._write(answers)
            except ClientGone:
                raise ClientGone from None

    def _write(self, data: bytes) -> None:
        view, sent = memoryview(data), 0
        while sent < len(data):
            try:
                sent += self._socket.send(view[sent:])
            except BlockingIOError:
                try:
                    self._poll(None, writing=True)
                except ClientGone:
                    raise ClientGone(sent) from None
            except OSError:
                raise ClientGone(sent) from None

    def _poll(self, timeout_s: float | None, *, writing: bool) -> None:
        """One select; take what the client sent."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        if self._selector.get_key(self._socket).events != wanted:
            self._selector.modify(self._socket, wanted)
        for key, events in self._selector.select(timeout_s):
            if key.fileobj is self._waker.ear:
                self._waker.clear()
                self._woken = True
            elif events & selectors.EVENT_READ:
                self._read()
        if self._shut:
            raise ClientGone

    def _read(self) -> None:
        try:
            data = self._socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            raise ClientGone from None
        if not data:
            raise ClientGone
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._message += bytes(event.data)
                if event.fin:
                    self._messages.append(self._message)
                    self._message = b""
        outgoing = self._protocol.data_to_send()
        self._answers += b"".join(outgoing)
        if b"" in outgoing:  # the library's sign for end of stream: closed, or refused
            with suppress(OSError):
                self._socket.send(self._answers)
            raise ClientGone


class LoopbackServer:
    """Listens on loopback and hands each client to `serve`, which ends by returning or by ClientGone."""

    def __init__(
        self, serve: Callable[[LoopbackClient], None], *, name: str, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._serve = serve
        self._name = name
        self._host = host
        self._port = port
        self._lock = threading.Lock()
        self._clients: dict[LoopbackClient, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._waker: Waker | None = None

    @property
    def url(self) -> str:
        """`ws://HOST:PORT`, once started."""
        if self._listener is None:
            raise RuntimeError(f"{self._name} has not been started")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}"

    def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family, backlog=MAX_CLIENTS)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._waker = Waker()
        self._accepting = threading.Thread(
            target=self._accept, args=(listener, self._waker), name=self._name, daemon=True
        )
        self._accepting.start()

    def stop(self) -> None:
        """Cut every client and end all threads; idempotent."""
        if self._accepting is None or self._waker is None:
            return
        self._waker.wake()
        self._accepting.join(STOP_S)
        self._accepting = None
        self._waker.close()
        self.drop_clients()
        for thread in self._threads():
            thread.join(STOP_S)

    def drop_clients(self) -> None:
        """Cut every connection without a goodbye; clients may come again."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.shut()

    def wake_clients(self) -> None:
        """End the `wait` of every serving thread."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.wake()

    def _threads(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._clients.values())

    def _accept(self, listener: socket.socket, waker: Waker) -> None:
        with selectors.DefaultSelector() as selector, listener:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(waker.ear, selectors.EVENT_READ)
            while all(key.fileobj is not waker.ear for key, _ in selector.select()):
                with suppress(OSError):  # gone again before it was accepted, or out of descriptors
                    self._welcome(listener.accept()[0])

    def _welcome(self, connected: socket.socket) -> None:
        if len(self._threads()) >= MAX_CLIENTS:
            connected.close()
            return
        client = LoopbackClient(connected)
        thread = threading.Thread(target=self._run, args=(client,), name=f"{self._name}-client", daemon=True)
        with self._lock:
            self._clients[client] = thread
        thread.start()

    def _run(self, client: LoopbackClient) -> None:
        try:
            client.handshake()
            self._serve(client)
        except ClientGone:
            pass
        finally:
            with self._lock:
                del self._clients[client]
            client.shut()
            client.close()


def server_frame(opcode: int, payload: bytes) -> bytes:
    """An unfragmented, unmasked frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65_536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload
