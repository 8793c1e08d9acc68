"""The outside as actors see it: Protocols that adapters in `runtime/` fill and tests double.

Every adapter is made in its actor's own thread and used by it alone. Every call has a deadline.
An outage shows as a raised `LinkDown` or `StoreUnavailable`, never as a wrong answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tickwire.market.candle_rows import CandleRow
from tickwire.market.ledger import EntryPostings
from tickwire.market.ownership import EpochRecord
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.messages.clients import ToServer
from tickwire.messages.history import StoreQuestion
from tickwire.messages.lifecycle import LinkState
from tickwire.messages.telemetry import Telemetry
from tickwire.messages.ticks import TickColumns


class PortError(Exception):
    """Root of what adapters raise to actors. Each says what is wrong and, where there is one, the remedy."""


class LinkDown(PortError):
    """Redis can't be used now. The link has left `up` and reconnects by itself; `detail` names the fault."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RedisRefused(PortError):
    """Redis answered and refused; `kind` names the fault (`read-only`, `out of memory`, `no permission`, …)."""

    def __init__(self, kind: str, answer: str) -> None:
        super().__init__(f"{kind}: {answer}")
        self.kind = kind
        self.answer = answer


class OutboxMissing(PortError):
    """The outbox stream or its group is gone."""


class StoreError(PortError):
    """Root of what a store raises; see the three below."""


class StoreUnavailable(StoreError):
    """Transient: try the same rows again. `retry_after_s` where the store said it; `timed_out` halves the batch."""

    def __init__(self, detail: str, *, retry_after_s: float | None = None, timed_out: bool = False) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.timed_out = timed_out


class StoreRefusedRows(StoreError):
    """At least one of the rows is bad data (`code` is the store's own); which one shows by bisection."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class StoreMisconfigured(StoreError):
    """Rights, table or columns are wrong: hold everything, alarm. The text names the remedy."""


class Clock(Protocol):
    def now_us(self) -> int:
        """Wall clock, whole microseconds UTC."""

    def monotonic(self) -> float:
        """Seconds that never step."""


# -- store ---------------------------------------------------------------------------------------------------------


class Store(Protocol):
    """The durable target. Calls take at most 10 s (4 s while hurried, see `hurry`), then raise StoreUnavailable."""

    slice_rows: int
    """Rows a call should take when spread (SQLite 50: a long turn would hold up the hot path)."""
    batch_rows: int
    """Rows a call may take when catching up."""

    def open(self) -> None:
        """Connect, check the schema. Raises StoreUnavailable or StoreMisconfigured; may be called again."""

    def write(self, rows: Sequence[Row]) -> int | None:
        """Make all rows present, atomically; a row whose uid is there already is left alone.

        Returns how many were new, None where the store doesn't tell. Raises a StoreError; then either all
        rows are present or (as far as is known) none.
        """

    def ticks(
        self, pair: str, from_us: int, to_us: int, limit: int
    ) -> Sequence[tuple[int, str]]:  # (ts_us, price text)
        """Ticks with from_us <= ts_us < to_us, ascending by (ts_us, insertion), at most the newest `limit`.

        Rows of old writers have no ts_us: their whole second counts.
        """

    def newest_ts_us(self, pair: str) -> int | None:
        """The newest tick's stamp of an asset, None if it has none."""

    def write_candles(self, rows: Sequence[CandleRow]) -> int | None:
        """Make all candles present, atomically; of two states of one candle the better known stays.

        Which is better says `market.candle_rows.worth`: so an older state that comes again never replaces a newer.
        Returns how many were new or better, None where the store doesn't tell. Raises as `write` does; a store that
        has no table of candles is StoreMisconfigured.
        """

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        """Closed candles with from_ts <= timestamp < until_ts (seconds UTC), ascending, at most the newest `limit`.

        Raises as `ticks` does; a store that has no table of candles is StoreMisconfigured.
        """

    def hurry(self, hurried: bool) -> None:
        """Whether calls from now on take at most 4 s, because somebody waits for them, or 10 s."""

    def close(self) -> None: ...


