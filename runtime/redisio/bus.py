"""Publisher's Redis: every tick a PUBLISH of its own, all of them in one round trip.

A column's ticks are RESP bulk strings already, so its PUBLISHes are one join; no work is done per tick in Python.
"""

from collections.abc import Sequence

from tickwire.market.keys import Keys
from tickwire.messages.ticks import TickColumns
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import array_head, bulks, check, pack


class RedisBus:
    """`Bus` on a server. `market_data` switches QuFLX v2's common channel on, beside each asset's own."""

    def __init__(self, link: RedisLink, keys: Keys, *, market_data: bool = False) -> None:
        self._link = link
        self._keys = keys
        self._heads: dict[str, bytes] = {}
        self._common = _publish_head(keys.market_data) if market_data else None

    @property
    def link(self) -> RedisLink:
        return self._link

    def publish_ticks(self, columns: Sequence[TickColumns]) -> None:
        parts: list[bytes] = []
        count = 0
        for column in columns:
            encoded = column.encoded
            head = self._heads.get(column.asset) or self._new_head(column.asset)
            parts += (head, head.join(encoded))
            count += len(encoded)
            if self._common is not None:
                parts += (self._common, self._common.join(encoded))
                count += len(encoded)
        if count:
            self._send(b"".join(parts), count)

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if messages:
            self._send(b"".join(pack("PUBLISH", channel, payload) for channel, payload in messages), len(messages))

    def _new_head(self, asset: str) -> bytes:
        head = _publish_head(self._keys.updates(asset))
        self._heads[asset] = head
        return head

    def _send(self, payload: bytes, count: int) -> None:
        replies = self._link.call(payload, count)
        if set(map(type, replies)) != {int}:
            check(replies)


def _publish_head(channel: str) -> bytes:
    """All of a PUBLISH but its payload."""
    return array_head(3) + bulks("PUBLISH", channel)
