"""Brokers on the wire: what a socket brings is real frames for the real decoders; who sent what is known here.

`Broker` speaks PocketOption's Socket.IO: a clock two hours ahead, stamps unique per asset, history upon a subscription
that overlaps what was live, repeats, late ticks, rubbish. `Exchange` sends JSON: whole seconds and few prices, so that
two different ticks are often equal, and nothing is ever sent again.
"""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from simulation.chance import Chance
from simulation.clock import SimClock

from tickwire.actors.ports import BINARY, TEXT, DialFailed, Dialled, FeedClosed, FeedProfile

AHEAD_S = 7200.0
HISTORY_TICKS = 12
_STREAM = b'451-["updateStream",{"_placeholder":true,"num":0}]'
_HISTORY = b'451-["updateHistoryNewFast",{"_placeholder":true,"num":0}]'
_SUCCESS = b'451-["successauth",{"_placeholder":true,"num":0}]'
_RUBBISH = (b"42[", b"45x", b"{", b'42["unheard",{}]', b"\xff\xfe", b"451-[7]")


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick as a venue sent it: texts as Python reads them from the wire."""

    asset: str
    stamp: str
    price: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame, and what is in it: live ticks, past ticks."""

    opcode: int
    payload: bytes
    live: Sequence[Tick] = ()
    past: Sequence[Tick] = ()
    bad: int = 0
    """Live rows that are no ticks."""


@dataclass(slots=True)
class Read:
    """What the feed's ingestors have read in one run of the process."""

    live: Counter[Tick] = field(default_factory=Counter)
    past: Counter[Tick] = field(default_factory=Counter)
    bad: int = 0


class SimSocket:
    """`ports.FeedSocket`."""

    def __init__(self, venue: "Venue") -> None:
        self._venue = venue
        self.waiting: list[Sent] = []
        self.ending: FeedClosed | None = None
        self.closed = False
        self.subscribed: dict[str, None] = {}

    def fileno(self) -> int:
        return 0

    @property
    def pending(self) -> bool:
        return bool(self.waiting) or self.ending is not None

    def receive(self) -> Sequence[tuple[int, bytes]]:
        self._venue.point("before a feed's read")
        if not self.waiting:
            if self.ending is not None:
                raise self.ending
            return []
        most = len(self.waiting) if self._venue.chance.random.random() < 0.8 else 1
        frames, self.waiting = self.waiting[:most], self.waiting[most:]
        for frame in frames:
            self._venue.read.live.update(frame.live)
            self._venue.read.past.update(frame.past)
            self._venue.read.bad += frame.bad
        self._venue.point("after a feed's read")
        return [(frame.opcode, frame.payload) for frame in frames]

    def send(self, payload: str | bytes) -> None:
        self._venue.point("before a feed's send")
        if self.closed or self.ending is not None:
            raise FeedClosed("cut")
        self._venue.heard(self, payload if isinstance(payload, str) else payload.decode())

    def ping(self) -> None:
        self._venue.point("before a feed's ping")

    def close(self) -> None:
        self.closed = True
        self._venue.hung_up(self)

    def cut(self, reason: str = "cut") -> None:
        """What has arrived can be read still; then it is over."""
        self.ending = FeedClosed(reason)


class Venue(ABC):
    """One feed's far end. `dial` makes it a `FeedDialler` too."""

    def __init__(
        self, profile: FeedProfile, clock: SimClock, chance: Chance, point: Callable[[str], None], assets: Sequence[str]
    ) -> None:
        self.profile = profile
        self.clock = clock
        self.chance = chance
        self.point = point
        self.assets = assets
        self.socket: SimSocket | None = None
        self.refusing = False
        self.read = Read()
        self.traded: list[Tick] = []
        """All that happened, whether anybody was told or not."""
        self._prices: dict[str, int] = defaultdict(lambda: 110_000)

    def dial(self, attempt: int, tell: Callable[[object], object]) -> None:
        self.point("before a feed's dial")
        self.clock.later(self.chance.random.random() * 0.2, lambda: self._answer(attempt, tell))

    def _answer(self, attempt: int, tell: Callable[[object], object]) -> None:
        if self.refusing:
            tell(DialFailed("refused", attempt))
            return
        self.socket = SimSocket(self)
        self.greet(self.socket)
        tell(Dialled(self.socket, attempt))

    def hung_up(self, socket: SimSocket) -> None:
        if self.socket is socket:
            self.socket = None

    def cut(self) -> None:
        if self.socket is not None:
            self.socket.cut()
            self.socket = None

    @abstractmethod
    def greet(self, socket: SimSocket) -> None:
        """Say what the venue says first."""

    @abstractmethod
    def heard(self, socket: SimSocket, payload: str) -> None:
        """A client says this."""

    @abstractmethod
    def trade(self) -> None:
        """Some ticks happen."""

    def move(self, asset: str, *, coarse: int = 1) -> float:
        """The next price of an asset."""
        self._prices[asset] += int(self.chance.random.random() * 3 - 1) * coarse
        return self._prices[asset] / 100_000

    def rows_of(self, ticks: Sequence[tuple[str, float, float]]) -> tuple[bytes, list[Tick], int]:
        """A frame's JSON of live ticks, sometimes with a row that is none; the good ones; how many are bad."""
        rows: list[Any] = [list(tick) for tick in ticks]
        bad = 0
        if self.chance.strikes(self.chance.rates.feed):
            rows.insert(int(self.chance.random.random() * len(rows)), [ticks[0][0], ticks[0][1], self._no_price()])
            bad = 1
        return orjson.dumps(rows), [Tick(asset, repr(stamp), repr(price)) for asset, stamp, price in ticks], bad

    def _no_price(self) -> Any:
        return self.chance.choose([0, -1.5, True, "1e999", None, "x" * 30, 1e11])


