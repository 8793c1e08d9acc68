"""Redis in memory, for tests of actors: one shared `MemoryRedis`, a double for each port on it, faults at will.

    redis = MemoryRedis()
    buffer = redis.buffer("p1")            # a BufferRedis
    buffer.link.go("degraded", "down")     # its connection alone
    redis.go_down("timeout")               # all of them
    redis.lose_reply()                     # the next call is carried out, its answer never arrives
    redis.refuse("out of memory")          # answers, and refuses to write

The doubles pass the same contract suite as the adapters on real servers (`tests/contract/test_redisio.py`).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import orjson

from tickwire.actors.ports import LinkDown, Listener, ListPush, OutboxEntry, OutboxMissing, RedisRefused
from tickwire.market.codec import bulk_to_json
from tickwire.market.keys import Keys
from tickwire.market.ownership import EpochRecord
from tickwire.messages.lifecycle import LinkState
from tickwire.messages.ticks import TickColumns

T = TypeVar("T")

Id = tuple[int, int]


class FakeLink:
    """A `Link` that goes where it is told; its listener is called in the teller's thread."""

    def __init__(self, listener: Listener | None = None, *, state: LinkState = "up", detail: str = "") -> None:
        self.listener = listener
        self.state: LinkState = state
        self.detail = detail
        self.started = False
        self.closed = False
        self.history: list[tuple[LinkState, str]] = []

    @property
    def up(self) -> bool:
        return self.state == "up"

    def start(self) -> None:
        """Tell the listener the state it starts in."""
        self.started = True
        self._tell()

    def close(self) -> None:
        self.closed = True

    def go(self, state: LinkState, detail: str = "") -> None:
        """Change the state and tell the listener, unless it is in it already."""
        if (state, detail) != (self.state, self.detail):
            self.state, self.detail = state, detail
            self._tell()

    def _tell(self) -> None:
        self.history.append((self.state, self.detail))
        if self.listener is not None:
            self.listener(self.state, self.detail)


@dataclass
class MemoryStream:
    """One outbox stream and its group."""

    entries: dict[Id, bytes] = field(default_factory=dict)
    last_id: Id = (0, 0)
    group: bool = False
    delivered: Id = (0, 0)
    pending: dict[Id, tuple[str, float]] = field(default_factory=dict)
    """id → (consumer, when it was delivered)."""


