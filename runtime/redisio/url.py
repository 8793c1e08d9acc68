"""What `--redis` means: a server's address, or a server of our own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

EMBEDDED = "embedded:"
DEFAULT_PORT = 6379
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_KNOWN = "embedded:, redis://HOST:PORT/DB, rediss://HOST:PORT/DB"


class BadRedisUrl(ValueError):
    """The Redis URL can't be used; the text names the part, the value and the remedy, and no password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """A `redis://` or `rediss://` URL taken apart. The password never shows in `repr` or `masked`."""

    host: str
    port: int
    db: int
    username: str | None
    password: str | None = field(repr=False)
    tls: Mapping[str, str] | None
    """redis-py's names of TLS files (`ssl_ca_certs`, …); None for a plain connection."""

    @property
    def masked(self) -> str:
        """The URL with `***` for the password: for logs, the ready line and run.json."""
        user = quote(self.username or "", safe="")
        secret = ":***" if self.password is not None else ""
        login = f"{user}{secret}@" if user or secret else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "redis" if self.tls is None else "rediss"
        return f"{scheme}://{login}{host}:{self.port}/{self.db}"


def is_embedded(url: str) -> bool:
    """Whether the URL asks for a server of our own."""
    return url.strip() == EMBEDDED


def parse_redis_url(url: str) -> RedisUrl:
    """Take a `redis://` or `rediss://` URL apart. Raises BadRedisUrl."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("redis", "rediss"):
        raise BadRedisUrl(f"redis: unknown scheme {parts.scheme or '(none)'}:, known are {_KNOWN}")
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise BadRedisUrl(f"redis: the port is not a number from 1 to 65535; write {_KNOWN}") from error
    if parts.fragment:
        raise BadRedisUrl("redis: the URL has a bare #; in a user name or password write it as %23")
    if not parts.hostname:
        raise BadRedisUrl(f"redis: the URL names no host; write {_KNOWN}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    db = _database(options.pop("db", "") or parts.path.strip("/") or "0")
    return RedisUrl(
        host=unquote(parts.hostname),
        port=port,
        db=db,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else None,
        tls=_tls(parts.scheme, options),
    )


def masked(url: str) -> str:
    """Any Redis URL fit for showing; one that can't be parsed shows its scheme only."""
    if is_embedded(url):
        return EMBEDDED
    try:
        return parse_redis_url(url).masked
    except BadRedisUrl:
        return f"{url.partition(':')[0]}:***"


def _database(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise BadRedisUrl(f"redis: the database {text!r} is not a number; write …/0, or leave it out")
    return int(text)


def _tls(scheme: str, options: Mapping[str, str]) -> Mapping[str, str] | None:
    known = TLS_OPTIONS if scheme == "rediss" else ()
    unknown = sorted(set(options) - set(known))
    if unknown:
        hint = f"rediss:// knows db, {', '.join(TLS_OPTIONS)}; redis:// knows db"
        raise BadRedisUrl(f"redis: unknown option {unknown[0]!r}; {hint}")
    return dict(options) if scheme == "rediss" else None
