"""What the Redis contract suite runs on: real servers and the doubles in memory, behind one way of looking in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import redis
from support.redis_doubles import MemoryRedis, parse_id
from support.redis_server import address, eventually

from tickwire.actors.ports import BufferRedis, Bus, CacheRedis, MonitorRedis, OutboxRedis, RegistryRedis
from tickwire.market.keys import Keys
from tickwire.runtime.redisio.buffer import RedisBuffer
from tickwire.runtime.redisio.bus import RedisBus
from tickwire.runtime.redisio.cache import RedisCache
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.monitor import RedisMonitor
from tickwire.runtime.redisio.outbox import RedisOutbox
from tickwire.runtime.redisio.registry import RedisRegistry

PRODUCER = "p1"
Collect = Callable[[int], list[tuple[str, bytes]]]
"""Waits for so many messages and returns them all, as (channel, payload)."""


class Engine(Protocol):
    """Adapters on one Redis, and a look into it that does not go through them."""

    keys: Keys
    has_info: bool

    def bus(self, *, market_data: bool = False) -> Bus: ...
    def buffer(self, producer: str = PRODUCER) -> BufferRedis: ...
    def outbox(self, consumer: str = "writer", producer: str = PRODUCER) -> OutboxRedis: ...
    def cache(self) -> CacheRedis: ...
    def registry(self) -> RegistryRedis: ...
    def monitor(self) -> MonitorRedis: ...

    def list(self, key: str) -> Sequence[bytes]: ...
    def hash(self, key: str) -> Mapping[str, bytes]: ...
    def ttl(self, key: str) -> int: ...
    def push(self, key: str, item: bytes) -> None: ...
    def listen(self, *channels: str) -> AbstractContextManager[Collect]: ...
    def flush(self) -> None: ...
    def destroy_group(self) -> None: ...
    def acknowledge_only(self, id: str) -> None: ...


class ServerEngine:
    """Adapters on a server by URL."""

    def __init__(self, url: str, *, has_info: bool = True, keys: Keys | None = None) -> None:
        self.keys = keys or Keys()
        self.has_info = has_info
        self._url = url
        self._links: list[RedisLink] = []
        self._client: Any = redis.Redis.from_url(url, protocol=2)

    def link(self) -> RedisLink:
        link = RedisLink(address(self._url), f"test-{len(self._links)}", timeout_s=10.0)
        self._links.append(link)
        link.start()
        eventually(lambda: link.up, "the link is up")
        return link

    def bus(self, *, market_data: bool = False) -> Bus:
        return RedisBus(self.link(), self.keys, market_data=market_data)

    def buffer(self, producer: str = PRODUCER) -> BufferRedis:
        return RedisBuffer(self.link(), self.keys, producer)

    def outbox(self, consumer: str = "writer", producer: str = PRODUCER) -> OutboxRedis:
        return RedisOutbox(self.link(), self.keys, producer, consumer=consumer)

    def cache(self) -> CacheRedis:
        return RedisCache(self.link(), self.keys)

    def registry(self) -> RegistryRedis:
        return RedisRegistry(self.link(), self.keys)

    def monitor(self) -> MonitorRedis:
        return RedisMonitor(self.link(), self.keys)

    def list(self, key: str) -> Sequence[bytes]:
        items: list[bytes] = self._client.lrange(key, 0, -1)
        return items

    def hash(self, key: str) -> Mapping[str, bytes]:
        fields: dict[bytes, bytes] = self._client.hgetall(key)
        return {name.decode(): value for name, value in fields.items()}

    def ttl(self, key: str) -> int:
        seconds: int = self._client.ttl(key)
        return seconds

    def push(self, key: str, item: bytes) -> None:
        self._client.lpush(key, item)

    @contextmanager
    def listen(self, *channels: str) -> Iterator[Collect]:
        with self._client.pubsub() as listener:
            listener.subscribe(*channels)
            for _ in channels:
                assert listener.get_message(timeout=10.0) is not None

            def collect(count: int) -> list[tuple[str, bytes]]:
                taken: list[tuple[str, bytes]] = []
                while len(taken) < count:
                    message = listener.get_message(timeout=10.0)
                    assert message is not None, f"{len(taken)} of {count} messages came"
                    taken.append((message["channel"].decode(), message["data"]))
                return taken

            yield collect

    def flush(self) -> None:
        self._client.flushall()

    def destroy_group(self) -> None:
        self._client.xgroup_destroy(self.keys.outbox(PRODUCER), "tickwire")

    def acknowledge_only(self, id: str) -> None:
        self._client.xack(self.keys.outbox(PRODUCER), "tickwire", id)

    def close(self) -> None:
        for link in self._links:
            link.close()
        self._client.close()


class MemoryEngine:
    """The doubles."""

    has_info = True

    def __init__(self) -> None:
        self.redis = MemoryRedis()
        self.keys = self.redis.keys

    def bus(self, *, market_data: bool = False) -> Bus:
        return self.redis.bus(market_data=market_data)

    def buffer(self, producer: str = PRODUCER) -> BufferRedis:
        return self.redis.buffer(producer)

    def outbox(self, consumer: str = "writer", producer: str = PRODUCER) -> OutboxRedis:
        return self.redis.outbox(producer, consumer=consumer)

    def cache(self) -> CacheRedis:
        return self.redis.cache()

    def registry(self) -> RegistryRedis:
        return self.redis.registry()

    def monitor(self) -> MonitorRedis:
        return self.redis.monitor()

    def list(self, key: str) -> Sequence[bytes]:
        return self.redis.lists.get(key, [])

    def hash(self, key: str) -> Mapping[str, bytes]:
        return self.redis.hashes.get(key, {})

    def ttl(self, key: str) -> int:
        return self.redis.ttls[key]

    def push(self, key: str, item: bytes) -> None:
        self.redis.lists.setdefault(key, []).insert(0, item)

    @contextmanager
    def listen(self, *channels: str) -> Iterator[Collect]:
        start = len(self.redis.published)

        def collect(count: int) -> list[tuple[str, bytes]]:
            taken = [message for message in self.redis.published[start:] if message[0] in channels]
            assert len(taken) == count
            return taken

        yield collect

    def flush(self) -> None:
        self.redis.flush()

    def destroy_group(self) -> None:
        self.redis.streams[self.keys.outbox(PRODUCER)].group = False

    def acknowledge_only(self, id: str) -> None:
        self.redis.streams[self.keys.outbox(PRODUCER)].pending.pop(parse_id(id))

    def close(self) -> None:
        """Nothing to close."""
