"""The outside as actors see it: Protocols that adapters in `runtime/` fill and tests double.

Every adapter is made in its actor's own thread and used by it alone. Every call has a deadline.
An outage shows as a raised `LinkDown` or `StoreUnavailable`, never as a wrong answer.
"""

from tickwire.actors.ports.clients import GatewayServer
from tickwire.actors.ports.errors import (
    FeedClosed,
    LinkDown,
    OutboxMissing,
    PortError,
    RedisRefused,
    SpoolFailed,
    StoreError,
    StoreMisconfigured,
    StoreRefusedRows,
    StoreUnavailable,
)
from tickwire.actors.ports.feed import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    DialFailed,
    Dialled,
    FeedConnector,
    FeedDialler,
    FeedProfile,
    FeedSocket,
    Waiter,
)
from tickwire.actors.ports.redis import (
    BufferRedis,
    Bus,
    CacheRedis,
    Link,
    Listener,
    ListPush,
    MonitorRedis,
    OutboxEntry,
    OutboxRedis,
    RefillRedis,
    RegistryRedis,
)
from tickwire.actors.ports.relay import Clock, Metrics
from tickwire.actors.ports.spool import Spool
from tickwire.actors.ports.store import CandleSource, HistoryReader, Ledger, Quarantine, Store

__all__ = [
    "BINARY",
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "BufferRedis",
    "Bus",
    "CacheRedis",
    "CandleSource",
    "Clock",
    "DialFailed",
    "Dialled",
    "FeedClosed",
    "FeedConnector",
    "FeedDialler",
    "FeedProfile",
    "FeedSocket",
    "GatewayServer",
    "HistoryReader",
    "Ledger",
    "Link",
    "LinkDown",
    "ListPush",
    "Listener",
    "Metrics",
    "MonitorRedis",
    "OutboxEntry",
    "OutboxMissing",
    "OutboxRedis",
    "PortError",
    "Quarantine",
    "RedisRefused",
    "RefillRedis",
    "RegistryRedis",
    "Spool",
    "SpoolFailed",
    "Store",
    "StoreError",
    "StoreMisconfigured",
    "StoreRefusedRows",
    "StoreUnavailable",
    "Waiter",
]
