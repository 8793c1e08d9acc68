"""How a feed is: its state, which of its assets have fallen silent, and whether it is gone for good. TickIngestor's."""

from collections.abc import Callable, Sequence

from tickwire.market.staleness import Staleness
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.lifecycle import FeedChanged, FeedState

RELEASE_S = 60.0
"""How long a feed is down before it gives its assets up to other feeds."""

LACK_S = 5.0
"""A page that is loaded anew is back sooner."""


class FeedStatus:
    """Not thread-safe."""

    def __init__(
        self, feed: str, staleness: Staleness, observe: Callable[[FeedChanged], object], release_s: float
    ) -> None:
        """`observe` is the host's ear, in TickIngestor's thread."""
        self._feed = feed
        self._staleness = staleness
        self._observe = observe
        self._release_s = release_s
        self._release_at: float | None = None
        self._told: Sequence[ReplyTo] = ()
        self._state: FeedState = "connecting"
        self._stale: tuple[str, ...] = ()
        self._detail = self._held = self._lacks = ""
        self._lacking_since = 0.0

    def begin(self, told: Sequence[ReplyTo], now: float, *, connects: bool) -> None:
        """`told` hear of every change; a feed that `connects` has a minute for its first tick."""
        self._told = told
        self._release_at = now + self._release_s if connects else None
        self._change("connecting" if connects else "live")

    def connecting(self) -> None:
        self._lacks = ""
        self._change("connecting")

    def down(self, reason: str, now: float) -> None:
        if self._state not in ("down", "connecting"):
            self._release_at = now + self._release_s
        self._lacks = ""
        self._change("down", reason)

    def ended(self) -> None:
        """A recording is at its end: nothing is missing, so nothing is stale."""
        self._stale = ()
        self._change("ended")

    def heard(self) -> bool:
        """The venue speaks of its market. True where it did not before: it works again."""
        if self._state in ("live", "stale"):
            return False
        self._release_at = None
        self._change("live")
        return True

    def ticked(self, assets: Sequence[str], now: float) -> None:
        for asset in assets:
            self._staleness.observe(asset, now, 1)

    def hold(self, reason: str, now: float) -> None:
        """Its socket is left unread, and why; empty where it is read again."""
        if reason != self._held:
            self._held = reason
            if self._state in ("live", "stale"):
                self.judge(now)

    def lack(self, reason: str, now: float) -> None:
        """What a person must do before it can tick, said once that has lasted; empty: nothing."""
        if not (reason and self._lacks):
            self._lacking_since = now
        self._lacks = reason

    def forget(self, asset: str) -> None:
        """Nobody wants it any more: its silence is no fault."""
        self._staleness.forget(asset)

    def judge(self, now: float) -> None:
        """Stale is an asset by its own pace, and the feed where all of its assets are."""
        if self._state not in ("live", "stale"):
            return
        stale = self._staleness.stale(now)
        silent = bool(stale) and len(stale) == self._staleness.watched
        lacks = self._lacks if now >= self._lacking_since + LACK_S else ""
        detail = self._held or lacks
        state: FeedState = "stale" if silent or detail else "live"
        if (stale, state, detail) != (self._stale, self._state, self._detail):
            self._stale = stale
            self._change(state, detail)

    def is_gone(self, now: float) -> bool:
        """True once, when the feed has been down for so long that others may have its assets."""
        if self._release_at is None or now < self._release_at:
            return False
        self._release_at = None
        return True

    def gone(self) -> None:
        """Say that the assets were given up."""
        self._change(self._state, gone=True)

    def _change(self, state: FeedState, detail: str = "", *, gone: bool = False) -> None:
        self._state, self._detail = state, detail
        change = FeedChanged(feed=self._feed, state=state, detail=detail, stale_assets=self._stale, gone=gone)
        for receiver in self._told:
            receiver.tell(change)
        self._observe(change)
