"""What a feed brought since it was last measured, for MetricsCollector and the log. TickIngestor's."""

import structlog

from tickwire.actors.feed_connection import FeedConnection
from tickwire.market.pipeline import FeedPipeline
from tickwire.market.wire import Malformed
from tickwire.messages.telemetry import FeedMeasured

_log = structlog.get_logger("tickwire.feed_meter")


class FeedMeter:
    """Not thread-safe."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self.ticks = 0
        self.ignored = 0
        self._malformed = 0
        self._first_malformed: Malformed | None = None

    def malformed(self, event: Malformed) -> None:
        """Logged when measured, the first with its sample: a hostile venue must not fill the log."""
        self._malformed += event.count
        self._first_malformed = self._first_malformed or event

    def measure(self, pipeline: FeedPipeline, connection: FeedConnection, *, paused: bool) -> FeedMeasured:
        """The growth since the last call, and present gauges."""
        self._log(pipeline)
        measured = FeedMeasured(
            feed=self._feed,
            frames=connection.take_frames(),
            ticks=self.ticks,
            counts=pipeline.take_counts(),
            ignored_events=self.ignored,
            reconnects=connection.take_reconnects(),
            offset_us=pipeline.offset_us,
            paused=paused,
            lateness_us=pipeline.lateness_us,
        )
        self.ticks = self.ignored = pipeline.lateness_us = 0
        return measured

    def _log(self, pipeline: FeedPipeline) -> None:
        for change in pipeline.offset_changes:
            _log.info("clock_offset", feed=self._feed, offset_s=change.offset_us / 1e6)
        pipeline.offset_changes.clear()
        if self._first_malformed is not None:
            first = self._first_malformed
            _log.warning(
                "malformed", feed=self._feed, count=self._malformed, reason=first.reason, sample=repr(first.sample)
            )
        self._malformed, self._first_malformed = 0, None