class MemoryRedis:
    """The server. Everything is public: look into it and change it as a test likes. Any thread."""

    def __init__(
        self, *, keys: Keys | None = None, clock: Callable[[], float] = time.monotonic, buffer_size: int = 1000
    ) -> None:
        self.keys = keys or Keys()
        self.clock = clock
        self.buffer_size = buffer_size
        self.lists: dict[str, list[bytes]] = {}
        """Newest first, as Redis keeps them; JSON ticks."""
        self.hashes: dict[str, dict[str, bytes]] = {}
        self.strings: dict[str, bytes] = {}
        self.ttls: dict[str, int] = {}
        self.streams: dict[str, MemoryStream] = {}
        self.published: list[tuple[str, bytes]] = []
        self.info: dict[str, str] = {"redis_version": "7.0.0", "used_memory": "1000000"}
        self.links: list[FakeLink] = []
        self.round_trips = 0
        self.initial: tuple[LinkState, str] = ("up", "")
        """What a new link starts with."""
        self._refused: str | None = None
        self._lost: list[str] = []
        self._lock = threading.RLock()

    # -- faults

    def go_down(self, detail: str = "down") -> None:
        """Every link degrades, and so do new ones."""
        self.initial = ("degraded", detail)
        for link in list(self.links):
            link.go("degraded", detail)

    def come_up(self) -> None:
        """Every link is up again."""
        self.initial = ("up", "")
        for link in list(self.links):
            link.go("up")

    def refuse(self, kind: str | None) -> None:
        """Every call is answered by a refusal of this kind; None ends it."""
        self._refused = kind

    def lose_reply(self) -> None:
        """The next call is carried out, but its caller gets LinkDown("timeout") and its link degrades."""
        self._lost.append("reply")

    def lose_request(self) -> None:
        """The next call never arrives: LinkDown("down"), and its link degrades."""
        self._lost.append("request")

    def flush(self) -> None:
        """FLUSHALL."""
        for everything in (self.lists, self.hashes, self.strings, self.ttls, self.streams):
            everything.clear()

    def call(self, link: FakeLink, action: Callable[[], T]) -> T:
        """One round trip of a double, with whatever fault is due."""
        with self._lock:
            if not link.up:
                raise LinkDown(link.detail)
            self.round_trips += 1
            lost = self._lost.pop(0) if self._lost else ""
            if lost == "request":
                self._degrade(link, "down")
            if self._refused is not None:
                raise RedisRefused(self._refused, "refused by the test")
            result = action()
            if lost == "reply":
                self._degrade(link, "timeout")
            return result

    def _degrade(self, link: FakeLink, detail: str) -> None:
        link.go("degraded", detail)
        raise LinkDown(detail)

    # -- ports

    def link(self, listener: Listener | None = None) -> FakeLink:
        state, detail = self.initial
        made = FakeLink(listener, state=state, detail=detail)
        self.links.append(made)
        return made

    def bus(self, listener: Listener | None = None, *, market_data: bool = False) -> "MemoryBus":
        return MemoryBus(self, self.link(listener), market_data=market_data)

    def buffer(self, producer: str, listener: Listener | None = None) -> "MemoryBuffer":
        return MemoryBuffer(self, self.link(listener), producer)

    def outbox(self, producer: str, listener: Listener | None = None, *, consumer: str = "writer") -> "MemoryOutbox":
        return MemoryOutbox(self, self.link(listener), producer, consumer)

    def cache(self, listener: Listener | None = None) -> "MemoryCache":
        return MemoryCache(self, self.link(listener))

    def registry(self, listener: Listener | None = None) -> "MemoryRegistry":
        return MemoryRegistry(self, self.link(listener))

    def monitor(self, listener: Listener | None = None) -> "MemoryMonitor":
        return MemoryMonitor(self, self.link(listener))

    # -- looking into it

    def messages(self, channel: str) -> list[bytes]:
        """What was published on a channel, in order."""
        return [payload for name, payload in list(self.published) if name == channel]

    def outbox_payloads(self, producer: str) -> list[bytes]:
        """The outbox's entries, oldest first."""
        stream = self.streams.get(self.keys.outbox(producer))
        return list(stream.entries.values()) if stream else []


class MemoryBus:
    """`Bus` in memory."""

    def __init__(self, redis: MemoryRedis, link: FakeLink, *, market_data: bool) -> None:
        self.link = link
        self._redis = redis
        self._market_data = market_data

    def publish_ticks(self, columns: Sequence[TickColumns]) -> None:
        messages: list[tuple[str, bytes]] = []
        for column in columns:
            ticks = [bulk_to_json(bulk) for bulk in column.encoded]
            channels = [self._redis.keys.updates(column.asset)]
            channels += [self._redis.keys.market_data] if self._market_data else []
            messages += [(channel, tick) for channel in channels for tick in ticks]
        self.publish(messages)

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if messages:
            self._redis.call(self.link, lambda: self._redis.published.extend(messages))


