"""Venues' wire protocols as pure state machines: frames in, events and frames to send out. One file a venue.

A decoder is made anew for each connection and knows neither sockets nor clocks. It checks the shape of what it
takes apart, not the values: `market.intake` decides which stamps, assets and prices are good.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, Protocol, runtime_checkable

TEXT = 1
BINARY = 2

Frame = tuple[int, bytes]
"""(opcode, payload): TEXT or BINARY."""

SAMPLE_BYTES = 256
"""How much of a malformed frame is kept as evidence."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this frame to the venue."""

    payload: str | bytes


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Ticks as columns of equal length, in arrival order, values as parsed from the wire and not checked yet."""

    assets: Sequence[Any]
    stamps: Sequence[Any]
    prices: Sequence[Any]
    trade_ids: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class HistoryRows:
    """The broker's past ticks of one asset, in the broker's order, values not checked yet."""

    asset: Any
    stamps: Sequence[Any]
    prices: Sequence[Any]


@dataclass(frozen=True, slots=True)
class CandleRows:
    """The broker's candles of one asset: rows (raw stamp, open, high, low, close), ascending, not checked."""

    asset: Any
    period_s: int
    rows: Sequence[tuple[Any, Any, Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class AssetInfo:
    symbol: str
    name: str
    kind: str
    is_otc: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class AssetsListed:
    """The broker's list of what it has."""

    assets: Sequence[AssetInfo]


@dataclass(frozen=True, slots=True)
class AssetChosen:
    """What the trader's own page shows now; None: no page shows an asset any more."""

    asset: str | None


@dataclass(frozen=True, slots=True)
class PageAsked:
    """A page asks the venue to `show` it an asset in place of the one before, to `add` one, or to `drop` one."""

    asset: str
    how: Literal["show", "add", "drop"]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ticks of these assets may be missing between those before and those to come, though the connection stands."""

    assets: Sequence[str]


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a person must do before this connection can bring ticks; empty: nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is ready (authenticated where the venue asks for it): subscribe now."""


@dataclass(frozen=True, slots=True)
class AuthRefused:
    """The venue refused the session; trying again at once is pointless."""

    reason: str


@dataclass(frozen=True, slots=True)
class ClosedByVenue:
    """The venue said, within its protocol, that it ends the session."""

    reason: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A frame or an element of one that is not what the protocol says; the rest of the frame was kept."""

    reason: str
    sample: bytes
    """At most SAMPLE_BYTES."""
    count: int = 1
    """How many elements of the frame were bad in this way; the sample is of the first."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that the protocol has and nobody here needs, or an unknown one."""

    event: str


Event = (
    Send
    | LiveRows
    | HistoryRows
    | CandleRows
    | AssetsListed
    | AssetChosen
    | Interrupted
    | Lacking
    | Opened
    | AuthRefused
    | ClosedByVenue
    | Malformed
    | Ignored
)


def merge_live(events: Sequence[Event]) -> list[Event]:
    """Neighbouring live rows as one, so that a read costs one pass further on."""
    merged: list[Event] = []
    for is_live, run in groupby(events, lambda event: type(event) is LiveRows):
        members = list(run)
        if not is_live or len(members) == 1:
            merged += members
            continue
        live = [event for event in members if isinstance(event, LiveRows)]
        ids = [event.trade_ids for event in live]
        merged.append(
            LiveRows(
                [asset for event in live for asset in event.assets],
                [stamp for event in live for stamp in event.stamps],
                [price for event in live for price in event.prices],
                [one for column in ids if column is not None for one in column] if None not in ids else None,
            )
        )
    return merged


@runtime_checkable
class AnswersAboutThePast(Protocol):
    """A decoder of a venue that can be asked for candles."""

    def older_candles(self, asset: str, *, index: int, before_s: int, span_s: int, period_s: int) -> Sequence[Send]:
        """Ask for `span_s` seconds of candles that end at `before_s` of the venue's clock."""


class Decoder(Protocol):
    """One connection's protocol state."""

    @property
    def silence_limit_s(self) -> float:
        """A connection without any frame for longer is dead (from the venue's handshake where it says)."""

    def greeting(self) -> Sequence[Send]:
        """What the venue expects first, right after the connection is made."""

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        """Take the frames of one read of the socket. Never raises on any input."""

    def due(self, now: float) -> Sequence[Send]:
        """What the protocol wants sent by itself at monotonic `now` (application pings). Cheap; called often."""

    def subscribe(self, asset: str) -> Sequence[Send]: ...

    def unsubscribe(self, asset: str) -> Sequence[Send]: ...
