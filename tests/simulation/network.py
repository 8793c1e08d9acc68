"""Redis as the actors reach it: links that are cut, time out and come up again; a server that dies, freezes, forgets.

The adapters are the real ones; below them, `SimLink` is `RedisLink` without threads and sockets. What can't happen to
the real one can't happen here: a connection's commands are carried out in order, those of a cut connection before any
of its successor's.
"""

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from simulation.chance import Chance
from simulation.clock import SimClock
from support.redis_model import RedisModel, Session, commands_of
from support.redis_streams import Stream

from tickwire.actors.ports import LinkDown, Listener
from tickwire.messages.lifecycle import LinkState

TIMEOUT_S = 2.0


class Network:
    """One server and whether it can be reached."""

    def __init__(self, server: RedisModel, clock: SimClock, chance: Chance) -> None:
        self.server = server
        self.clock = clock
        self.chance = chance
        self.reachable = True
        self.frozen = False
        self.replaced = False
        """Whether an older copy has ever taken its place."""
        self.links: list[SimLink] = []
        self._unread: list[tuple[Session, bytes]] = []
        """What clients sent to a frozen server: it reads it when it thaws."""
        self.replica = server.snapshot()
        """What a server has that is promoted, or that starts from its last dump."""

    # -- the server

    def die(self) -> None:
        self.reachable = False
        self._unread.clear()
        for link in self.links:
            link.hang_up()

    def start(self, memory: str) -> None:
        """It is back with all of its data, with an older state of it, or with none; nothing if it never left."""
        if self.reachable:
            return
        self.reachable = True
        if memory != "kept":
            self.replaced = self.replaced or memory == "older"
            self.server.restore(self.replica if memory == "older" else {})
            self.replica = self.server.snapshot()

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        unread, self._unread = self._unread, []
        for session, payload in unread:
            session.send(payload)

    def copy_to_replica(self) -> None:
        self.replica = self.server.snapshot()

    def flush(self) -> None:
        self.server.execute([b"FLUSHALL"])

    def destroy_group(self) -> None:
        for key, value in self.server.data.items():
            if isinstance(value, Stream):
                self.server.execute([b"XGROUP", b"DESTROY", key, b"tickwire"])

    def delete_a_key(self) -> str:
        keys = sorted(self.server.data)
        if not keys:
            return "none"
        key = self.chance.choose(keys)
        self.server.execute([b"DEL", key])
        return key.decode()

    # -- a round trip

    def carry(self, link: "SimLink", session: Session, payload: bytes, replies: int) -> list[Any]:
        """Raises LinkDown, having carried out nothing, a part, or everything."""
        if not self.reachable:
            link.fail("down")
        if self.frozen:
            self._unread.append((session, payload))
            self.clock.seconds += TIMEOUT_S
            link.fail("timeout")
        if self.chance.strikes(self.chance.rates.redis_call):
            self._cut(link, session, payload)
        return session.send(payload)

    def _cut(self, link: "SimLink", session: Session, payload: bytes) -> NoReturn:
        commands = len(commands_of(payload))
        kind, at_most = self.chance.choose(
            [("unsent", 0), ("half done", int(self.chance.random.random() * commands)), ("reply lost", commands)]
        )
        self.chance.fault(f"redis call {kind}", f"{link.owner}: {at_most} of {commands} commands")
        session.send(payload, at_most=at_most)
        link.fail("down")


class SimLink:
    """`ports.Link` and `call`, as the adapters use them."""

    def __init__(
        self, network: Network, owner: str, point: Callable[[str], None], listener: Listener | None = None
    ) -> None:
        self.owner = owner
        self._network = network
        self._point = point
        self._listener = listener
        self._session: Session | None = None
        self._state: LinkState = "connecting"
        self._detail = ""
        self._attempts = itertools.count()
        self._changes: deque[tuple[LinkState, str]] = deque()
        self.closed = False

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def detail(self) -> str:
        return self._detail

    @property
    def up(self) -> bool:
        return self._state == "up"

    def start(self) -> None:
        self._network.links.append(self)
        self._try_soon()

    def close(self) -> None:
        self.closed = True
        self._state = "degraded"
        if self in self._network.links:
            self._network.links.remove(self)

    def call(self, payload: bytes, replies: int) -> list[Any]:
        self._point(f"before redis call of {self.owner}")
        if self._session is None or self._state != "up":
            raise LinkDown(self._detail or self._state)
        answers = self._network.carry(self, self._session, payload, replies)
        assert len(answers) == replies, f"{len(answers)} replies where {replies} were awaited"
        self._point(f"after redis call of {self.owner}")
        return answers

    def fail(self, detail: str) -> NoReturn:
        """The owner's round trip came to nothing."""
        self.hang_up(detail)
        raise LinkDown(detail)

    def hang_up(self, detail: str = "down") -> None:
        """The connection is gone, and this end knows it."""
        if self._state == "up":
            self._session = None
            self._change("degraded", detail)
            self._try_soon()

    def _try_soon(self) -> None:
        doublings = min(next(self._attempts), 5)
        self._network.clock.later(0.1 * 2**doublings * (0.5 + self._network.chance.random.random() / 2), self._connect)

    def _connect(self) -> None:
        if self.closed or self._state == "up":
            return
        if self._network.reachable and not self._network.frozen:
            self._session = self._network.server.session()
            self._attempts = itertools.count()
            self._change("up", "")
            return
        self._change("degraded", "timeout" if self._network.frozen else "down")
        self._try_soon()

    def _change(self, state: LinkState, detail: str) -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._changes.append((state, detail))
            self._network.clock.later(0.05 * self._network.chance.random.random(), self._tell)

    def _tell(self) -> None:
        """Soon, as from the real link's thread: until then its owner can meet the change before it hears of it."""
        while self._changes:
            change = self._changes.popleft()
            if not self.closed and self._listener is not None:
                self._listener(*change)
