"""Whether the Redis user may do all that the relay does, without doing any of it.

Each command is queued in a transaction that is then discarded: a server checks rights, memory and its own state when it
queues a command, and carries out nothing before EXEC.
"""

from collections.abc import Iterator
from typing import Any

import redis.exceptions

from tickwire.market.keys import GROUP, Keys
from tickwire.runtime.doctor.findings import Finding, failed, ok
from tickwire.runtime.redisio.faults import OTHER, kind_of

NOBODY = "DOCTOR"
"""Asset and producer of the keys asked for; nothing is ever kept there."""

Command = tuple[str | int, ...]

_REMEDIES = {
    "out of memory": "raise maxmemory (docs/operations.md, Redis)",
    "read-only": "name the primary with --redis, or promote this one (REPLICAOF NO ONE)",
    "misconf": "make room on its disk and let it write its folder",
    "no permission": (
        "ACL SETUSER NAME ~ticks:* ~historical:* ~tickwire:* &updates:* &market_data &system_status &tickwire:* "
        "+@read +@write +@pubsub +@transaction +@connection +info +time"
    ),
}


def commands(keys: Keys) -> Iterator[Command]:
    """One of each command that the relay sends, on keys and channels like those it uses."""
    ticks, epoch, cached = keys.ticks(NOBODY), keys.epoch(NOBODY), keys.historical(NOBODY, "1m")
    outbox, acked = keys.outbox(NOBODY), keys.acked(NOBODY)
    yield "DEL", ticks
    yield "LPUSH", ticks, "x"
    yield "LTRIM", ticks, 0, 0
    yield "LINDEX", ticks, 0
    yield "LRANGE", ticks, 0, 0
    yield "HSET", epoch, "seq", 0
    yield "HMGET", epoch, "seq"
    yield "HSET", keys.assets, NOBODY, "{}"
    yield "HKEYS", keys.assets
    yield "GET", cached
    yield "SETEX", cached, 1, "[]"
    yield "GET", acked
    yield "SET", acked, "0-0"
    yield "XGROUP", "CREATE", outbox, GROUP, 0, "MKSTREAM"
    yield "XADD", outbox, "NOMKSTREAM", "1-1", "p", "x"
    yield "XREADGROUP", "GROUP", GROUP, "writer", "COUNT", 1, "STREAMS", outbox, ">"
    yield "XAUTOCLAIM", outbox, GROUP, "writer", 60_000, "0-0", "COUNT", 1
    yield "XACK", outbox, GROUP, "1-1"
    yield "XPENDING", outbox, GROUP
    yield "XINFO", "STREAM", outbox
    yield "XLEN", outbox
    yield "XTRIM", outbox, "MINID", "=", "1-1"
    for channel in (keys.updates(NOBODY), keys.market_data, keys.system_status, keys.heartbeat, keys.candles):
        yield "PUBLISH", channel, "x"


def check_rights(server: Any, keys: Keys) -> Iterator[Finding]:
    """Of a server that answers."""
    refused: dict[str, list[str]] = {}
    asked = list(commands(keys))
    for command, answer in zip(asked, _queued(server, asked), strict=True):
        if answer is not None:
            refused.setdefault(_kind(answer), []).append(f"{command[0]} {command[1]}")
    for kind, what in refused.items():
        seen = f"{kind}: {', '.join(what[:4])}{f' and {len(what) - 4} more' if len(what) > 4 else ''}"
        yield failed("redis rights", seen, _REMEDIES.get(kind, "upgrade it to Redis 6.2 or newer, or Valkey"))
    if not refused:
        yield ok("redis rights", f"all {len(asked)} commands are allowed and taken")


def _queued(server: Any, asked: list[Command]) -> list[str | None]:
    """For each command why it was not queued, None where it was."""
    connection = server.connection_pool.get_connection()
    try:
        answers = [_ask(connection, command) for command in (("MULTI",), *asked, ("DISCARD",))]
    finally:
        connection.disconnect()  # whatever came in between: no transaction stays open
        server.connection_pool.release(connection)
    return [answers[0] or answer for answer in answers[1:-1]]


def _ask(connection: Any, command: Command) -> str | None:
    connection.send_command(*command)
    try:
        connection.read_response(disconnect_on_error=False)
    except redis.exceptions.NoPermissionError as error:
        return f"NOPERM {error}"  # redis-py takes the code off
    except redis.exceptions.OutOfMemoryError as error:
        return f"OOM {error}"
    except redis.exceptions.ReadOnlyError as error:
        return f"READONLY {error}"
    except redis.exceptions.ResponseError as error:
        return str(error)
    return None


def _kind(answer: str) -> str:
    kind = kind_of(answer)
    return answer if kind == OTHER else kind
