"""What Gateway reads from Redis: the buffers behind its memory, the assets of earlier runs. In its thread."""

from collections.abc import Sequence

import structlog

from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.actors.ports import PortError, RedisRefused, RefillRedis
from tickwire.market.tick_book import Buffered, TickBook, read_buffer

_log = structlog.get_logger("tickwire.gateway")


class Refills:
    """Of everything there is less, and nothing fails, while Redis is away."""

    def __init__(self, redis: RefillRedis, memory: GatewayMemory) -> None:
        self._redis = redis
        self._memory = memory

    def buffered(self, asset: str) -> Sequence[Buffered]:
        """The asset's buffer, oldest first; nothing while Redis is away."""
        if not self._redis.link.up:
            return ()
        try:
            return read_buffer(self._redis.newest(asset))
        except PortError as error:
            _log.info("no_refill", asset=asset, reason=str(error))
            return ()

    def seed(self, asset: str, book: TickBook) -> None:
        """Read the buffer into the book, once; tried again later where Redis is away."""
        if book.seeded or not self._redis.link.up:
            return
        try:
            book.seed(read_buffer(self._redis.newest(asset)))
        except RedisRefused as error:
            _log.warning("buffer_refused", asset=asset, reason=str(error))
            book.seed(())  # asking again would be refused again, and keep the next ones waiting
        except PortError as error:
            _log.info("buffer_not_read", asset=asset, reason=str(error))

    def seed_next(self) -> bool:
        """Seed one of the books that are not; False if there is none, or no Redis."""
        unseeded = self._memory.unseeded() if self._redis.link.up else None
        if unseeded is not None:
            self.seed(*unseeded)
        return unseeded is not None

    def newest(self, asset: str, book: TickBook, limit: int) -> list[bytes]:
        """The asset's newest ticks as JSON, oldest first: of earlier epochs, too, if the memory has not enough."""
        self.seed(asset, book)
        ticks = book.jsons()
        if len(ticks) < limit and book.older:
            first, epoch = book.first, book.epoch
            older = [tick.json for tick in self.buffered(asset) if tick.epoch != epoch or tick.seq < first]
            ticks = older + ticks
        return ticks[-limit:]

    def learn_assets(self) -> None:
        """Assets that an earlier run registered are known."""
        try:
            self._memory.add_registered(self._redis.assets())
        except PortError as error:
            _log.info("assets_not_read", reason=str(error))
