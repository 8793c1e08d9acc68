"""CacheManager's Redis: `historical:{asset}:{timeframe}`, JSON arrays that expire."""

from collections.abc import Sequence
from random import Random

from tickwire.market.keys import Keys
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import check, pack

TTL_S = 3600
JITTER = 0.1
"""Keys written together expire apart, up to a tenth sooner: no more than a few are read from the store at once."""


class RedisCache:
    """`CacheRedis` on a server."""

    def __init__(self, link: RedisLink, keys: Keys, *, ttl_s: int = TTL_S, random: Random | None = None) -> None:
        self._link = link
        self._keys = keys
        self._ttl_s = ttl_s
        self._random = random or Random()

    @property
    def link(self) -> RedisLink:
        return self._link

    def put(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        if not entries:
            return
        commands = [
            pack("SETEX", self._keys.historical(asset, timeframe), self._time_to_live(), payload)
            for asset, timeframe, payload in entries
        ]
        check(self._link.call(b"".join(commands), len(commands)))

    def _time_to_live(self) -> int:
        return max(1, round(self._ttl_s * self._random.uniform(1 - JITTER, 1)))

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Sequence[bytes | None]:
        if not keys:
            return []
        commands = [pack("GET", self._keys.historical(asset, timeframe)) for asset, timeframe in keys]
        replies: list[bytes | None] = self._link.call(b"".join(commands), len(commands))
        check(replies)
        return replies
