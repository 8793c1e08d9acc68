"""MetricsCollector's Redis: INFO, and the channel `system_status`."""

from collections.abc import Mapping

from tickwire.market.keys import Keys
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import check, first_error, pack


class RedisMonitor:
    """`MonitorRedis` on a server."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    @property
    def link(self) -> RedisLink:
        return self._link

    def info(self) -> Mapping[str, str]:
        replies = self._link.call(pack("INFO"), 1)
        error = first_error(replies)
        if error is not None and "unknown command" in str(error).lower():
            return {}
        check(replies)
        lines = replies[0].decode(errors="replace").splitlines()
        pairs = (line.partition(":") for line in lines if not line.startswith("#"))
        return {name: value for name, found, value in pairs if found}

    def publish_status(self, payload: bytes) -> None:
        check(self._link.call(pack("PUBLISH", self._keys.system_status, payload), 1))