class MemoryBuffer:
    """`BufferRedis` in memory."""

    def __init__(self, redis: MemoryRedis, link: FakeLink, producer: str) -> None:
        self.link = link
        self._redis = redis
        self._outbox = redis.keys.outbox(producer)
        self._acked = redis.keys.acked(producer)

    def epoch(self, asset: str) -> EpochRecord:
        return self._redis.call(self.link, lambda: self._epoch(asset))

    def _epoch(self, asset: str) -> EpochRecord:
        kept = self._redis.hashes.get(self._redis.keys.epoch(asset), {})
        head_epoch, head_seq = head_position(self._redis.lists.get(self._redis.keys.ticks(asset), [b"null"])[0])
        return EpochRecord(
            epoch=kept["epoch"].decode() if "epoch" in kept else None,
            seq=int(kept.get("seq", b"0")),
            clean=kept.get("clean") == b"1",
            boot_ms=int(kept.get("boot", b"0")),
            head_epoch=head_epoch,
            head_seq=head_seq,
        )

    def newest(self, asset: str) -> Sequence[bytes]:
        return self._redis.call(self.link, lambda: list(self._redis.lists.get(self._redis.keys.ticks(asset), ())))

    def mark(self, asset: str, epoch: str, seq: int, *, clean: bool, boot_ms: int) -> None:
        self._redis.call(self.link, lambda: self._mark(asset, epoch, seq, clean, boot_ms))

    def _mark(self, asset: str, epoch: str, seq: int, clean: bool, boot_ms: int | None = None) -> None:
        fields = {"epoch": epoch.encode(), "seq": b"%d" % seq, "clean": b"1" if clean else b"0"}
        if boot_ms is not None:
            fields["boot"] = b"%d" % boot_ms
        self._redis.hashes.setdefault(self._redis.keys.epoch(asset), {}).update(fields)

    def forward(self, pushes: Sequence[ListPush], entries: Sequence[OutboxEntry], after: str | None = None) -> None:
        if pushes or entries:
            self._redis.call(self.link, lambda: self._forward(pushes, entries, after))

    def _forward(self, pushes: Sequence[ListPush], entries: Sequence[OutboxEntry], after: str | None) -> None:
        for push in pushes:
            self._push(push)
        stream = self._redis.streams.get(self._outbox)
        if entries and stream is None:
            raise OutboxMissing(f"the stream {self._outbox} is gone")
        if after is not None and stream is not None and parse_id(after) > stream.last_id:
            raise OutboxMissing(f"the stream {self._outbox} has lost what came before {after}")
        for entry in entries:
            assert stream is not None
            place = parse_id(entry.id)
            if place > stream.last_id:
                stream.entries[place] = entry.payload
                stream.last_id = place

    def _push(self, push: ListPush) -> None:
        key = self._redis.keys.ticks(push.asset)
        kept = [] if push.rewrite else self._redis.lists.get(key, [])
        newest_first = [bulk_to_json(bulk) for bulk in reversed(push.encoded)]
        self._redis.lists[key] = (newest_first + kept)[: self._redis.buffer_size]
        if not self._redis.lists[key]:
            del self._redis.lists[key]
        self._mark(push.asset, push.epoch, push.seq, False)

    def make_outbox(self) -> None:
        self._redis.call(self.link, self._make_outbox)

    def _make_outbox(self) -> None:
        stream = self._redis.streams.setdefault(self._outbox, MemoryStream())
        if not stream.group:
            stream.group, stream.delivered, stream.pending = True, (0, 0), {}

    def outbox_length(self) -> int:
        stream = self._redis.call(self.link, lambda: self._redis.streams.get(self._outbox))
        return len(stream.entries) if stream else 0

    def last_generated_id(self) -> str | None:
        return self._redis.call(self.link, self._last_generated_id)

    def _last_generated_id(self) -> str | None:
        stream = self._redis.streams.get(self._outbox)
        return format_id(stream.last_id) if stream else None

    def acked_id(self) -> str | None:
        acked = self._redis.call(self.link, lambda: self._redis.strings.get(self._acked))
        return acked.decode() if acked is not None else None


class MemoryOutbox:
    """`OutboxRedis` in memory."""

    def __init__(self, redis: MemoryRedis, link: FakeLink, producer: str, consumer: str) -> None:
        self.link = link
        self._redis = redis
        self._key = redis.keys.outbox(producer)
        self._acked = redis.keys.acked(producer)
        self._consumer = consumer

    def _stream(self) -> MemoryStream:
        stream = self._redis.streams.get(self._key)
        if stream is None or not stream.group:
            raise OutboxMissing(f"the stream {self._key} or its group is gone")
        return stream

    def read_own_pending(self, after_id: str, limit: int) -> Sequence[OutboxEntry]:
        return self._redis.call(self.link, lambda: self._own_pending(parse_id(after_id), limit))

    def _own_pending(self, after: Id, limit: int) -> Sequence[OutboxEntry]:
        stream = self._stream()
        own = [place for place, (consumer, _) in sorted(stream.pending.items()) if consumer == self._consumer]
        return self._entries(stream, [place for place in own if place > after][:limit])

    def read_new(self, limit: int) -> Sequence[OutboxEntry]:
        return self._redis.call(self.link, lambda: self._new(limit))

    def _new(self, limit: int) -> Sequence[OutboxEntry]:
        stream = self._stream()
        places = [place for place in stream.entries if place > stream.delivered][:limit]
        for place in places:
            stream.pending[place] = (self._consumer, self._redis.clock())
            stream.delivered = place
        return self._entries(stream, places)

    def claim_stale(self, min_idle_s: float, limit: int) -> Sequence[OutboxEntry]:
        return self._redis.call(self.link, lambda: self._claim(min_idle_s, limit))

    def _claim(self, min_idle_s: float, limit: int) -> Sequence[OutboxEntry]:
        stream = self._stream()
        now = self._redis.clock()
        stale = [place for place, (_, at) in sorted(stream.pending.items()) if now - at >= min_idle_s][:limit]
        for place in stale:
            stream.pending[place] = (self._consumer, now)
        return self._entries(stream, stale)

    @staticmethod
    def _entries(stream: MemoryStream, places: Sequence[Id]) -> Sequence[OutboxEntry]:
        return [OutboxEntry(format_id(place), stream.entries[place]) for place in places]

    def acknowledge(self, ids: Sequence[str]) -> None:
        if ids:
            self._redis.call(self.link, lambda: self._acknowledge(ids))

    def settle(self) -> None:
        self._redis.call(self.link, lambda: self._acknowledge(()))

    def _acknowledge(self, ids: Sequence[str]) -> None:
        stream = self._stream()
        for acked in ids:
            stream.pending.pop(parse_id(acked), None)
        floor = before(min(stream.pending)) if stream.pending else stream.delivered
        known = parse_id(self._redis.strings.get(self._acked, b"0-0").decode())
        if floor > known:
            self._redis.strings[self._acked] = format_id(floor).encode()
        for place in [place for place in stream.entries if place <= max(floor, known)]:
            del stream.entries[place]

    def backlog(self) -> int:
        stream = self._redis.call(self.link, lambda: self._redis.streams.get(self._key))
        return len(stream.entries) if stream else 0


