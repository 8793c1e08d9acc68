"""A Redis server in memory that takes commands as bytes and answers as hiredis does: what tickwire's adapters send.

    server = RedisModel(now_ms=lambda: 0)
    session = server.session()                         # a connection: MULTI is its own
    replies = session.send(pack("SET", "a", "b") + pack("GET", "a"))

It is held to a real server, command by command (`tests/simulation/test_redis_model.py`). `watch` is told of what must
only happen to stored ticks: acknowledgements, trims, the floor.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import hiredis
from support.redis_streams import Group, Id, Stream, format_id, parse_id

Command = list[bytes]
Reply = Any
WRITES = frozenset(b"LPUSH LTRIM DEL HSET SET SETEX XADD XDEL XTRIM XACK XGROUP XREADGROUP XAUTOCLAIM FLUSHALL".split())
DENIED_WHEN_FULL = frozenset(b"LPUSH HSET SET SETEX XADD XGROUP".split())
REFUSALS = {
    "out of memory": "OOM command not allowed when used memory > 'maxmemory'.",
    "read-only": "READONLY You can't write against a read only replica.",
    "misconf": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
}


class Watch(Protocol):
    """Told before it happens."""

    def acknowledging(self, key: bytes, stream: Stream, ids: Sequence[Id]) -> None: ...
    def trimming(self, key: bytes, stream: Stream, ids: Sequence[Id]) -> None: ...
    def publishing(self, channel: bytes, payload: bytes) -> None: ...


class Unwatched:
    """A `Watch` that looks away."""

    def acknowledging(self, key: bytes, stream: Stream, ids: Sequence[Id]) -> None: ...
    def trimming(self, key: bytes, stream: Stream, ids: Sequence[Id]) -> None: ...
    def publishing(self, channel: bytes, payload: bytes) -> None: ...


class _Wrong(Exception):
    """An error reply."""


class RedisModel:
    """Data of one server. Not thread-safe."""

    def __init__(self, *, now_ms: Callable[[], int], watch: Watch | None = None) -> None:
        self.now_ms = now_ms
        self.watch: Watch = watch or Unwatched()
        self.data: dict[bytes, Any] = {}
        self.touched: set[bytes] = set()
        """Lists that changed since somebody last cleared this."""
        self.refusal: str | None = None
        """A key of REFUSALS while writes are refused."""
        self._commands: dict[bytes, Callable[[Command], Reply]] = {
            name[4:].upper().encode(): getattr(self, name) for name in dir(self) if name.startswith("_do_")
        }

    def session(self) -> "Session":
        return Session(self)

    def snapshot(self) -> dict[bytes, Any]:
        """A copy of all data, as a replica or a dump has it."""
        return {key: value.copy() if not isinstance(value, bytes) else value for key, value in self.data.items()}

    def restore(self, data: dict[bytes, Any]) -> None:
        """Go on with a snapshot's data (which is used up)."""
        self.data = data
        self.touched.update(key for key, value in data.items() if isinstance(value, list))

    def refused(self, command: Command, *, queued: bool = False) -> hiredis.ReplyError | None:
        """What a server answers that takes no writes; one that is full takes nothing at all into a transaction."""
        name = command[0].upper()
        if self.refusal is None:
            return None
        full = self.refusal == "out of memory"
        if name not in (DENIED_WHEN_FULL if full else WRITES) and not (full and queued):
            return None
        return hiredis.ReplyError(REFUSALS[self.refusal])

    def execute(self, command: Command) -> Reply:
        """Carry one command out; an error is a `hiredis.ReplyError` value."""
        action = self._commands.get(command[0].upper())
        if action is None:
            return hiredis.ReplyError(f"ERR unknown command '{command[0].decode()}'")
        try:
            return self.refused(command) or action(command)
        except _Wrong as error:
            return hiredis.ReplyError(str(error))

    def _typed(self, key: bytes, kind: type) -> Any:
        value = self.data.get(key)
        if value is not None and not isinstance(value, kind):
            raise _Wrong("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    # -- strings, hashes, lists, channels

    def _do_get(self, command: Command) -> Reply:
        return self._typed(command[1], bytes)

    def _do_set(self, command: Command) -> Reply:
        self.data[command[1]] = command[2]
        return b"OK"

    def _do_setex(self, command: Command) -> Reply:
        self.data[command[1]] = command[3]
        return b"OK"

    def _do_del(self, command: Command) -> Reply:
        return sum(self._delete(key) for key in command[1:])

    def _delete(self, key: bytes) -> bool:
        self.touched.add(key)
        return self.data.pop(key, None) is not None

    def _do_flushall(self, _: Command) -> Reply:
        self.touched.update(self.data)
        self.data.clear()
        return b"OK"

    def _do_hset(self, command: Command) -> Reply:
        fields = self._typed(command[1], dict)
        if fields is None:
            fields = self.data[command[1]] = {}
        before = len(fields)
        fields.update(zip(command[2::2], command[3::2], strict=True))
        return len(fields) - before

    def _do_hmget(self, command: Command) -> Reply:
        fields = self._typed(command[1], dict) or {}
        return [fields.get(name) for name in command[2:]]

    def _do_lpush(self, command: Command) -> Reply:
        kept = self._typed(command[1], list) or []
        self.data[command[1]] = command[:1:-1] + kept
        self.touched.add(command[1])
        return len(self.data[command[1]])

    def _do_ltrim(self, command: Command) -> Reply:
        kept = self._typed(command[1], list)
        if kept is not None:
            self.data[command[1]] = _range(kept, int(command[2]), int(command[3]))
            if not self.data[command[1]]:
                del self.data[command[1]]
            self.touched.add(command[1])
        return b"OK"

    def _do_lindex(self, command: Command) -> Reply:
        kept = self._typed(command[1], list) or []
        place = int(command[2])
        return kept[place] if -len(kept) <= place < len(kept) else None

    def _do_lrange(self, command: Command) -> Reply:
        return _range(self._typed(command[1], list) or [], int(command[2]), int(command[3]))

    def _do_publish(self, command: Command) -> Reply:
        self.watch.publishing(command[1], command[2])
        return 0

    # -- streams

    def _stream(self, key: bytes) -> Stream | None:
        found: Stream | None = self._typed(key, Stream)
        return found

    def _group(self, key: bytes, name: bytes, reading: str = "") -> tuple[Stream, Group]:
        stream = self._stream(key)
        if stream is None or name not in stream.groups:
            raise _Wrong(f"NOGROUP No such key '{key.decode()}' or consumer group '{name.decode()}'{reading}")
        return stream, stream.groups[name]

    def _do_xadd(self, command: Command) -> Reply:
        """XADD key [NOMKSTREAM] id field value"""
        key, *rest = command[1:]
        make = rest[0].upper() != b"NOMKSTREAM"
        asked, *fields = rest if make else rest[1:]
        if asked != b"*" and parse_id(asked) == (0, 0):
            raise _Wrong("ERR The ID specified in XADD must be greater than 0-0")
        stream = self._stream(key)
        if stream is None and not make:
            return None
        written = stream or Stream()
        answer = written.add(asked, fields, self.now_ms())
        if isinstance(answer, bytes):
            self.data[key] = written
        return answer

    def _do_xdel(self, command: Command) -> Reply:
        stream = self._stream(command[1])
        return stream.delete([parse_id(place) for place in command[2:]]) if stream else 0

    def _do_xlen(self, command: Command) -> Reply:
        stream = self._stream(command[1])
        return len(stream.entries) if stream else 0

    def _do_xtrim(self, command: Command) -> Reply:
        """XTRIM key MINID|MAXLEN [=|~] threshold; `~` trims as `=` does."""
        stream = self._stream(command[1])
        if stream is None:
            return 0
        if command[2].upper() == b"MINID":
            gone = stream.below(parse_id(command[-1]))
        else:
            gone = list(stream.entries)[: max(0, len(stream.entries) - int(command[-1]))]
        self.watch.trimming(command[1], stream, gone)
        return stream.delete(gone)

    def _do_xgroup(self, command: Command) -> Reply:
        action, key, name = command[1].upper(), command[2], command[3]
        stream = self._stream(key)
        if action == b"CREATE" and stream is None and b"MKSTREAM" in [part.upper() for part in command]:
            stream = self.data[key] = Stream()
        if stream is None:
            raise _Wrong(
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the"
                " MKSTREAM option to create an empty stream automatically."
            )
        if action == b"DESTROY":
            return int(stream.groups.pop(name, None) is not None)
        if name in stream.groups:
            raise _Wrong("BUSYGROUP Consumer Group name already exists")
        stream.groups[name] = Group(stream.last_id if command[4] == b"$" else parse_id(command[4]))
        return b"OK"

    def _do_xreadgroup(self, command: Command) -> Reply:
        """XREADGROUP GROUP group consumer COUNT n STREAMS key id"""
        name, consumer, count, key, after = command[2], command[3], int(command[5]), command[7], command[8]
        stream, group = self._group(key, name, " in XREADGROUP with GROUP option")
        if after != b">":
            return [[key, stream.rows(stream.pending_of(group, consumer, parse_id(after), count))]]
        places = stream.deliver(group, consumer, count, self.now_ms())
        return [[key, stream.rows(places)]] if places else None

    def _do_xautoclaim(self, command: Command) -> Reply:
        """XAUTOCLAIM key group consumer idle_ms start COUNT n"""
        stream, group = self._group(command[1], command[2])
        cursor, claimed, deleted = stream.claim(
            group, command[3], int(command[4]), parse_id(command[5]), int(command[7]), self.now_ms()
        )
        return [format_id(cursor), stream.rows(claimed), [format_id(place) for place in deleted]]

    def _do_xack(self, command: Command) -> Reply:
        stream = self._stream(command[1])
        group = stream.groups.get(command[2]) if stream else None
        if stream is None or group is None:
            return 0
        ids = [place for place in map(parse_id, command[3:]) if place in group.pending]
        self.watch.acknowledging(command[1], stream, ids)
        for place in ids:
            group.pending.pop(place, None)
        return len(ids)

    def _do_xpending(self, command: Command) -> Reply:
        _, group = self._group(command[1], command[2])
        if not group.pending:
            return [0, None, None, None]
        counts: dict[bytes, int] = {}
        for nack in group.pending.values():
            counts[nack.consumer] = counts.get(nack.consumer, 0) + 1
        least, most = format_id(min(group.pending)), format_id(max(group.pending))
        return [len(group.pending), least, most, [[name, b"%d" % counts[name]] for name in sorted(counts)]]

    def _do_xinfo(self, command: Command) -> Reply:
        stream = self._stream(command[2])
        if stream is None:
            raise _Wrong("ERR no such key")
        if command[1].upper() == b"STREAM":
            last = format_id(stream.last_id)
            return [b"length", len(stream.entries), b"last-generated-id", last, b"groups", len(stream.groups)]
        return [
            [
                *(b"name", name, b"consumers", len(group.consumers)),
                *(b"pending", len(group.pending), b"last-delivered-id", format_id(group.last_id)),
            ]
            for name, group in sorted(stream.groups.items())
        ]


class Session:
    """One connection to the model."""

    def __init__(self, server: RedisModel) -> None:
        self._server = server
        self._queue: list[Command] | None = None
        self._spoilt = False

    def send(self, payload: bytes, *, at_most: int | None = None) -> list[Reply]:
        """Carry out a pipeline, or only its first `at_most` commands (the connection was cut behind them)."""
        commands = commands_of(payload)
        return [self._one(command) for command in (commands if at_most is None else commands[:at_most])]

    def _one(self, command: Command) -> Reply:
        name = command[0].upper()
        if name == b"MULTI":
            self._queue, self._spoilt = [], False
            return b"OK"
        if name == b"EXEC":
            return self._exec()
        if self._queue is None:
            return self._server.execute(command)
        refused = self._server.refused(command, queued=True)
        if refused is not None:
            self._spoilt = True
            return refused
        self._queue.append(command)
        return b"QUEUED"

    def _exec(self) -> Reply:
        queue, self._queue = self._queue, None
        if queue is None:
            return hiredis.ReplyError("ERR EXEC without MULTI")
        if self._spoilt:
            return hiredis.ReplyError("EXECABORT Transaction discarded because of previous errors.")
        return [self._server.execute(command) for command in queue]


def commands_of(payload: bytes) -> list[Command]:
    """The commands of a pipeline: a command is an array of bulk strings, which hiredis reads as any reply."""
    reader = hiredis.Reader(notEnoughData=reader_end)
    reader.feed(payload)
    return list(iter(reader.gets, reader_end))


reader_end = object()


def _range(kept: list[bytes], first: int, last: int) -> list[bytes]:
    """LRANGE's and LTRIM's ends: inclusive, negative ones count from the end."""
    size = len(kept)
    first = max(0, first + size if first < 0 else first)
    last = last + size if last < 0 else last
    return kept[first : last + 1]
