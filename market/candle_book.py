"""The candles of all assets: what changed, what is to be written, when the next one closes. Pure.

It costs what changes, not what it holds.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from tickwire.market.candles import AssetCandles
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.messages.candles import Candle
from tickwire.messages.lifecycle import FeedState
from tickwire.messages.ticks import BackfillReceived, TicksReceived

MOST_ASSETS = 2000
"""One more, and the one that was not heard of nor asked for the longest is forgotten."""
MOST_CLOSES = 16
"""Assets that a turn closes for want of ticks: all may fall silent at once."""
SLACK_S = 0.05
"""So much later than it could a candle may close: or each tick of a fast replay would move its asset's alarm."""

Key = tuple[str, int]
"""Asset, timeframe (by place)."""


class CandleBook:
    """Outlives incarnations of its owner. `size` is how many candles of each timeframe are shown."""

    def __init__(self, size: int, most: int = MOST_ASSETS) -> None:
        self.size = size
        self.unwritten: dict[Key, None] = {}
        """Keys whose candles changed, the longest waiting first; the owner takes out what it wrote."""
        self.feeds: dict[str, FeedState] = {}
        """Feed → its state."""
        self.late = 0
        self.ahead = 0
        """Ticks that no candle shows; they only grow."""
        self.made: list[tuple[str, Candle]] = []
        """Closed candles for the store, with their assets; the owner takes them."""
        self.unrestored: dict[Key, None] = {}
        """Timeframes of which Redis had nothing; the owner takes them and asks the store."""
        self.holed: dict[str, None] = {}
        """Assets that may have one hole more; the owner takes them."""
        self._most = most
        self._assets: OrderedDict[str, AssetCandles] = OrderedDict()
        """The one least recently used first."""
        self._touched: dict[str, None] = {}
        self._alarms: list[tuple[float, str]] = []
        """A heap; an entry that `_alarm_at` does not bear out is void."""
        self._alarm_at: dict[str, float] = {}

    def get(self, name: str) -> AssetCandles | None:
        asset = self._assets.get(name)
        if asset is not None:
            self._assets.move_to_end(name)
        return asset

    def peek(self, name: str) -> AssetCandles | None:
        """As `get`, and it does not count as use."""
        return self._assets.get(name)

    def add(self, name: str, asset: AssetCandles) -> None:
        self._assets[name] = asset
        self._touched[name] = None
        if len(self._assets) > self._most:
            gone, forgotten = self._assets.popitem(last=False)
            forgotten.doubt()
            self._make(gone, forgotten)
            self._alarm_at.pop(gone, None)
            for level in range(len(TIMEFRAMES)):
                self.unwritten.pop((gone, level), None)

    def live(self, message: TicksReceived, now: float) -> None:
        for columns in message.columns:
            asset = self._used(columns.asset)
            asset.feed = message.feed
            asset.live(columns, now, message.recv_us)

    def feed_is(self, feed: str, state: FeedState) -> None:
        """The feed is in this state now; without a connection it may miss ticks of all its assets."""
        self.feeds[feed] = state
        if state in ("connecting", "down"):
            self.doubt([name for name, asset in self._assets.items() if asset.feed == feed])

    def doubt(self, names: Iterable[str]) -> None:
        """Ticks of these may be missing from their last one on."""
        for name in names:
            asset = self._assets.get(name)
            if asset is not None:
                asset.doubt()
                self._touched[name] = None

    def past(self, message: BackfillReceived) -> None:
        for columns in message.columns:
            self._used(columns.asset).past(columns)
        for rows in message.candles:
            self._used(rows.asset).broker(rows)

    def adopt(self, name: str, timeframe: str, candles: Sequence[Candle], *, ours: bool = False) -> None:
        """Take what Redis or the store had; what changed is unwritten at once. `ours`: an earlier run's own."""
        asset = self._used(name)
        asset.adopt(timeframe, candles, ours=ours)
        self._note(name, asset)

    def refill(self, name: str, from_us: int, ticks: Sequence[tuple[int, str]]) -> None:
        """Take stored ticks of a hole."""
        asset = self._assets.get(name)
        if asset is not None:
            asset.refill(from_us, ticks)
            self._note(name, asset)

    def seeded(self, name: str, level: int) -> None:
        """Redis was asked what an earlier run knew of a timeframe."""
        asset = self._assets[name]
        asset.seeded.add(level)
        if TIMEFRAMES[level] not in asset.recalled:
            self.unrestored[name, level] = None

    def _used(self, name: str) -> AssetCandles:
        asset = self._assets.get(name)
        if asset is None:
            asset = AssetCandles(self.size)
            self.add(name, asset)
        else:
            self._assets.move_to_end(name)
            self._touched[name] = None
        return asset

    def elapse(self, now: float) -> None:
        """Close what is over though no tick came; of many assets a few a call, the rest is still due."""
        for _ in range(MOST_CLOSES):
            at = self.due()
            if at is None or at > now:
                break
            _, name = heapq.heappop(self._alarms)
            del self._alarm_at[name]
            self._touched[name] = None
            asset = self._assets[name]
            asset.elapse(now, fed=self.feeds.get(asset.feed, "live") == "live")

    def due(self) -> float | None:
        """When `elapse` has something to do, monotonic; None if nothing is open."""
        while self._alarms and self._alarm_at.get(self._alarms[0][1]) != self._alarms[0][0]:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def settle(self) -> list[tuple[str, Candle]]:
        """Note what came of all changes since the last call; returns the candles that closed."""
        closed: list[tuple[str, Candle]] = []
        for name in self._touched:
            asset = self._assets.get(name)
            if asset is None:
                continue
            if asset.closed:
                closed += [(name, candle) for candle in asset.closed]
                asset.closed.clear()
            self._note(name, asset)
        self._touched.clear()
        return closed

    def take_made(self) -> list[tuple[str, Candle]]:
        """Candles for the store."""
        made, self.made = self.made, []
        return made

    def _make(self, name: str, asset: AssetCandles) -> None:
        if asset.renewed:
            self.made += [(name, candle) for candle in asset.take_renewed()]

    def _note(self, name: str, asset: AssetCandles) -> None:
        if asset.changed:
            self.unwritten.update({(name, level): None for level in asset.changed})
            asset.changed.clear()
        if asset.holes_made != asset.holes_told:
            asset.holes_told = asset.holes_made
            self.holed[name] = None
        self._make(name, asset)
        order = asset.order
        if order.late or order.ahead:
            self.late += order.late
            self.ahead += order.ahead
            order.late = order.ahead = 0
        self._alarm(name, asset.due())

    def _alarm(self, name: str, due: float | None) -> None:
        if due is None or self._alarm_at.get(name, float("inf")) <= due + SLACK_S:
            return
        self._alarm_at[name] = due
        heapq.heappush(self._alarms, (due, name))
        if len(self._alarms) > 4 * len(self._alarm_at) + 64:
            self._alarms = [(at, each) for each, at in self._alarm_at.items()]
            heapq.heapify(self._alarms)
