"""Redis, a Protocol an actor: each has a connection of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tickwire.market.ownership import EpochRecord
from tickwire.messages.lifecycle import LinkState
from tickwire.messages.ticks import TickColumns

Listener = Callable[[LinkState, str], None]
"""A link's listener: (state, detail), called in the link's helper thread."""


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
