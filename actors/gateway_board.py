"""The ticks that Gateway shows: in order, without holes as far as can be, built once for all who watch. In its thread.

A tick of an asset that nobody watches costs an append.
"""

from collections.abc import Callable

from tickwire.actors.candle_views import CandleViews
from tickwire.actors.gateway_frames import gap_out, ticks_out
from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.actors.gateway_refills import Refills
from tickwire.actors.gateway_watchers import Watchers
from tickwire.market.tick_book import KEPT, Gap, TickBook
from tickwire.messages.clients import AssetUnknown, TicksAnswered, TicksRequested, ToServer
from tickwire.messages.ticks import TickColumns, TicksReceived


class Board:
    """What there is to say goes to the end of `out`. `wait` is called with an asset once it has a hole."""

    def __init__(
        self, memory: GatewayMemory, refills: Refills, watchers: Watchers, out: list[ToServer],
        wait: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.views = CandleViews()
        self._memory = memory
        self._refills = refills
        self._watchers = watchers
        self._out = out
        self._wait = wait
        self._fresh: dict[str, list[TickColumns]] = {}
        self._holes: set[str] = set()

    def take(self, received: TicksReceived) -> None:
        for column in received.columns:
            asset = column.asset
            book = self._memory.book(asset)
            if book is None:
                continue
            book.source = received.source
            fresh = book.take(column)
            if fresh and self._watchers.any(asset):
                self._fresh.setdefault(asset, []).extend(fresh)
            if book.hole is not None:
                self._on_hole(asset, book)
            self._memory.last_asset = asset

    def show_all(self) -> None:
        for asset in list(self._fresh):
            self.show(asset)

    def show(self, asset: str) -> None:
        """Hand on what is fresh of an asset."""
        columns = self._fresh.pop(asset, None)
        if not columns:
            return
        if self._watchers.ticks(asset):
            source = self._memory.books[asset].source or ""
            start = 0
            for end in range(1, len(columns) + 1):
                if end == len(columns) or columns[end].epoch != columns[start].epoch:
                    self._out.append(ticks_out(columns[start:end], source))
                    start = end
        self._out += self.views.add(asset, columns)

    def _on_hole(self, asset: str, book: TickBook) -> None:
        if book.held_ticks > KEPT:
            self.close_hole(asset)
        elif asset not in self._holes:
            self._holes.add(asset)
            self._wait(asset)

    def waited(self, asset: str) -> None:
        """What is missing before the asset's ticks has not come."""
        self._holes.discard(asset)
        self.close_hole(asset)

    def close_hole(self, asset: str) -> None:
        """Fill it from the buffer; what that has not is said to be a gap."""
        book = self._memory.books[asset]
        if book.hole is None:
            return
        for piece in book.fill(asset, self._refills.buffered(asset)):
            if not self._watchers.any(asset):
                continue
            if isinstance(piece, Gap):
                self.show(asset)
                self._out.append(gap_out(asset, piece))
            else:
                self._fresh.setdefault(asset, []).append(piece)
        self.show(asset)

    def answer(self, request: TicksRequested) -> None:
        """The newest ticks of an asset, to who asked."""
        asset = request.asset
        book = self._memory.known_book(asset)
        if book is None:
            request.reply_to.tell(AssetUnknown(asset=asset))
        else:
            newest = self._refills.newest(asset, book, request.limit)
            request.reply_to.tell(TicksAnswered(asset=asset, ticks=newest))
