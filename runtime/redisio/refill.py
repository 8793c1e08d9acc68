"""Gateway's Redis: reads the buffer lists and the hash of known assets, writes nothing."""

from collections.abc import Sequence

from tickwire.market.keys import Keys
from tickwire.market.values import good_asset
from tickwire.runtime.redisio.buffer import BUFFER_SIZE
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import check, pack


class RedisRefill:
    """`RefillRedis` on a server."""

    def __init__(self, link: RedisLink, keys: Keys, *, buffer_size: int = BUFFER_SIZE) -> None:
        self._link = link
        self._keys = keys
        self._buffer_size = buffer_size

    @property
    def link(self) -> RedisLink:
        return self._link

    def newest(self, asset: str) -> Sequence[bytes]:
        replies = self._link.call(pack("LRANGE", self._keys.ticks(asset), 0, self._buffer_size - 1), 1)
        check(replies)
        ticks: list[bytes] = replies[0]
        return ticks

    def assets(self) -> Sequence[str]:
        """Those that are names of assets: others may write into the hash too."""
        replies = self._link.call(pack("HKEYS", self._keys.assets), 1)
        check(replies)
        names = [name.decode("ascii", "replace") for name in replies[0]]
        return [name for name in names if good_asset(name)]
