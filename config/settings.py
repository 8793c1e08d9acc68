"""Every setting with its type, default and limits. Values only: nothing here reads a file or the environment.

`Settings()` is the default set-up; a host gives what differs: `Settings(batch=BatchSettings(interval_s=5))`.
`config.loader` fills one from flags, environment and file. Bad values raise pydantic's ValidationError, which never
shows the value itself.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from tickwire.config.group import Group, comma_items, items
from tickwire.config.http_settings import HttpSettings as HttpSettings
from tickwire.config.http_settings import split_address as split_address
from tickwire.config.urls import (
    DEFAULT_FEED,
    FeedUrl,
    PocketOptionFeed,
    PostgresStore,
    RedisServer,
    RedisUrl,
    StoreUrl,
    SupabaseStore,
    parse_feed,
    parse_redis,
    parse_store,
)
from tickwire.market.keys import Keys
from tickwire.market.values import good_asset

MIB = 1024 * 1024

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_PLACEHOLDERS = {
    "ticks_template": {"asset"},
    "updates_template": {"asset"},
    "historical_template": {"asset", "timeframe"},
    "epoch_template": {"asset"},
    "outbox_template": {"producer"},
    "acked_template": {"producer"},
}


def _feeds(value: Any) -> Any:
    return items(value, "\n")


def _checked_feeds(urls: tuple[str, ...]) -> tuple[str, ...]:
    if not urls:
        raise ValueError("names no feed; leave it out for the simulated one")
    for url in urls:
        parse_feed(url)
    return urls


def _checked_assets(assets: tuple[str, ...]) -> tuple[str, ...]:
    for asset in assets:
        if not good_asset(asset):
            raise ValueError(f"{asset[:40]!r} is no asset; write 1 to 20 of A-Z a-z 0-9 # . _ / -, commas between")
    return tuple(dict.fromkeys(assets))


def _checked_redis(url: str) -> str:
    parse_redis(url)
    return url


def _checked_store(url: str) -> str:
    parse_store(url)
    return url


class RedisSettings(Group):
    url: Annotated[str, AfterValidator(_checked_redis), Field(repr=False)] = "embedded:"
    """embedded:, redis://… or rediss://…; may hold a password."""
    timeout_s: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 2.0
    """Of a round trip."""

    @property
    def parsed(self) -> RedisUrl:
        return parse_redis(self.url)


class StoreSettings(Group):
    url: Annotated[str, AfterValidator(_checked_store), Field(repr=False)] = "sqlite:"
    """sqlite:PATH (no path: `ticks.db` in the data directory), postgresql://… or supabase+https://…"""

    @property
    def parsed(self) -> StoreUrl:
        return parse_store(self.url)


class BatchSettings(Group):
    interval_s: Seconds = 30.0
    """Between writes to the store."""
    early_ticks: Annotated[int, Field(ge=1)] = 20_000
    """So many pending ticks are written without waiting for the interval."""


class BufferSettings(Group):
    size: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Ticks kept in each `ticks:{asset}`."""


class CacheSettings(Group):
    ttl_s: Annotated[int, Field(ge=1)] = 3600
    """Lifetime of `historical:{asset}:{timeframe}`."""
    size: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Candles kept in each."""


class OutboxSettings(Group):
    window_entries: Annotated[int, Field(ge=1)] = 10_000
    """Most entries in Redis' outbox stream that are not stored yet."""
    window_bytes: Annotated[int, Field(ge=MIB)] = 64 * MIB
    """Likewise in bytes."""


class SpoolSettings(Group):
    sync: Literal["normal", "full"] = "normal"
    """normal survives a killed process, full survives a power cut too (and is slower)."""
    max_bytes: Annotated[int, Field(ge=MIB)] = 4096 * MIB
    """A spool that holds more takes nothing: the feeds are left unread, and after 30 s what they bring is lost."""


class FeedSettings(Group):
    connect_timeout_s: Seconds = 5.0
    backoff_min_s: Seconds = 0.5
    """First pause before a reconnect; it doubles up to backoff_max_s."""
    backoff_max_s: Seconds = 30.0
    otc_stale_s: Seconds = 5.0
    """Silence after which an OTC asset is stale (OTC never pauses)."""
    stale_s: Seconds = 10.0
    """The shortest silence after which any other asset is; slower assets are given more."""

    @model_validator(mode="after")
    def _backoff_grows(self) -> "FeedSettings":
        if self.backoff_min_s > self.backoff_max_s:
            raise ValueError("backoff_min_s is above backoff_max_s; lower it")
        return self


