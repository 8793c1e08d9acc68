"""TickIngestor's Redis: the hash `tickwire:assets`."""

from collections.abc import Mapping

from tickwire.market.keys import Keys
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import Argument, check, pack


class RedisRegistry:
    """`RegistryRedis` on a server."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    @property
    def link(self) -> RedisLink:
        return self._link

    def register(self, assets: Mapping[str, bytes]) -> None:
        if assets:
            pairs: list[Argument] = [part for pair in assets.items() for part in pair]
            check(self._link.call(pack("HSET", self._keys.assets, *pairs), 1))
