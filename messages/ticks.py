"""Ticks on their way in. They travel as columns per asset: an object a tick costs half the speed."""

from collections.abc import Sequence
from dataclasses import dataclass

from tickwire.messages.addressing import ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class TickColumns:
    """Live ticks of one asset in arrival order; tick i is (first_seq + i, ts_us[i], prices[i], …).

    All sequences have the same length, at least 1. Never changed once built, though lists for speed.
    """

    asset: str
    epoch: str
    first_seq: int
    offset_us: int
    """Source clock ahead of UTC: raw stamp = ts_us + offset_us."""
    ts_us: Sequence[int]
    """Whole microseconds UTC."""
    stamps: Sequence[str]
    """The raw stamp as the wire spelled it (`repr` of a number): an ingredient of the uid."""
    prices: Sequence[str]
    """Decimal text, at most 15 significant digits and 10 decimals, no exponent."""
    ordinals: Sequence[int]
    """How many ticks of the asset with equal (stamp, price) came before; 0 where stamps are unique."""
    trade_ids: Sequence[str] | None = None
    """The venue's own ids, which replace the ordinal in the uid; None where the venue has none."""
    encoded: Sequence[bytes]
    """Each tick's JSON (contract: Redis tick) as a RESP bulk string, `$<length>\\r\\n<json>\\r\\n`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryColumns:
    """Ticks of one asset from the broker's history: no seq, no epoch, never published. Same columns as live ones."""

    asset: str
    offset_us: int
    ts_us: Sequence[int]
    stamps: Sequence[str]
    prices: Sequence[str]
    ordinals: Sequence[int]
    trade_ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerCandles:
    """Candles the broker itself sent, ascending: `rows[i] = (opening second UTC, open, high, low, close)`."""

    asset: str
    period_s: int
    rows: Sequence[tuple[int, float, float, float, float]]


RECEIVED = "received"
DUPLICATE = "duplicate"
BAD_CANDLE = "bad_candle"
LOST = "lost: "
LOST_IN_SPOOL = f"{LOST}spool: it took nothing for too long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many ticks of an asset met one fate since the sender's last message.

    `received`: arrived, and what became of them is told with this message; `duplicate`; else the reason for which they
    were rejected (`bad_price`, …), or behind `lost: ` where and why they were lost. `bad_candle` alone counts candles
    of the broker's, not ticks.
    """

    asset: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksReceived:
    """TickIngestor → BufferKeeper, Publisher, CacheManager, Gateway: one read of the feed. Not safe to lose.

    `number` counts the messages of `sender`, from 1, over its restarts within one run of the process. One that only
    holds `counts`, without a tick, goes to BufferKeeper alone.
    """

    sender: str
    number: int
    feed: str
    source: str
    recv_us: int
    ticks: int
    columns: Sequence[TickColumns]
    counts: Sequence[Count] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReceived:
    """TickIngestor → BufferKeeper, CacheManager: history the broker sent. Not safe to lose."""

    sender: str
    number: int
    feed: str
    source: str
    recv_us: int
    ticks: int
    columns: Sequence[HistoryColumns]
    candles: Sequence[BrokerCandles] = ()
    counts: Sequence[Count] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksLost:
    """The host → BufferKeeper: a message of ticks went from its mailbox to the dead letters. Put on record.

    Losing it costs the record, not a tick.
    """

    message: TicksReceived | BackfillReceived
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksAccepted:
    """BufferKeeper → BatchWriter, MetricsCollector: so many ticks are committed in the spool. Safe to lose."""

    ticks: int
    rows: int
    pending_entries: int
    """Outbox entries forwarded and not yet acknowledged."""
    commit_seconds: float | None = None
    forward_seconds: float | None = None
    """The round trip that took the same rows to Redis; None where Redis did not take them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRequested:
    """TickIngestor → BufferKeeper: may this feed supply the asset? Answered by AssetGranted or AssetRefused."""

    asset: str
    feed: str
    incarnation: str
    """Unique per start of the ingestor and per time that it gave its assets up. Asked again it gets the same answer."""
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetGranted:
    """BufferKeeper → TickIngestor: go on with `epoch` from `next_seq`."""

    asset: str
    feed: str
    incarnation: str
    """The request's: an answer to one that was given up grants nothing."""
    epoch: str
    next_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRefused:
    """BufferKeeper → TickIngestor: another feed owns the asset; its ticks count as `not_owner`."""

    asset: str
    feed: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetReleased:
    """BufferKeeper → every TickIngestor: the owner has been down for 60 s, another feed may ask again."""

    asset: str


BufferKeeperTicks = TicksReceived | BackfillReceived | AssetRequested