class Settings(Group):
    """The whole set-up of one relay."""

    data_dir: Path = Path("tickwire-data")
    """Spool, embedded Redis' data, the default store, run.json: one run at a time."""
    feeds: Annotated[tuple[str, ...], BeforeValidator(_feeds), AfterValidator(_checked_feeds)] = (DEFAULT_FEED,)
    """Feed URLs, most trusted first; as one string: a JSON list, or one URL a line."""
    assets: Annotated[tuple[str, ...], BeforeValidator(comma_items), AfterValidator(_checked_assets)] = ()
    """Take these alone; empty takes all. As one string: commas between."""
    market_data: bool = False
    """Publish every tick on the channel `market_data` too."""
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"

    feed: FeedSettings = FeedSettings()
    redis: RedisSettings = RedisSettings()
    store: StoreSettings = StoreSettings()
    http: HttpSettings = HttpSettings()
    batch: BatchSettings = BatchSettings()
    buffer: BufferSettings = BufferSettings()
    cache: CacheSettings = CacheSettings()
    outbox: OutboxSettings = OutboxSettings()
    spool: SpoolSettings = SpoolSettings()
    keys: Keys = Keys()
    """Names of Redis keys and channels."""

    pocketoption_session: SecretStr | None = None
    """The session id, or the whole `42["auth",…]` text."""
    supabase_service_role_key: SecretStr | None = None
    supabase_anon_key: SecretStr | None = None

    @property
    def parsed_feeds(self) -> tuple[FeedUrl, ...]:
        return tuple(parse_feed(url) for url in self.feeds)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret text in these settings, for masking."""
        found = [
            secret.get_secret_value()
            for secret in (
                self.pocketoption_session,
                self.supabase_service_role_key,
                self.supabase_anon_key,
                self.http.token_secret,
            )
            if secret is not None
        ]
        if self.pocketoption_session is not None:
            found += re.findall(r'"session"\s*:\s*"([^"]+)"', self.pocketoption_session.get_secret_value())
        redis, store = self.redis.parsed, self.store.parsed
        if isinstance(redis, RedisServer) and redis.password:
            found.append(redis.password)
        if isinstance(store, PostgresStore) and (password := re.search(r"://[^:@/]*:(.+)@", store.dsn)):
            found += [password[1], unquote(password[1])]
        return tuple(found)

    @field_validator("keys")
    @classmethod
    def _templates_have_their_placeholders(cls, keys: Keys) -> Keys:
        for name, placeholders in _PLACEHOLDERS.items():
            template: str = getattr(keys, name)
            wanted = " and ".join(f"{{{placeholder}}}" for placeholder in sorted(placeholders))
            try:
                # Each placeholder must show in the key, or two assets would share one.
                filled = template.format(**{placeholder: f"<{placeholder}>" for placeholder in placeholders})
                complete = all(f"<{placeholder}>" in filled for placeholder in placeholders)
            except (AttributeError, LookupError, ValueError):
                complete = False
            if not complete:
                raise ValueError(f"{name} {template!r} must hold {wanted} and no other braces than doubled ones")
        return keys

    @model_validator(mode="after")
    def _secrets_are_there(self) -> "Settings":
        missing = []
        if self.pocketoption_session is None and any(isinstance(feed, PocketOptionFeed) for feed in self.parsed_feeds):
            missing.append(
                "pocketoption_session: a pocketoption feed needs it; set TICKWIRE_POCKETOPTION_SESSION, "
                "or TICKWIRE_POCKETOPTION_SESSION_FILE to a file that holds it"
            )
        keys = (self.supabase_service_role_key, self.supabase_anon_key)
        if keys == (None, None) and isinstance(self.store.parsed, SupabaseStore):
            missing.append("supabase_service_role_key: a supabase store needs it; set SUPABASE_SERVICE_ROLE_KEY")
        if missing:
            raise ValueError("\n".join(missing))
        return self