class Quarantine(Protocol):
    """Rows that the store refused, kept in the data directory with the reason. Durable when `put` returns.

    Raises StoreUnavailable where its disk takes nothing: the batch waits, as for the store.
    """

    def put(self, rows: Sequence[Row], reason: str) -> None: ...

    def put_raw(self, entry_id: str, payload: bytes, reason: str) -> None:
        """An outbox entry that can't be unpacked."""

    def close(self) -> None: ...


class Ledger(Protocol):
    """What became of every tick, in the data directory. Durable when `post` returns.

    Raises StoreUnavailable where its disk takes nothing: the acknowledgement waits, as for the store.
    """

    def post(self, entries: Sequence[EntryPostings]) -> None:
        """Add what these entries of the spool come to; one that was added before changes nothing."""

    def close(self) -> None: ...


# -- spool ---------------------------------------------------------------------------------------------------------


class SpoolFailed(PortError):
    """The local disk took nothing: nothing of the call was committed, and none of it may be called accepted."""


class Spool(Protocol):
    """Accepted ticks that are not yet stored, on local disk. Rows are numbered for ever upwards."""

    @property
    def boot_ms(self) -> int:
        """First half of outbox entry ids: max(clock, last boot + 1), kept on disk."""

    @property
    def last_boot_ms(self) -> int:
        """The boot id in force before this spool was opened; 0 where there was none."""

    def new_boot(self) -> int:
        """Take a new boot id (the stream was lost). Raises SpoolFailed."""

    def taken(self) -> Mapping[str, int]:
        """The last message number committed of each sender."""

    def commit(self, entries: Sequence[bytes], taken: Mapping[str, int]) -> range:
        """Append entries and the senders' last numbers in one transaction; returns their row numbers."""

    def read(self, after_row: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Rows above `after_row`, ascending, at most `limit`."""

    def forget(self, through_row: int) -> None:
        """Delete rows up to and with `through_row`: the store has them. Raises SpoolFailed; they are kept then."""

    @property
    def first_row(self) -> int:
        """The oldest row held, or the next to be written where none is."""

    @property
    def last_row(self) -> int:
        """The newest row ever written."""

    @property
    def size_bytes(self) -> int:
        """What the rows held weigh."""

    def sync(self) -> None:
        """Force everything committed to the disk."""

    def close(self) -> None: ...


# -- Redis ---------------------------------------------------------------------------------------------------------


class Link(Protocol):
    """One actor's own connection to Redis: a state machine connecting → up → degraded → up …

    It connects and reconnects in a helper thread with capped, jittered backoff and tells each change to the
    listener it was built with, from that thread. `up` may be read by the owner at any time.
    """

    @property
    def state(self) -> LinkState: ...

    @property
    def detail(self) -> str: ...

    @property
    def up(self) -> bool: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


class Bus(Protocol):
    """Publisher's Redis."""

    @property
    def link(self) -> Link: ...

    def publish_ticks(self, columns: Sequence[TickColumns]) -> None:
        """Publish each tick as one message on its asset's channel, in order, in one round trip."""

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish (channel, payload) pairs in one round trip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPush:
    """New ticks of one asset for `ticks:{asset}`, oldest first as RESP bulk strings, and its epoch's state after."""

    asset: str
    encoded: Sequence[bytes]
    epoch: str
    seq: int
    rewrite: bool = False
    """Replace the whole list (after an outcome unknown) instead of pushing onto it."""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    id: str
    payload: bytes


class BufferRedis(Protocol):
    """BufferKeeper's Redis: buffer lists, epoch hashes, its outbox stream."""

    @property
    def link(self) -> Link: ...

    def epoch(self, asset: str) -> EpochRecord: ...

    def mark(self, asset: str, epoch: str, seq: int, *, clean: bool, boot_ms: int) -> None:
        """Set the epoch hash."""

    def forward(self, pushes: Sequence[ListPush], entries: Sequence[OutboxEntry], after: str | None = None) -> None:
        """Push the lists and append the entries, in order and all or none, in one round trip.

        An id "equal or smaller" counts as already in. `after` is the id that the stream must have come to already: a
        server that was replaced by an older copy of itself would take the entries and leave a hole before them. Raises
        OutboxMissing (nil append, or `after` is not reached), LinkDown (outcome unknown: rewrite the lists, append
        again), RedisRefused.
        """

    def make_outbox(self) -> None:
        """Create stream and group if they are not there."""

    def newest(self, asset: str) -> Sequence[bytes]:
        """The buffer list as it is in Redis, newest first, JSON each."""

    def outbox_length(self) -> int:
        """Entries in the stream: forwarded and not yet stored and trimmed."""

    def last_generated_id(self) -> str | None:
        """The stream's last id ever generated, None where there is no stream."""

    def acked_id(self) -> str | None:
        """`tickwire:acked:{producer}`: everything at or below it is stored."""


class OutboxRedis(Protocol):
    """BatchWriter's Redis: the outbox stream as a consumer of its group."""

    @property
    def link(self) -> Link: ...

    def read_own_pending(self, after_id: str, limit: int) -> Sequence[OutboxEntry]:
        """Entries delivered to this consumer before and never acknowledged. Raises OutboxMissing."""

    def read_new(self, limit: int) -> Sequence[OutboxEntry]:
        """Entries never delivered yet; returns at once, empty if none. Raises OutboxMissing."""

    def claim_stale(self, min_idle_s: float, limit: int) -> Sequence[OutboxEntry]:
        """Take over what a dead consumer left pending."""

    def acknowledge(self, ids: Sequence[str]) -> None:
        """Ack the ids, advance `tickwire:acked:{producer}` to the highest id with nothing pending at or
        below it, and trim the stream below that."""

    def settle(self) -> None:
        """Advance floor and trim to what is acknowledged already: an acknowledgement may have been cut half way."""

    def backlog(self) -> int:
        """Entries in the stream, stored or not."""


class CacheRedis(Protocol):
    """CacheManager's Redis: `historical:{asset}:{timeframe}`."""

    @property
    def link(self) -> Link: ...

    def put(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        """Set (asset, timeframe, JSON array) each with the cache's time to live."""

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Sequence[bytes | None]:
        """What is set for each (asset, timeframe), in their order, in one round trip."""


class HistoryReader(Protocol):
    """Reads candles out of the store on a thread of its own, which runs from when it is made.

    It tells its actor one HistoryLoaded or TicksLoaded a question, and ReaderEnded if the thread ends by itself.
    """

    def read(self, question: StoreQuestion) -> None:
        """Ask; never blocks. Questions are answered side by side: a short one does not wait for a long one."""

    def close(self) -> None:
        """End without waiting for a call under way; what it would still tell is not told. Idempotent."""


class CandleSource(Protocol):
    """Reads out of the store, on a thread of its own, what an earlier run has left there; nobody waits for it.

    It tells its actor CandlesRestored or TicksRestored, or nothing where there is nothing or the store can't be asked.
    """

    def candles(self, asset: str, timeframe: str, limit: int) -> None:
        """Ask for the last candles; never blocks."""

    def ticks(self, asset: str, from_us: int, until_us: int) -> None:
        """Ask for the ticks with from_us <= ts_us < until_us; never blocks."""

    def close(self) -> None:
        """End without waiting for a call under way; what it would still tell is not told. Idempotent."""


class RegistryRedis(Protocol):
    """TickIngestor's Redis: the hash `tickwire:assets`."""

    @property
    def link(self) -> Link: ...

    def register(self, assets: Mapping[str, bytes]) -> None:
        """Set asset → JSON {feed, source, name, kind}."""


class MonitorRedis(Protocol):
    """MetricsCollector's Redis: INFO and `system_status`."""

    @property
    def link(self) -> Link: ...

    def info(self) -> Mapping[str, str]:
        """INFO's fields as text; empty where the server has no INFO (fakeredis)."""

    def publish_status(self, payload: bytes) -> None: ...


class RefillRedis(Protocol):
    """Gateway's Redis: what the buffers hold, for clients that come back and for the time after a start."""

    @property
    def link(self) -> Link: ...

    def newest(self, asset: str) -> Sequence[bytes]:
        """The asset's buffer list, newest first, JSON each; empty where there is none."""

    def assets(self) -> Sequence[str]:
        """All assets ever registered."""


# -- clients -------------------------------------------------------------------------------------------------------


class GatewayServer(Protocol):
    """HTTP and WebSocket on an event loop thread of its own. It tells the actor `messages.clients.ToGateway`.

    Its listening socket is lent to it: the port stays open over its end.
    """

    def start(self) -> None:
        """Return once it accepts."""

    def post(self, items: Sequence[ToServer], /) -> None:
        """Hand over to the loop, in this order; never blocks."""

    def probe(self) -> None:
        """Ask the loop for a LoopEchoed."""

    def stuck_at(self) -> str:
        """The stack of the loop's thread, for the log when it answers no probe."""

    def close(self) -> None:
        """Send clients away with 1001 and end, within two seconds; idempotent."""


# -- metrics -------------------------------------------------------------------------------------------------------


class Metrics(Protocol):
    """The registry that MetricsCollector fills. It outlives incarnations: a counter never falls while the relay lives.

    Filled in the actor's thread, read in any.
    """

    def record(self, message: Telemetry) -> None:
        """Take one message into counters, gauges and histograms."""

    def redis_info(self, info: Mapping[str, str]) -> None:
        """INFO's fields as just read; empty where nothing is known, which takes the old ones away."""


# -- feed ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedProfile:
    """What a TickIngestor must know of its feed."""

    name: str
    source: str
    """The venue whose frames they are; part of each tick's uid."""
    unit: str = "s"
    """Of the wire's stamps: s, ms, us or ns."""
    unique_stamps: bool = False
    estimates_offset: bool = False
    """The venue's clock is off by whole quarter hours, which is found from arrival times."""
    arrivals_from_pings: bool = False
    """A replay: pings `t=<µs>` say when the frames behind them arrived."""
    reconnects_after_end: bool = True
    """Whether a close with 1000 `ended` is a drop like any other."""
    assets: Sequence[str] = ()
    """Subscribed to once the session is open."""


TEXT: int = 1
BINARY: int = 2
CLOSE: int = 8
PING: int = 9
PONG: int = 10


class FeedClosed(PortError):
    """The feed's socket is at its end. `code` is the close frame's, None where it was cut."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class FeedSocket(Protocol):
    """A connected WebSocket client, made by a `FeedConnector`."""

    def fileno(self) -> int: ...

    def receive(self) -> Sequence[tuple[int, bytes]]:
        """Whole data, ping and pong frames of one read that does not block, as (opcode, payload); empty if none.

        Pings have been answered already; they and pongs are handed over too, as signs of life. Raises FeedClosed,
        after everything that arrived before the end has been returned.
        """

    @property
    def pending(self) -> bool:
        """Whether `receive` would find more without the socket becoming readable (TLS, buffered frames)."""

    def send(self, payload: str | bytes) -> None: ...

    def ping(self) -> None: ...

    def close(self) -> None: ...


class Waiter(Protocol):
    """Waits on one socket and on being woken (a selector beside a socket pair)."""

    def wait(self, socket: FeedSocket | None, timeout_s: float) -> None:
        """Return when `socket` (if any) is readable, when woken, or after `timeout_s`."""

    def wake(self) -> None:
        """End a wait under way, or the next one. Any thread."""

    def close(self) -> None: ...


class FeedConnector(Protocol):
    """Opens the feed's socket, with deadlines. Raises FeedClosed with the reason."""

    def connect(self) -> FeedSocket: ...


@dataclass(frozen=True, slots=True)
class Dialled:
    """A dialler's message to its actor: the socket is open."""

    socket: FeedSocket
    attempt: int


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A dialler's message to its actor: this attempt came to nothing."""

    reason: str
    attempt: int


class FeedDialler(Protocol):
    """Connects off the actor's thread, with deadlines, and tells the outcome: one Dialled or DialFailed a call."""

    def dial(self, attempt: int, tell: Callable[[object], object]) -> None: ...


Listener = Callable[[LinkState, str], None]
"""A link's listener: (state, detail), called in the link's helper thread."""

StoreKind = Literal["sqlite", "postgres", "supabase"]
