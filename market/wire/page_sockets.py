"""The WebSockets of a browser's pages: a venue's decoder for each, and which assets' ticks each one carries. Pure.

What a page does not receive nobody can know of, so a socket that ends, a page that is loaded anew and an asset that a
page asks for again are doubts (`Interrupted`), unless another page's socket carries the asset.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from tickwire.market.wire import (
    AssetChosen,
    CandleRows,
    Decoder,
    Event,
    Frame,
    HistoryRows,
    Ignored,
    Interrupted,
    Lacking,
    LiveRows,
    Malformed,
    Opened,
    PageAsked,
    Send,
)
from tickwire.market.wire.jsontext import malformed

MOST_SOCKETS = 256
"""Of all pages together; one more, and the one that was silent longest is forgotten."""
MOST_ASSETS = 5000
"""Noted of a socket; a page that makes up names must not fill the memory."""
BEHIND_S = 3.0
"""A tab that stood still brings what another one brought long ago, when nobody remembers single ticks any more."""
FAR_S = 3600.0
"""A stamp so far off is another clock's, or a bad one: nothing is measured by it."""
LONGEST_NAME = 20
"""Of an asset; a longer one is refused further on, and no doubt is kept of it."""
OF_THE_MARKET: Final = (LiveRows, HistoryRows, CandleRows)
NO_PAGE = "no page of this Chrome hears from the broker: open the broker's page in it and log in"

Key = tuple[str, str]
"""(DevTools session, request id)."""


class _Socket:
    __slots__ = ("added", "carries", "decoder", "dropped", "known", "shown", "speaks")

    def __init__(self, decoder: Decoder, *, known: bool) -> None:
        self.decoder = decoder
        self.known = known
        """One of unknown kind is not complained of before it has said something of the market."""
        self.speaks = False
        self.carries: set[str] = set()
        """Assets that ticked through it, and were not given up."""
        self.dropped: set[str] = set()
        """Assets that the page gave up: a late tick does not bring them back."""
        self.added: set[str] = set()
        self.shown: str | None = None

    def end(self) -> set[str]:
        """It says no more, or begins anew; returns what it carried."""
        carried, self.carries = self.carries, set()
        self.speaks = False
        self.dropped, self.added, self.shown = set(), set(), None
        return carried


