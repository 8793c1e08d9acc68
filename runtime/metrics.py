"""One relay's metrics for Prometheus: a registry of its own, so that several relays may run in a process.

`docs/metrics.md` says what each means. Labels that come from outside are capped: past the cap they are `other`.
"""

from collections.abc import Callable, Iterable, Mapping
from math import nan
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, FeedState, LinkChanged
from tickwire.messages.telemetry import (
    BacklogMeasured,
    BatchStored,
    CandlesStored,
    ClientsMeasured,
    FeedMeasured,
    HistoryMeasured,
    RowsQuarantined,
    SpoolMeasured,
    Telemetry,
    TicksLeftOut,
    TicksPublished,
)
from tickwire.messages.ticks import TicksAccepted
from tickwire.runtime.metrics_edge import EdgeMetrics
from tickwire.runtime.metrics_scraped import KernelCollector, KernelReading, RedisInfoCollector

FEEDS_MAX = 20
ASSETS_MAX = 200
REASONS_MAX = 50
OTHER = "other"

ROUND_TRIP_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Redis and local disk: 0.1 ms where all is well, 2 s is the link's deadline."""
CALL_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""A store: 10 s is its deadline."""

FEED_STATES: tuple[str, ...] = get_args(FeedState)


class Capped:
    """The first `most` distinct values keep their name, further ones are `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


class RelayMetrics:
    """`actors.ports.Metrics` on prometheus-client. Filled in the collector's thread, rendered in any."""

    def __init__(self, read_kernel: Callable[[], KernelReading] = KernelReading) -> None:
        """`read_kernel` is called at each rendering, in its thread."""
        self._registry = registry = CollectorRegistry()
        self._feeds = _FeedMetrics(registry)
        self._path = _PathMetrics(registry)
        self._edge = EdgeMetrics(registry)
        self._redis = RedisInfoCollector()
        registry.register(self._redis)
        registry.register(KernelCollector(read_kernel))
        ProcessCollector(namespace="tickwire", registry=registry)

    def record(self, message: Telemetry) -> None:
        match message:
            case FeedMeasured():
                self._feeds.measured(message)
            case FeedChanged():
                self._feeds.changed(message)
            case AssetsAnnounced():
                self._feeds.announced(message)
            case TicksPublished():
                self._path.published(message)
            case TicksAccepted():
                self._path.accepted(message)
            case SpoolMeasured():
                self._path.spooled(message)
            case BatchStored() | CandlesStored():
                self._path.stored(message)
            case BacklogMeasured():
                self._path.backlog(message)
            case RowsQuarantined():
                self._path.quarantined(message)
            case HistoryMeasured():
                self._edge.history(message)
            case TicksLeftOut():
                self._edge.left_out(message)
            case ClientsMeasured():
                self._edge.clients(message)
            case LinkChanged():
                self._edge.link(message)

    def redis_info(self, info: Mapping[str, str]) -> None:
        self._redis.info = info

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(_WithoutCreated(self._registry))


class _WithoutCreated(Collector):
    """A registry less the `_created` series: one more a counter, of use to nobody here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _FeedMetrics:
    """What TickIngestors tell."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *more: str) -> Counter:
            return Counter(f"tickwire_{name}", text, ["feed", *more], registry=registry)

        def gauge(name: str, text: str, *more: str) -> Gauge:
            return Gauge(f"tickwire_feed_{name}", text, ["feed", *more], registry=registry)

        self._feed = Capped(FEEDS_MAX)
        self._asset = Capped(ASSETS_MAX)
        self._reason = Capped(REASONS_MAX)
        self._frames = counter("feed_frames", "WebSocket frames read.")
        self._ticks = counter("feed_ticks", "Live ticks read, before any check.")
        self._rejected = counter("ticks_rejected", "Ticks refused at parse.", "asset", "reason")
        self._duplicates = counter("ticks_duplicate", "Exact repeats where stamps are unique.", "asset")
        self._ignored = counter("feed_events_ignored", "Events of the venue that carry no market data.")
        self._reconnects = counter("feed_reconnects", "Attempts to connect again.")
        self._offset = gauge("clock_offset_seconds", "Estimate of the source's clock, ahead of UTC.")
        self._lateness = gauge(
            "lateness_seconds", "Newest stamp of an asset minus a later tick's: largest of a second."
        )
        self._paused = gauge("paused", "1 while the socket is left unread (backpressure).")
        self._state = gauge("state", "1 for the state the feed is in.", "state")
        self._stale = gauge("stale_assets", "Assets that have been silent for too long.")
        self._announced = gauge("assets_announced", "Assets that the broker listed.")

    def measured(self, message: FeedMeasured) -> None:
        feed = self._feed(message.feed)
        self._frames.labels(feed).inc(message.frames)
        self._ticks.labels(feed).inc(message.ticks)
        self._ignored.labels(feed).inc(message.ignored_events)
        self._reconnects.labels(feed).inc(message.reconnects)
        self._offset.labels(feed).set(message.offset_us / 1e6)
        self._lateness.labels(feed).set(message.lateness_us / 1e6)
        self._paused.labels(feed).set(message.paused)
        for count in message.counts:
            asset = self._asset(count.asset)
            if count.reason == "duplicate":
                self._duplicates.labels(feed, asset).inc(count.count)
            else:
                self._rejected.labels(feed, asset, self._reason(count.reason)).inc(count.count)

    def changed(self, message: FeedChanged) -> None:
        feed = self._feed(message.feed)
        for state in FEED_STATES:
            self._state.labels(feed, state).set(state == message.state)
        self._stale.labels(feed).set(len(message.stale_assets))

    def announced(self, message: AssetsAnnounced) -> None:
        self._announced.labels(self._feed(message.feed)).set(len(message.assets))


class _PathMetrics:
    """What Publisher, BufferKeeper and BatchWriter tell."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"tickwire_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"tickwire_{name}", text, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"tickwire_{name}_seconds", text, buckets=buckets, registry=registry)

        self._reason = Capped(REASONS_MAX)
        self._published = counter("ticks_published", "Ticks published in Redis.")
        self._unpublished = counter("ticks_unpublished", "Ticks whose publish was given up: Redis was not up.")
        self._publish_seconds = histogram("publish", "Round trip of one drain's publishes.", ROUND_TRIP_S)
        self._accepted = counter("ticks_accepted", "Ticks committed in the spool.")
        self._rows_written = counter("spool_rows_written", "Spool rows committed (a row is a micro-batch).")
        self._commit_seconds = histogram("spool_commit", "One commit of the spool.", ROUND_TRIP_S)
        self._forward_seconds = histogram("forward", "Round trip of rows and lists to Redis.", ROUND_TRIP_S)
        self._spool_rows = gauge("spool_rows", "Spool rows not known to be stored.")
        self._spool_bytes = gauge("spool_bytes", "What they weigh.")
        self._lost = gauge("ticks_lost", "Ticks of this run let go because the spool took nothing for too long.")
        self._window = gauge("outbox_entries", "Outbox entries forwarded and not acknowledged.")
        self._stored = counter("rows_stored", "Rows confirmed present in the store, new or there before.")
        self._inserted = counter("rows_inserted", "Those that were new, where the store tells.")
        self._store_seconds = histogram("store", "One write to the store.", CALL_S)
        self._pending = gauge("store_pending_rows", "Rows read from the outbox and not yet written.")
        self._candles = counter("candles_stored", "Closed candles that the store has, so or better known.")
        self._candles_refused = counter("candles_refused", "Closed candles that the store does not take.")
        self._backlog = gauge("store_backlog_rows", "Rows accepted and not known to be stored, about.")
        self._catching_up = gauge("store_catching_up", "1 while what piled up in an outage is worked off.")
        self._eta = gauge("store_catch_up_eta_seconds", "Until that is done; NaN where no end is in sight.")
        self._quarantined = counter("rows_quarantined", "Rows that the store refused.", "reason")

    def published(self, message: TicksPublished) -> None:
        self._published.inc(message.published)
        self._unpublished.inc(message.unpublished)
        if message.published:
            self._publish_seconds.observe(message.seconds)

    def accepted(self, message: TicksAccepted) -> None:
        self._accepted.inc(message.ticks)
        self._rows_written.inc(message.rows)
        self._window.set(message.pending_entries)
        if message.commit_seconds is not None:
            self._commit_seconds.observe(message.commit_seconds)
        if message.forward_seconds is not None:
            self._forward_seconds.observe(message.forward_seconds)

    def spooled(self, message: SpoolMeasured) -> None:
        self._spool_rows.set(message.spool_rows)
        self._spool_bytes.set(message.spool_bytes)
        self._window.set(message.window_entries)
        self._lost.set(message.lost)

    def stored(self, message: BatchStored | CandlesStored) -> None:
        if isinstance(message, CandlesStored):
            self._candles.inc(message.rows)
            self._candles_refused.inc(message.refused)
            return
        self._stored.inc(message.rows)
        self._inserted.inc(message.inserted or 0)
        self._store_seconds.observe(message.seconds)
        self._pending.set(message.pending)

    def backlog(self, message: BacklogMeasured) -> None:
        self._backlog.set(message.rows)
        self._catching_up.set(message.catching_up)
        end_s = message.eta_s if message.catching_up else 0.0
        self._eta.set(nan if end_s is None else end_s)

    def quarantined(self, message: RowsQuarantined) -> None:
        self._quarantined.labels(self._reason(message.reason)).inc(message.rows)
