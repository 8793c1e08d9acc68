"""CacheManager's Redis: `historical:{asset}:{timeframe}`, JSON arrays that expire."""

from collections.abc import Sequence

from tickwire.market.keys import Keys
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import check, pack

TTL_S = 3600


class RedisCache:
    """`CacheRedis` on a server."""

    def __init__(self, link: RedisLink, keys: Keys, *, ttl_s: int = TTL_S) -> None:
        self._link = link
        self._keys = keys
        self._ttl_s = ttl_s

    @property
    def link(self) -> RedisLink:
        return self._link

    def put(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        if not entries:
            return
        commands = [
            pack("SETEX", self._keys.historical(asset, timeframe), self._ttl_s, payload)
            for asset, timeframe, payload in entries
        ]
        check(self._link.call(b"".join(commands), len(commands)))

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Sequence[bytes | None]:
        if not keys:
            return []
        commands = [pack("GET", self._keys.historical(asset, timeframe)) for asset, timeframe in keys]
        replies: list[bytes | None] = self._link.call(b"".join(commands), len(commands))
        check(replies)
        return replies
