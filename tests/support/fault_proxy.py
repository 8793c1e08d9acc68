"""A TCP proxy on loopback that does to its connections what bad networks do.

    with FaultProxy(server.port) as proxy:
        proxy.delay(0.3)      # every piece of data, each way
        proxy.cut_replies()   # on each connection: the next commands go through, their answer never comes back
        proxy.normal()

A thread accepts and two threads a connection carry its data. `target` may be moved to another server at any time.
"""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType

CHUNK = 65_536
STOP_S = 10.0


class _Carried:
    """One connection through the proxy. `doom` befalls it at its next data: `replies`, `half`, `held`, or nothing."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.doom = ""

    def cut(self) -> None:
        for each in (self.client, self.server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.client.close()
        self.server.close()


class FaultProxy:
    """Faults last until `normal`; `cut`, `cut_replies` and `cut_half` end the connections that are there, once."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._listener: socket.socket | None = None
        self._carried: set[_Carried] = set()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._frozen = self._frozen_half = False
        self.half_is_through = threading.Event()
        self._refusing = False
        self._stopping = False
        self._delay_s = 0.0

    def __enter__(self) -> "FaultProxy":
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self.cut()
        for thread in self._threads:
            thread.join(STOP_S)
        self._listener.close()

    # -- what it does

    def normal(self) -> None:
        with self._changed:
            self._frozen = self._frozen_half = self._refusing = False
            self._delay_s = 0.0
            self._changed.notify_all()

    def freeze(self) -> None:
        """Connections are taken and stay open; nothing goes through either way."""
        with self._changed:
            self._frozen = True

    def delay(self, seconds: float) -> None:
        """Each piece of data is carried so much later, each way."""
        self._delay_s = seconds

    def refuse(self) -> None:
        """Cut what is there, and whatever comes, at once."""
        self._refusing = True
        self.cut()

    def cut(self) -> None:
        for carried in self._all():
            carried.cut()

    def cut_replies(self) -> None:
        """The next commands of each connection go through; it ends instead of their answer."""
        for carried in self._all():
            carried.doom = "replies"

    def hold_half(self) -> None:
        """Half of the next commands' bytes go through, the rest when all is `normal`; `half_is_through` tells."""
        self.half_is_through.clear()
        with self._changed:
            self._frozen_half = True
        for carried in self._all():
            carried.doom = "held"

    def cut_half(self) -> None:
        """Half of the next commands' bytes go through, then the connection ends."""
        for carried in self._all():
            carried.doom = "half"

    # -- carrying

    def _all(self) -> list[_Carried]:
        with self._changed:
            return list(self._carried)

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, name="fault-proxy", daemon=True)  # type: ignore[arg-type]
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._stopping:
                client.close()
                return
            self._welcome(client)

    def _welcome(self, client: socket.socket) -> None:
        if self._refusing:
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5.0)
        except OSError:
            client.close()  # as a server that is not there hangs up
            return
        server.settimeout(None)
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        carried = _Carried(client, server)
        with self._changed:
            self._carried.add(carried)
        self._start(self._carry, carried)

    def _carry(self, carried: _Carried) -> None:
        """Answers in a thread of their own, commands in this one; closed when both have ended."""
        answers = threading.Thread(target=self._pump, args=(carried, False), name="fault-proxy", daemon=True)
        answers.start()
        self._pump(carried, True)
        answers.join()
        with self._changed:
            self._carried.discard(carried)
        carried.close()

    def _pump(self, carried: _Carried, commands: bool) -> None:
        source, sink = (carried.client, carried.server) if commands else (carried.server, carried.client)
        with suppress(OSError):
            while data := source.recv(CHUNK):
                self._hold()
                if carried.doom == "replies" and not commands:
                    break
                if carried.doom == "half" and commands:
                    sink.sendall(data[: len(data) // 2])
                    break
                if carried.doom == "held" and commands:
                    carried.doom = ""
                    data = self._send_half(sink, data)
                sink.sendall(data)
        carried.cut()

    def _send_half(self, sink: socket.socket, data: bytes) -> bytes:
        """Waits behind the half; returns the rest."""
        half = len(data) // 2
        sink.sendall(data[:half])
        self.half_is_through.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._frozen_half or self._stopping)
        return data[half:]

    def _hold(self) -> None:
        """While frozen; then for the delay."""
        with self._changed:
            self._changed.wait_for(lambda: not self._frozen or self._stopping)
        if self._delay_s:
            time.sleep(self._delay_s)
