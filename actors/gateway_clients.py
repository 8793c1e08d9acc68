"""What Gateway's clients want: answers to their subscriptions, and the candles that somebody watches. In its thread."""

from collections.abc import Callable

from tickwire.actors.gateway_board import Board
from tickwire.actors.gateway_frames import candle_out, error, subscribed, subscribed_to_candles
from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.actors.gateway_refills import Refills
from tickwire.actors.gateway_watchers import Watchers
from tickwire.market.tick_book import TickBook
from tickwire.messages.candles import CandleClosed
from tickwire.messages.clients import ChannelsLeft, ChannelWanted, Joined, Refused, ToServer


class Clients:
    """What there is to say goes to the end of `out`.

    `ask_feed(feed, asset)` wants an asset that its feed only listed; `ask_past(asset, timeframe)` the candle so far.
    """

    def __init__(
        self, memory: GatewayMemory, refills: Refills, watchers: Watchers, board: Board, out: list[ToServer], *,
        ask_feed: Callable[[str, str], None], ask_past: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._memory = memory
        self._refills = refills
        self._watchers = watchers
        self._board = board
        self._out = out
        self._ask_feed = ask_feed
        self._ask_past = ask_past

    def want(self, wanted: ChannelWanted) -> None:
        """Only assets that are known: a name from a client alone never becomes a key or a subscription."""
        asset, timeframe = wanted.asset, wanted.timeframe
        book = self._memory.known_book(asset)
        if book is None:
            payload = error("unknown_asset", f"{asset}: no feed has announced it and no tick of it was seen", asset)
            self._out.append(
                Refused(client=wanted.client, ticket=wanted.ticket, asset=asset, timeframe=timeframe, payload=payload)
            )
            return
        self._board.show(asset)  # those who are there already get it now, the newcomer in the snapshot
        self._refills.seed(asset, book)
        if not self._watchers.any(asset) and book.total == 0:
            self._ask_feed(self._memory.announced.get(asset, ""), asset)
        self._watchers.add(wanted.client, asset, timeframe)
        if timeframe is None:
            payload = subscribed(asset, book, wanted.since)
        else:
            payload = subscribed_to_candles(asset, book, timeframe)
        self._out.append(
            Joined(client=wanted.client, ticket=wanted.ticket, asset=asset, timeframe=timeframe, payload=payload)
        )
        if timeframe is not None:
            self._open_view(asset, timeframe, book)

    def _open_view(self, asset: str, timeframe: str, book: TickBook) -> None:
        if self._board.views.open(asset, timeframe, book):
            self._ask_past(asset, timeframe)
            return
        said = self._board.views.say(asset, timeframe)
        if said is not None:
            self._out.append(said)

    def leave(self, left: ChannelsLeft) -> None:
        for asset, timeframe in self._watchers.leave(left.client, left.asset):
            self._board.show(asset)
            if timeframe is not None:
                self._board.views.close(asset, timeframe)

    def closed(self, closed: CandleClosed) -> None:
        """A candle to those who watch its timeframe, behind the ticks that ended it."""
        if self._watchers.candles(closed.asset, closed.candle.timeframe):
            self._board.show(closed.asset)
            self._out.append(candle_out(closed.asset, closed.candle))
