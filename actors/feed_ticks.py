"""What a feed says and who is told of it: events in, numbered messages out to their receivers. TickIngestor's."""

from collections.abc import Callable, Sequence

from tickwire.actors.asset_registry import AssetRegistry
from tickwire.actors.feed_connection import FeedConnection
from tickwire.actors.feed_meter import FeedMeter
from tickwire.actors.feed_session import FeedSession
from tickwire.actors.feed_status import FeedStatus
from tickwire.actors.kernel.behaviour import Address
from tickwire.actors.ports import FeedClosed
from tickwire.market.pipeline import FeedPipeline
from tickwire.market.values import good_asset
from tickwire.market.wire import (
    AssetChosen,
    AssetsListed,
    AuthRefused,
    CandleRows,
    ClosedByVenue,
    Event,
    HistoryRows,
    Ignored,
    Interrupted,
    Lacking,
    LiveRows,
    Malformed,
    Opened,
    Send,
)
from tickwire.messages.lifecycle import AssetsAnnounced, AssetSelected, TicksPushed
from tickwire.messages.ticks import BackfillReceived, TicksReceived

TICKS_TO = ("publisher", "gateway", "buffer_keeper", "cache_manager")
"""In the order in which they are told: what traders see first."""
BACKFILL_TO = ("buffer_keeper", "cache_manager")
LISTS_TO = ("gateway", "metrics_collector")


class FeedTicks:
    """Not thread-safe. Reading may raise FeedClosed; what was read before counts."""

    def __init__(
        self,
        feed: str,
        *,
        address: Callable[[str], Address],
        pipeline: FeedPipeline,
        registry: AssetRegistry,
        connection: FeedConnection,
        status: FeedStatus,
        meter: FeedMeter,
        doubt: Callable[[Sequence[str]], None],
    ) -> None:
        """`doubt` hears of assets whose ticks may be missing from now on."""
        self._feed = feed
        self.receivers = [address(name) for name in TICKS_TO]
        self._counts_to = [address("buffer_keeper")]
        self._backfill_to = [address(name) for name in BACKFILL_TO]
        self._gateway = address("gateway")
        self._lists_to = [address(name) for name in LISTS_TO]
        self._pipeline = pipeline
        self._registry = registry
        self._connection = connection
        self._status = status
        self._meter = meter
        self._doubt = doubt

    def read(self, session: FeedSession, now: float, recv_us: int) -> None:
        """Take one read of the socket."""
        for arrival_us, events in session.read(now, recv_us):
            for event in events:
                self._on_event(session, event, arrival_us, recv_us, now)

    def pushed(self, pushed: TicksPushed, now: float, recv_us: int) -> None:
        """Take what the host pushed."""
        if pushed.rows:
            assets, stamps, prices = zip(*pushed.rows, strict=True)
            self._on_rows(LiveRows(assets, stamps, prices), recv_us, recv_us, now)

    def _on_event(self, session: FeedSession, event: Event, arrival_us: int, recv_us: int, now: float) -> None:
        match event:
            case LiveRows():
                self._on_rows(event, arrival_us, recv_us, now)
            case HistoryRows() | CandleRows():
                self._pipeline.past(event, arrival_us, recv_us)
                self._heard()
            case Opened():
                self._heard()
                self._connection.opened(session)
            case AssetChosen():
                if event.asset is None or good_asset(event.asset):
                    self._gateway.tell(AssetSelected(feed=self._feed, asset=event.asset))
            case Interrupted():
                self._doubt(event.assets)
            case Lacking():
                self._status.lack(event.reason, now)
            case AssetsListed():
                self._on_listed(event)
            case Malformed():
                self._pipeline.intake.malformed(event.count)
                self._meter.malformed(event)
            case Ignored():
                self._meter.ignored += 1
            case AuthRefused():
                raise FeedClosed(f"the venue refused the session ({event.reason}); give a fresh one")
            case ClosedByVenue():
                raise FeedClosed(event.reason)
            case Send():
                pass  # the session sends it

    def _on_listed(self, listed: AssetsListed) -> None:
        self._registry.listed(listed.assets)
        announced = AssetsAnnounced(feed=self._feed, assets=[info.symbol for info in listed.assets])
        for receiver in self._lists_to:
            receiver.tell(announced)

    def _on_rows(self, rows: LiveRows, arrival_us: int, recv_us: int, now: float) -> None:
        self._heard()
        self._meter.ticks += len(rows.assets)
        assets = self._pipeline.live(rows, arrival_us, recv_us)
        self._registry.saw(assets)
        self._status.ticked(assets, now)

    def _heard(self) -> None:
        if self._status.heard():
            self._connection.works()

    def hand_on(self, counts_at_us: int | None = None) -> None:
        """Put what this step took in into the receivers' mailboxes; only then do its ordinals and numbers count.

        With `counts_at_us` counts go too that no tick came along with.
        """
        messages = self._pipeline.messages(counts_at_us=counts_at_us)
        if not messages:
            return
        for message in messages:
            for receiver in self._receivers_of(message):
                receiver.tell(message)
        self._pipeline.settle()

    def _receivers_of(self, message: TicksReceived | BackfillReceived) -> Sequence[Address]:
        if type(message) is BackfillReceived:
            return self._backfill_to
        return self.receivers if message.columns else self._counts_to
