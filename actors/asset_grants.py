"""BufferKeeper's say in assets: which feed an asset is taken from, and the epoch its ticks are numbered in."""

from collections.abc import Iterable

import structlog

from tickwire.actors.forwarder import Forwarder
from tickwire.actors.ports import BufferRedis, Clock, PortError, Spool
from tickwire.market.identity import new_epoch
from tickwire.market.ownership import Ownership, continues
from tickwire.messages.lifecycle import LinkState
from tickwire.messages.ticks import AssetGranted, AssetRefused, AssetRequested

_log = structlog.get_logger("tickwire.buffer_keeper")


class AssetGrants:
    """Used in its actor's thread alone. `ownership` outlives incarnations, the rest does not."""

    def __init__(
        self, redis: BufferRedis, spool: Spool, forwarder: Forwarder, ownership: Ownership, clock: Clock
    ) -> None:
        self._redis = redis
        self._spool = spool
        self._forwarder = forwarder
        self._ownership = ownership
        self._clock = clock
        self._assets: set[str] = set()
        self._early: dict[str, AssetRequested] = {}
        self._granted: dict[str, AssetGranted] = {}

    def take(self, request: AssetRequested) -> None:
        """Answer it, now or, while the first attempt to reach Redis is under way, after that."""
        owner = self._ownership.claim(request.asset, request.feed)
        if owner != request.feed:
            request.reply_to.tell(AssetRefused(asset=request.asset, feed=request.feed, owner=owner))
        elif self._redis.link.state == "connecting":
            self._early[request.asset] = request  # the first attempt is under way: it decides whether an epoch goes on
        else:
            granted = self._granted.get(request.asset)
            if granted is None or granted.incarnation != request.incarnation:
                granted = self._granted[request.asset] = self._grant(request)
            request.reply_to.tell(granted)

    def take_early(self, state: LinkState) -> None:
        """The link has changed: those that waited for it are answered, unless it is connecting yet."""
        if state == "connecting":
            return
        early, self._early = self._early, {}
        for request in early.values():
            self.take(request)

    def release(self, feed: str) -> Iterable[str]:
        """The feed gives none any more; the assets that others may have now."""
        return self._ownership.release(feed)

    def seen(self, assets: Iterable[str]) -> None:
        """Ticks of these were accepted."""
        self._assets.update(assets)

    def mark_clean(self) -> None:
        """Write down where each asset's numbers stand, for the next start to go on. Raises PortError."""
        for asset in sorted(self._assets):
            position = self._forwarder.position(asset)
            if position is not None:
                self._redis.mark(asset, *position, clean=True, boot_ms=self._spool.boot_ms)

    def _grant(self, request: AssetRequested) -> AssetGranted:
        epoch, seq = self._epoch_for(request)
        self._assets.add(request.asset)
        self._forwarder.stand(request.asset, epoch, seq)
        return AssetGranted(
            asset=request.asset,
            feed=request.feed,
            incarnation=request.incarnation,
            epoch=epoch,
            next_seq=seq + 1,
        )

    def _epoch_for(self, request: AssetRequested) -> tuple[str, int]:
        """The epoch to go on with and its last seq: a new one, or after a clean stop the old one."""
        epoch, seq = new_epoch(self._clock.now_us()), 0
        if not self._redis.link.up:
            return epoch, seq
        try:
            record = self._redis.epoch(request.asset)
            first = request.asset not in self._granted
            if first and continues(record, self._spool.last_boot_ms) and record.epoch is not None:
                epoch, seq = record.epoch, record.seq
            self._forwarder.adopt(request.asset)
            self._redis.mark(request.asset, epoch, seq, clean=False, boot_ms=self._spool.boot_ms)
        except PortError as error:
            _log.warning("epoch_in_doubt", asset=request.asset, error=str(error))
            return new_epoch(self._clock.now_us()), 0
        return epoch, seq