class MemoryCache:
    """`CacheRedis` in memory; `MemoryRedis.ttls` holds the seconds that were asked for."""

    def __init__(self, redis: MemoryRedis, link: FakeLink, *, ttl_s: int = 3600) -> None:
        self.link = link
        self._redis = redis
        self._ttl_s = ttl_s
        self._random = Random(0)

    def put(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        if entries:
            self._redis.call(self.link, lambda: self._put(entries))

    def _put(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        for asset, timeframe, payload in entries:
            key = self._redis.keys.historical(asset, timeframe)
            self._redis.strings[key] = payload
            self._redis.ttls[key] = self._ttl_s - self._random.randrange(self._ttl_s // 10)

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Sequence[bytes | None]:
        if not keys:
            return []
        names = [self._redis.keys.historical(asset, timeframe) for asset, timeframe in keys]
        return self._redis.call(self.link, lambda: [self._redis.strings.get(name) for name in names])


class MemoryRegistry:
    """`RegistryRedis` in memory."""

    def __init__(self, redis: MemoryRedis, link: FakeLink) -> None:
        self.link = link
        self._redis = redis

    def register(self, assets: Mapping[str, bytes]) -> None:
        if assets:
            self._redis.call(self.link, lambda: self._register(assets))

    def _register(self, assets: Mapping[str, bytes]) -> None:
        self._redis.hashes.setdefault(self._redis.keys.assets, {}).update(assets)


class MemoryMonitor:
    """`MonitorRedis` in memory; `MemoryRedis.info` is what it answers."""

    def __init__(self, redis: MemoryRedis, link: FakeLink) -> None:
        self.link = link
        self._redis = redis

    def info(self) -> Mapping[str, str]:
        return self._redis.call(self.link, lambda: dict(self._redis.info))

    def publish_status(self, payload: bytes) -> None:
        channel = self._redis.keys.system_status
        self._redis.call(self.link, lambda: self._redis.published.append((channel, payload)))


def head_position(head: bytes) -> tuple[str | None, int]:
    """(epoch, seq) of a buffer's head; nothing for what another writer put there."""
    try:
        match orjson.loads(head):
            case {"epoch": str(epoch), "seq": int(seq)}:
                return epoch, seq
    except orjson.JSONDecodeError:
        pass
    return None, 0


def parse_id(text: str) -> Id:
    """`<ms>-<seq>` as a pair that compares as Redis compares ids."""
    ms, _, seq = text.partition("-")
    return int(ms), int(seq or 0)


def format_id(place: Id) -> str:
    return f"{place[0]}-{place[1]}"


def before(place: Id) -> Id:
    """The highest id below this one."""
    ms, seq = place
    return (ms, seq - 1) if seq else (ms - 1, 2**64 - 1)
