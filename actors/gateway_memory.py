"""What Gateway knows, over its incarnations: states are told once, and ticks in memory serve clients without Redis."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson

from tickwire.market.tick_book import TickBook
from tickwire.messages.clients import AssetState, StateAnswered
from tickwire.messages.lifecycle import AssetsAnnounced, AssetSelected, FeedChanged, LinkChanged
from tickwire.messages.telemetry import BacklogMeasured, BatchStored, RowsQuarantined

Noted = FeedChanged | LinkChanged | AssetsAnnounced | AssetSelected | BatchStored | BacklogMeasured | RowsQuarantined

RATE_S = 10
"""Rates are of so many seconds, sampled once a second."""
ASSETS_MAX = 5000
"""Assets that ticks are kept of; a feed that makes up names must not fill the memory."""


class GatewayMemory:
    """Feeds, links, assets, ticks. Made once a relay, used by one incarnation of Gateway at a time."""

    def __init__(self) -> None:
        self.feeds: dict[str, FeedChanged] = {}
        self.links: dict[tuple[str, str], LinkChanged] = {}
        self.books: dict[str, TickBook] = {}
        self.announced: dict[str, str] = {}
        """Asset → the feed that listed it; "" for one known from Redis alone."""
        self.selected: dict[str, str] = {}
        """Feed → the asset that the trader's page shows; the newest choice at the end."""
        self.stored: BatchStored | None = None
        self.stored_at: dict[str, float] = {}
        """Asset → when (UTC) the last batch with ticks of it was stored; of as many as there are books."""
        self.backlog: BacklogMeasured | None = None
        self.quarantined = 0
        self.last_asset: str | None = None
        self._totals: dict[str, deque[int]] = {}

    def note(self, message: Noted, now_s: float) -> None:
        """`now_s`: seconds UTC."""
        match message:
            case FeedChanged():
                self.feeds[message.feed] = message
                if message.state == "down":
                    self.selected.pop(message.feed, None)
            case LinkChanged():
                self.links[message.link, message.owner] = message
            case AssetsAnnounced():
                self.announced.update(dict.fromkeys(message.assets, message.feed))
            case BatchStored():
                self.stored = message
                self.stored_at.update(dict.fromkeys(message.assets & self.books.keys(), now_s))
            case AssetSelected():
                self.selected.pop(message.feed, None)
                if message.asset is not None:
                    self.selected[message.feed] = message.asset
            case BacklogMeasured():
                self.backlog = message
            case RowsQuarantined():
                self.quarantined += message.rows

    def knows(self, asset: str) -> bool:
        """Announced by a feed, or seen."""
        return asset in self.books or asset in self.announced

    def add_registered(self, assets: Iterable[str]) -> None:
        """Assets that an earlier run knew."""
        for asset in assets:
            self.announced.setdefault(asset, "")

    def book(self, asset: str) -> TickBook | None:
        """The asset's book, made if need be; None where there are too many."""
        book = self.books.get(asset)
        if book is None and len(self.books) < ASSETS_MAX:
            book = self.books[asset] = TickBook()
        return book

    def known_book(self, asset: str) -> TickBook | None:
        """The book of an asset that was announced or seen; None of any other."""
        return self.book(asset) if self.knows(asset) else None

    def unseeded(self) -> tuple[str, TickBook] | None:
        """One of the assets whose buffer has not been read yet."""
        for asset, book in self.books.items():
            if not book.seeded:
                return asset, book
        for asset in self.announced.keys() - self.books.keys():
            made = self.book(asset)
            return (asset, made) if made is not None else None
        return None

    # -- rates

    def sample(self) -> None:
        """Once a second."""
        for asset, book in self.books.items():
            totals = self._totals.get(asset)
            if totals is None:
                totals = self._totals[asset] = deque([0], RATE_S + 1)
            totals.append(book.total)

    def _rate(self, asset: str) -> float:
        totals = self._totals.get(asset)
        return (totals[-1] - totals[0]) / (len(totals) - 1) if totals is not None else 0.0

    # -- answers

    def assets(self, *, announced: bool) -> list[AssetState]:
        """By name."""
        stale = {asset for change in self.feeds.values() for asset in change.stale_assets}
        names = {asset for asset, book in self.books.items() if book.epoch is not None}
        if announced:
            names |= self.announced.keys()
        return [self._asset(name, name in stale) for name in sorted(names)]

    def state(self) -> StateAnswered:
        """How all is."""
        book = self.books.get(self.last_asset) if self.last_asset is not None else None
        return StateAnswered(
            feeds=list(self.feeds.values()),
            links=list(self.links.values()),
            last_asset=self.last_asset,
            last_ts_us=book.ts_us if book is not None else None,
            stored=self.stored,
            backlog=self.backlog,
            quarantined=self.quarantined,
            selected=dict(self.selected),
            stored_at=dict(self.stored_at),
        )

    def _asset(self, asset: str, stale: bool) -> AssetState:
        book = self.books.get(asset) or TickBook()
        seen = book.epoch is not None
        return AssetState(
            asset=asset,
            source=book.source,
            price=book.price,
            timestamp=None if book.ts_us is None else book.ts_us / 1e6,
            seq=book.last if seen else None,
            epoch=book.epoch,
            rate=self._rate(asset),
            stale=stale,
            buffered=book.buffered if seen else 0,
        )

    # -- the status that clients are told

    @property
    def feed(self) -> str:
        """Of all feeds together: what a trader may expect to see move."""
        states = [change.state for change in self.feeds.values()]
        for state in ("live", "stale"):
            if state in states:
                return state
        return "ended" if states and all(state == "ended" for state in states) else "down"

    @property
    def redis(self) -> str:
        links = [change for (link, _), change in self.links.items() if link == "redis"]
        return "up" if links and all(change.state == "up" for change in links) else "degraded"

    def status(self) -> bytes:
        """The `status` message."""
        message: dict[str, Any] = {"type": "status", "feed": self.feed, "redis": self.redis}
        return orjson.dumps(message)
