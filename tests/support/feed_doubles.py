"""A feed without sockets: what arrives is scripted, what is sent is kept."""

from collections.abc import Callable, Sequence

import orjson

from tickwire.actors.ports import PING, DialFailed, Dialled, FeedClosed, FeedSocket
from tickwire.market.wire import (
    AssetChosen,
    AssetInfo,
    AssetsListed,
    Event,
    Frame,
    HistoryRows,
    Interrupted,
    Lacking,
    LiveRows,
    Malformed,
    Opened,
    Send,
)


class ScriptedSocket:
    """A `FeedSocket`: `arrive` puts frames into it, `end` its close."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, bytes]] = []
        self.sent: list[str | bytes] = []
        self.pings = 0
        self.closed = False
        self.reads = 0
        self.failure: FeedClosed | None = None

    def arrive(self, *events: object) -> None:
        """Frames of the test's own protocol: see ScriptedDecoder."""
        self.waiting += [(1, orjson.dumps(event)) for event in events]

    def arrive_at(self, arrival_us: int) -> None:
        """A replay's announcement of the arrival time of what follows."""
        self.waiting.append((PING, b"t=%d" % arrival_us))

    def end(self, reason: str, code: int | None = None) -> None:
        self.failure = FeedClosed(reason, code)

    def fileno(self) -> int:
        return 0

    @property
    def pending(self) -> bool:
        return bool(self.waiting)

    def receive(self) -> Sequence[tuple[int, bytes]]:
        self.reads += 1
        frames, self.waiting = self.waiting, []
        if not frames and self.failure is not None:
            raise self.failure
        return frames

    def send(self, payload: str | bytes) -> None:
        if self.closed:
            raise FeedClosed("closed")
        if self.failure is not None:
            raise self.failure
        self.sent.append(payload)

    def ping(self) -> None:
        self.pings += 1

    def close(self) -> None:
        self.closed = True


class ScriptedDecoder:
    """Frames are JSON: ["open"], ["live", [[asset, stamp, price], …]], ["history", asset, [[stamp, price], …]],
    ["assets", [names]], ["ask", answer], ["chosen", name], ["doubt", [names]], ["lack", reason], ["bad"]."""

    silence_limit_s = 45.0

    def greeting(self) -> Sequence[Send]:
        return [Send("hello")]

    def due(self, now: float) -> Sequence[Send]:
        return []

    def subscribe(self, asset: str) -> Sequence[Send]:
        return [Send(f"sub {asset}")]

    def unsubscribe(self, asset: str) -> Sequence[Send]:
        return [Send(f"unsub {asset}")]

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        return [self.event(*orjson.loads(payload)) for _, payload in frames]

    @staticmethod
    def event(kind: str, *rest: list[list[object]]) -> Event:
        match kind:
            case "open":
                return Opened()
            case "live":
                assets, stamps, prices = zip(*rest[0], strict=True)
                return LiveRows(assets, stamps, prices)
            case "history":
                stamps, prices = zip(*rest[1], strict=True)
                return HistoryRows(rest[0], stamps, prices)
            case "ask":
                return Send(str(rest[0]))
            case "assets":
                return AssetsListed([AssetInfo(str(name), str(name), "currency", True, True) for name in rest[0]])
            case "chosen":
                return AssetChosen(None if rest[0] is None else str(rest[0]))
            case "doubt":
                return Interrupted([str(name) for name in rest[0]])
            case "lack":
                return Lacking(str(rest[0]))
            case _:
                return Malformed("bad", b"bad")


class AskableDecoder(ScriptedDecoder):
    """Of a venue that can be asked for candles."""

    def older_candles(self, asset: str, *, index: int, before_s: int, span_s: int, period_s: int) -> Sequence[Send]:
        return [Send(f"older {asset} {before_s - span_s} {before_s} {period_s}")]


class ScriptedDialler:
    """A `FeedDialler` whose attempts succeed with a new ScriptedSocket, or fail while `failing` says why."""

    def __init__(self) -> None:
        self.sockets: list[ScriptedSocket] = []
        self.attempts: list[int] = []
        self.failing: str | None = None

    def dial(self, attempt: int, tell: Callable[[object], object]) -> None:
        self.attempts.append(attempt)
        if self.failing is not None:
            tell(DialFailed(self.failing, attempt))
            return
        self.sockets.append(ScriptedSocket())
        tell(Dialled(self.sockets[-1], attempt))


class NoWaiter:
    """A `Waiter` that never blocks and remembers what it was asked."""

    def __init__(self) -> None:
        self.waited: list[FeedSocket | None] = []
        self.woken = 0
        self.closed = False

    def wait(self, socket: FeedSocket | None, timeout_s: float) -> None:
        self.waited.append(socket)

    def wake(self) -> None:
        self.woken += 1

    def close(self) -> None:
        self.closed = True
