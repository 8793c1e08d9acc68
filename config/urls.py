"""What `--feed`, `--redis` and `--store` mean: URLs taken apart, checked, and fit for showing.

`parse_feed`, `parse_replay`, `parse_redis` and `parse_store` give frozen values or raise UrlError; `mask` hides the
credentials of any URL.
"""

from tickwire.config.feed_urls import (
    DEFAULT_ASSETS,
    DEFAULT_FEED,
    ChromeFeed,
    FeedUrl,
    JsonFeed,
    PocketOptionFeed,
    PushFeed,
    ReplayFeed,
    SimulatedFeed,
    parse_feed,
    parse_replay,
)
from tickwire.config.server_urls import (
    EmbeddedRedis,
    PostgresStore,
    RedisServer,
    RedisUrl,
    SqliteStore,
    StoreUrl,
    SupabaseStore,
    parse_redis,
    parse_store,
)
from tickwire.config.url_parts import UrlError, mask

__all__ = [
    "DEFAULT_ASSETS",
    "DEFAULT_FEED",
    "ChromeFeed",
    "EmbeddedRedis",
    "FeedUrl",
    "JsonFeed",
    "PocketOptionFeed",
    "PostgresStore",
    "PushFeed",
    "RedisServer",
    "RedisUrl",
    "ReplayFeed",
    "SimulatedFeed",
    "SqliteStore",
    "StoreUrl",
    "SupabaseStore",
    "UrlError",
    "mask",
    "parse_feed",
    "parse_redis",
    "parse_replay",
    "parse_store",
]