class Broker(Venue):
    """PocketOption's way. The session counts as open once its frames have gone to and fro."""

    def __init__(
        self, profile: FeedProfile, clock: SimClock, chance: Chance, point: Callable[[str], None], assets: Sequence[str]
    ) -> None:
        super().__init__(profile, clock, chance, point, assets)
        self._last_ms: dict[str, int] = {}
        self._past: dict[str, list[tuple[str, float, float]]] = defaultdict(list)

    def greet(self, socket: SimSocket) -> None:
        socket.waiting.append(Sent(TEXT, b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'))

    def heard(self, socket: SimSocket, payload: str) -> None:
        if payload == "40":
            socket.waiting.append(Sent(TEXT, b'40{"sid":"b"}'))
        elif payload.startswith('42["auth"'):
            socket.waiting += [Sent(TEXT, _SUCCESS), Sent(BINARY, b'{"id":1}')]
        elif payload.startswith('42["changeSymbol"'):
            self._send_history(socket, orjson.loads(payload[2:])[1]["asset"])
        elif payload.startswith('42["subfor"'):
            socket.subscribed[orjson.loads(payload[2:])[1]] = None

    def _send_history(self, socket: SimSocket, asset: str) -> None:
        past = sorted(self._past[asset], key=lambda tick: tick[1])[-HISTORY_TICKS:]
        if not past:
            return
        body = {"asset": asset, "period": 60, "history": [[stamp, price] for _, stamp, price in past], "candles": []}
        ticks = [Tick(asset, repr(stamp), repr(price)) for _, stamp, price in past]
        socket.waiting += [Sent(TEXT, _HISTORY), Sent(BINARY, orjson.dumps(body), past=ticks)]

    def trade(self) -> None:
        ticks = [
            tick
            for asset in self.assets
            if self.chance.random.random() < 0.7
            for tick in self._ticks_of(asset, 1 + int(self.chance.random.random() * 3))
        ]
        socket = self.socket
        if socket is None or not ticks:
            return
        shown = [tick for tick in ticks if tick[0] in socket.subscribed]
        if self.chance.strikes(self.chance.rates.feed) and shown:
            shown.append(self.chance.choose(self._past[shown[0][0]]))
            self.chance.fault("feed repeats a tick")
        if self.chance.strikes(self.chance.rates.feed):
            socket.waiting.append(Sent(TEXT, self.chance.choose(_RUBBISH)))
            self.chance.fault("feed sends rubbish")
        if shown:
            payload, live, bad = self.rows_of(shown)
            socket.waiting += [Sent(TEXT, _STREAM), Sent(BINARY, payload, live=live, bad=bad)]

    def _ticks_of(self, asset: str, count: int) -> list[tuple[str, float, float]]:
        """Stamps to the millisecond, each new for its asset; one in a while is late."""
        ticks = []
        for _ in range(count):
            now_ms = int((self.clock.now_us() / 1e6 + AHEAD_S) * 1000)
            last = self._last_ms[asset] = max(now_ms, self._last_ms.get(asset, 0) + 2)
            ticks.append((asset, last / 1000, self.move(asset)))
            if self.chance.strikes(self.chance.rates.feed):
                ticks.append((asset, (last - 1) / 1000, self.move(asset)))  # a stamp that is not used otherwise
                self.chance.fault("feed is late")
        self.traded += [Tick(asset, repr(stamp), repr(price)) for asset, stamp, price in ticks]
        self._past[asset] += ticks
        del self._past[asset][: -3 * HISTORY_TICKS]
        return ticks


class Exchange(Venue):
    """JSON: equal ticks are different ticks, and what was missed is missed."""

    def greet(self, socket: SimSocket) -> None:
        """It speaks once there is a trade."""

    def heard(self, socket: SimSocket, payload: str) -> None:
        """It takes no orders."""

    def trade(self) -> None:
        second = float(int(self.clock.now_us() / 1e6))
        ticks = [
            (asset, second, self.move(asset, coarse=100))
            for asset in self.assets
            for _ in range(int(self.chance.random.random() * 3))
        ]
        self.traded += [Tick(asset, repr(stamp), repr(price)) for asset, stamp, price in ticks]
        if self.socket is None or not ticks:
            return
        if self.chance.strikes(self.chance.rates.feed):
            self.socket.waiting.append(Sent(TEXT, b"not json"))
            self.chance.fault("feed sends rubbish")
        payload, live, bad = self.rows_of(ticks)
        self.socket.waiting.append(Sent(TEXT, payload, live=live, bad=bad))


SHARED = "EURUSD_otc"
"""An asset that two feeds have."""
BROKER = FeedProfile(
    name="broker",
    source="pocketoption",
    unique_stamps=True,
    estimates_offset=True,
    assets=(SHARED, "#AAPL_otc"),
)
EXCHANGE = FeedProfile(name="exchange", source="json")
