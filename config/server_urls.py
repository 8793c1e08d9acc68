"""What `--redis` and `--store` mean. Pure: nothing is opened, looked up or read from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from tickwire.config.url_parts import Known, UrlError, authority, mask, options, split_url, strange

_REDIS_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_LIBPQ = (
    "application_name", "channel_binding", "connect_timeout", "keepalives", "keepalives_idle", "options",
    "sslcert", "sslkey", "sslmode", "sslrootcert", "target_session_attrs",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedRedis:
    """`embedded:`: a server of our own."""

    @property
    def masked(self) -> str:
        return "embedded:"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """A `redis://` or `rediss://` server. The password never shows in `repr` or `masked`."""

    host: str
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Mapping[str, str] | None = None
    """redis-py's names of TLS files; None for a plain connection."""

    @property
    def masked(self) -> str:
        secret = ":***" if self.password is not None else ""
        login = f"{quote(self.username or '', safe='')}{secret}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "redis" if self.tls is None else "rediss"
        return f"{scheme}://{login + '@' if login else ''}{host}:{self.port}/{self.db}"


RedisUrl = EmbeddedRedis | RedisServer


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteStore:
    path: str | None = None
    """None: `ticks.db` in the data directory."""

    @property
    def masked(self) -> str:
        return f"sqlite:{self.path or ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresStore:
    dsn: str = field(repr=False)
    """As libpq takes it."""

    @property
    def masked(self) -> str:
        return mask(self.dsn)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupabaseStore:
    url: str
    """The project's `https://…`; its key comes from the environment or a file."""

    @property
    def masked(self) -> str:
        return f"supabase+{self.url}"


StoreUrl = SqliteStore | PostgresStore | SupabaseStore


def parse_redis(url: str) -> RedisUrl:
    """What `--redis` means. Raises UrlError."""
    scheme, path, query = split_url(url)
    if scheme == "embedded":
        if path or query:
            raise UrlError("embedded: takes nothing after its colon; the server's data is in --data-dir")
        return EmbeddedRedis()
    if scheme not in ("redis", "rediss"):
        known = "embedded:, redis://HOST:PORT/DB, rediss://HOST:PORT/DB"
        raise UrlError(f"redis: {strange(scheme, url)}; known are {known}")
    parts = authority("redis", scheme, path)
    values = options(scheme, query, _REDISS if scheme == "rediss" else _REDIS)
    database = values.pop("db", None) or _whole(parts.path.strip("/") or "0")
    return RedisServer(
        host=unquote(parts.hostname or ""),
        port=parts.port or 6379,
        db=database,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else None,
        tls=values if scheme == "rediss" else None,
    )


def parse_store(url: str) -> StoreUrl:
    """What `--store` means. Raises UrlError."""
    scheme, path, query = split_url(url)
    if scheme == "sqlite":
        options(scheme, query, {})
        return SqliteStore(path=path or None)
    if scheme == "postgresql":
        authority("store", scheme, path)
        options(scheme, query, {name: (name, str) for name in _LIBPQ})
        return PostgresStore(dsn=url)
    if scheme in ("supabase+https", "supabase+http"):
        parts = authority("store", scheme, path)
        if parts.username is not None:
            raise UrlError("supabase: no credentials in the URL; set SUPABASE_SERVICE_ROLE_KEY")
        options(scheme, query, {})
        return SupabaseStore(url=f"{scheme.removeprefix('supabase+')}:{path}".rstrip("/"))
    known = "sqlite:PATH, postgresql://HOST/DB, supabase+https://PROJECT.supabase.co"
    raise UrlError(f"store: {strange(scheme, url)}; known are {known}")


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UrlError("redis: the database is a whole number; write redis://HOST:PORT/0")
    return int(text)


def _text(text: str) -> str:
    if not text:
        raise ValueError("write something after the =")
    return text


_REDIS: Known = {"db": ("db", _whole)}
_REDISS: Known = {**_REDIS, **{name: (name, _text) for name in _REDIS_TLS}}