class PageSockets:
    """Of one DevTools connection. Each call adds what it means for the market to `events`."""

    def __init__(
        self, make_decoder: Callable[[], Decoder], asked: Callable[[bytes], PageAsked | None], match: Sequence[str]
    ) -> None:
        """`match`: a socket counts if its URL holds one of these; where there are none, if it speaks of the market."""
        self._make_decoder = make_decoder
        self._asked = asked
        self._match = match
        self._sockets: OrderedDict[Key, _Socket | None] = OrderedDict()
        """The one heard last at the end; None for one that does not match."""
        self._shown: dict[Key, str] = {}
        """The choices of the pages, the newest at the end."""
        self._chosen: str | None = None
        self._lacking = True
        self._several = False
        """Whether more than one socket speaks of the market."""
        self._newest: dict[str, float] = {}
        """Asset → newest stamp, kept while several sockets speak of the market."""

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def lacks(self) -> str:
        """What a person must do before ticks can come; empty: nothing."""
        return NO_PAGE if self._lacking else ""

    def created(self, key: Key, url: str, events: list[Event]) -> None:
        matches = not self._match or any(part in url for part in self._match)
        socket = _Socket(self._make_decoder(), known=bool(self._match)) if matches else None
        self._keep(key, socket, events)

    def closed(self, key: Key, events: list[Event]) -> None:
        self._end([key], events)
        self._sockets.pop(key, None)

    def left(self, session: str, events: list[Event]) -> None:
        """Its page is loaded anew, or crashed: Chrome does not tell that its sockets closed."""
        self._end(self._of(session), events)

    def gone(self, session: str, events: list[Event]) -> None:
        """Its page is closed."""
        self.left(session, events)
        for key in self._of(session):
            del self._sockets[key]

    def received(self, key: Key, frame: Frame | None, events: list[Event]) -> None:
        """A page received it; None: something that is no frame."""
        socket = self._socket(key, events)
        if socket is None:
            return
        if frame is None:
            if socket.known:
                events.append(malformed("a page's socket received what is no frame", list(key)))
            return
        told = socket.decoder.receive([frame])
        for event in told:
            if isinstance(event, OF_THE_MARKET):
                self._speaks(socket, event, events)
        for event in told:
            if isinstance(event, LiveRows) and self._several:
                events += self._in_time(event)
            elif not isinstance(event, Opened | Send) and (socket.known or not isinstance(event, Malformed | Ignored)):
                events.append(event)

    def sent(self, key: Key, payload: bytes, events: list[Event]) -> None:
        """A page sent this text."""
        asked = self._asked(payload)
        socket = self._socket(key, events) if asked is not None else None
        if socket is None or asked is None or len(socket.added) + len(socket.dropped) >= MOST_ASSETS:
            return
        asset = asked.asset
        if asked.how == "drop":
            socket.added.discard(asset)
            self._give_up(socket, asset)
            return
        if asset != socket.shown and asset not in socket.added:
            socket.dropped.discard(asset)
            self._doubt([asset], events)
        if asked.how == "add":
            socket.added.add(asset)
            return
        before, socket.shown = socket.shown, asset
        if before is not None and before != asset:
            self._give_up(socket, before)
        self._shown.pop(key, None)
        self._shown[key] = asset
        self._choose(events)

    @staticmethod
    def _give_up(socket: _Socket, asset: str) -> None:
        if asset != socket.shown and asset not in socket.added:
            socket.carries.discard(asset)
            socket.dropped.add(asset)

    # --

    def _in_time(self, rows: LiveRows) -> list[Event]:
        """Without what another socket has left far behind."""
        kept = []
        for place, (asset, stamp) in enumerate(zip(rows.assets, rows.stamps, strict=True)):
            if _is_name(asset) and type(stamp) in (int, float):
                newest = self._newest.get(asset, stamp)
                if BEHIND_S < newest - stamp < FAR_S:
                    continue
                if (asset in self._newest or len(self._newest) < MOST_ASSETS) and not 0 < newest - stamp < FAR_S:
                    self._newest[asset] = stamp
            kept.append(place)
        if len(kept) == len(rows.assets):
            return [rows]
        late: list[Event] = [Ignored("ticks of a tab that is behind")]
        columns = ([column[place] for place in kept] for column in (rows.assets, rows.stamps, rows.prices))
        return [LiveRows(*columns), *late] if kept else late

    def _speaks(self, socket: _Socket, event: Event, events: list[Event]) -> None:
        if not socket.speaks:
            socket.known = socket.speaks = True
            self._count()
        if self._lacking:
            self._lacking = False
            events.append(Lacking(""))
        if isinstance(event, LiveRows):
            for asset in event.assets:
                if _is_name(asset) and asset not in socket.dropped and len(socket.carries) < MOST_ASSETS:
                    socket.carries.add(asset)

    def _socket(self, key: Key, events: list[Event]) -> _Socket | None:
        """One that was open before we came has no URL: what it says decides."""
        if key not in self._sockets:
            self._keep(key, _Socket(self._make_decoder(), known=False), events)
        self._sockets.move_to_end(key)
        return self._sockets[key]

    def _keep(self, key: Key, socket: _Socket | None, events: list[Event]) -> None:
        self._end([key], events)
        self._sockets[key] = socket
        self._sockets.move_to_end(key)
        if len(self._sockets) > MOST_SOCKETS:
            self.closed(next(iter(self._sockets)), events)

    def _of(self, session: str) -> list[Key]:
        return [key for key in self._sockets if key[0] == session]

    def _end(self, keys: Iterable[Key], events: list[Event]) -> None:
        carried: set[str] = set()
        for key in keys:
            self._shown.pop(key, None)
            socket = self._sockets.get(key)
            if socket is not None:
                carried |= socket.end()
        self._doubt(sorted(carried), events)
        if not self._count() and not self._lacking:
            self._lacking = True
            events.append(Lacking(self.lacks))
        self._choose(events)

    def _count(self) -> int:
        """How many sockets speak of the market."""
        speaking = sum(1 for socket in self._sockets.values() if socket is not None and socket.speaks)
        self._several = speaking > 1
        if not self._several:
            self._newest.clear()
        return speaking

    def _doubt(self, assets: Sequence[str], events: list[Event]) -> None:
        """Ticks of these may be missing from now on, except where another socket goes on with them."""
        others = [socket.carries for socket in self._sockets.values() if socket is not None]
        in_doubt = [asset for asset in assets if not any(asset in carried for carried in others)]
        if in_doubt:
            events.append(Interrupted(in_doubt))

    def _choose(self, events: list[Event]) -> None:
        chosen = next(reversed(self._shown.values()), None)
        if chosen != self._chosen:
            self._chosen = chosen
            events.append(AssetChosen(chosen))


def _is_name(asset: Any) -> bool:
    return type(asset) is str and len(asset) <= LONGEST_NAME
