"""Feeds: WebSocket clients of venues, and servers of our own for recordings and a simulated broker."""

from tickwire.runtime.feeds.feed import Feed, open_feed
from tickwire.runtime.feeds.recorder import FrameFile, Recorder
from tickwire.runtime.feeds.recordings import FeedError, RecordingError
from tickwire.runtime.feeds.simulated import SimulatedBroker

__all__ = ["Feed", "FeedError", "FrameFile", "Recorder", "RecordingError", "SimulatedBroker", "open_feed"]
