"""What Gateway and its server say to each other about clients.

The server (event loop, sockets) asks; Gateway (the actor) knows the market and answers. Gateway's posts reach the
loop in the order in which they were made: a `Joined` with its snapshot stands between the ticks before and after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tickwire.messages.addressing import ReplyTo
from tickwire.messages.lifecycle import FeedChanged, LinkChanged
from tickwire.messages.telemetry import BacklogMeasured, BatchStored

# -- server → Gateway ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a client stands in an asset's ticks."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelWanted:
    """Server → Gateway: a client wants an asset's ticks, or its candles of one timeframe. Joined or Refused answers."""

    incarnation: int
    """Of Gateway and its server: a client does not outlive them, but messages about it may."""
    client: int
    ticket: int
    """Of this one request: an answer to one that was withdrawn since is known by it."""
    asset: str
    timeframe: str | None
    """Canonical spelling; None for ticks."""
    since: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsLeft:
    """Server → Gateway: a client wants an asset no more; `asset` None: it has gone."""

    incarnation: int
    client: int
    asset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopEchoed:
    """Server → Gateway, the answer to a probe: the event loop turns. Counts since the last one."""

    incarnation: int
    clients: int
    frames_sent: int
    ticks_conflated: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksRequested:
    """Server → Gateway: an asset's newest ticks. Answered by TicksAnswered or AssetUnknown."""

    asset: str
    limit: int
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksAnswered:
    """Gateway → asker: ticks oldest first, each as JSON (contract: Redis tick)."""

    asset: str
    ticks: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetUnknown:
    """Gateway → asker: neither announced by a feed nor ever seen."""

    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetsRequested:
    """Server → Gateway: all assets. Answered by AssetsAnswered."""

    announced: bool
    """Also those that a feed listed and that have no tick yet."""
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetState:
    """One asset now. Fields are None where it has no tick yet."""

    asset: str
    source: str | None
    price: float | None
    timestamp: float | None
    seq: int | None
    epoch: str | None
    rate: float
    """Ticks a second, over the last ten."""
    stale: bool
    buffered: int
    """Ticks in its buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetsAnswered:
    """Gateway → asker: by name."""

    assets: Sequence[AssetState]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRequested:
    """Server → Gateway: how feeds, Redis and store are. Answered by StateAnswered."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class StateAnswered:
    """Gateway → asker."""

    feeds: Sequence[FeedChanged]
    links: Sequence[LinkChanged]
    last_asset: str | None
    last_ts_us: int | None
    stored: BatchStored | None
    """The last batch."""
    backlog: BacklogMeasured | None
    quarantined: int
    selected: Mapping[str, str]
    """Feed → the asset that the trader's page shows, of feeds that can see one."""
    stored_at: Mapping[str, float]
    """Asset → when, in seconds UTC, the last batch with ticks of it was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisInfoRequested:
    """Server → MetricsCollector: Redis' INFO, read now. Answered by RedisInfoAnswered."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisInfoAnswered:
    """MetricsCollector → asker: INFO's fields as Redis spells them, or `error` says why there are none."""

    info: Mapping[str, str]
    error: str | None = None


# -- Gateway → server ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The client is on the channel from here on; `payload` is its `subscribed` message."""

    client: int
    ticket: int
    asset: str
    timeframe: str | None
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The client is not on the channel; `payload` is its `error` message."""

    client: int
    ticket: int
    asset: str
    timeframe: str | None
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksOut:
    """Ticks of an asset that somebody watches: `rows` is `[seq,timestamp,price],…`, without the outer brackets."""

    asset: str
    source: str
    epoch: str
    first_seq: int
    last_seq: int
    ts_us: int
    """The last one's."""
    rows: bytes
    prices: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapOut:
    """Ticks that nobody has any more: `payload` is the `gap` message."""

    asset: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleOut:
    """A candle as it is now; a later one with the same timestamp takes its place."""

    asset: str
    timeframe: str
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOut:
    """For all clients, and for each that connects: `payload` is the `status` message."""

    payload: bytes


ToServer = Joined | Refused | TicksOut | GapOut | CandleOut | StatusOut
ToGateway = ChannelWanted | ChannelsLeft | LoopEchoed | TicksRequested | AssetsRequested | StateRequested
