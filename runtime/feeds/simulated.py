"""A broker that speaks PocketOption's frames over a real WebSocket, for demos and tests: its prices are made up.

Every client has its own session; all see the same market, which depends on the seed and the time alone: what one
client is streamed, another finds in its history.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count

from tickwire.actors.ports import Clock
from tickwire.runtime.feeds.broker_session import BrokerSession
from tickwire.runtime.feeds.loopback import LoopbackClient, LoopbackServer

CLOCK_AHEAD_S = 7200
"""As the real broker's clock was seen to be."""


class SimulatedBroker:
    """Listens once started; any thread may call its methods."""

    def __init__(
        self,
        assets: Sequence[str],
        rate: float,
        *,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        clock_ahead_s: int = CLOCK_AHEAD_S,
        session: str | None = None,
    ) -> None:
        """`rate`: ticks a second of each asset, at most 1000; `port` 0 picks one; `session` None accepts any."""
        self._assets = tuple(assets)
        self._rate = rate
        self._clock = clock
        self._seed = seed
        self._ahead_ms = clock_ahead_s * 1000
        self._session = session
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self._server = LoopbackServer(self._serve, name="simulated-broker", host=host, port=port)

    @property
    def url(self) -> str:
        """The WebSocket's, once started."""
        return f"{self._server.url}/socket.io/?EIO=4&transport=websocket"

    @property
    def sent(self) -> Mapping[str, int]:
        """Live ticks sent so far, by asset, to all clients."""
        with self._lock:
            return dict(self._sent)

    def start(self) -> None:
        """Raises OSError where the port is taken."""
        self._server.start()

    def ready(self) -> None:
        """A broker does not wait for anybody."""

    def stop(self) -> None:
        self._server.stop()

    def drop_clients(self) -> None:
        """Cut every connection without a goodbye."""
        self._server.drop_clients()

    def _serve(self, client: LoopbackClient) -> None:
        session = BrokerSession(
            self._assets,
            rate=self._rate,
            seed=self._seed,
            ahead_ms=self._ahead_ms,
            session=self._session,
            name=f"simulated-{next(self._numbers)}",
        )
        client.write(session.opening(self._now_ms()))
        while not session.closing:
            now_ms = self._now_ms()
            client.read()  # after the look at the clock: an answer that came by then is not overdue
            for message in client.take_messages():
                client.write(session.receive(message, now_ms))
            frames = session.due(now_ms)
            if frames:
                self._count(session)  # first, so that whoever has read a tick finds it counted
                client.write(frames)
            if not session.closing:
                client.wait(max(0.0, (session.next_due_ms() - self._now_ms()) / 1000))
        client.finish(1000, "")

    def _count(self, session: BrokerSession) -> None:
        with self._lock:
            self._sent.update(session.sent)
        session.sent = {}

    def _now_ms(self) -> int:
        return self._clock.now_us() // 1000
