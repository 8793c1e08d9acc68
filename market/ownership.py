"""Which feed supplies an asset: the first to ask, until it is down for good. One feed at a time, or seqs would mix."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """`tickwire:epoch:{asset}` beside the newest tick of its buffer."""

    epoch: str | None
    seq: int
    clean: bool
    boot_ms: int
    """Of the spool, when the mark was written."""
    head_epoch: str | None
    head_seq: int


class Ownership:
    """Owners by asset. Pure; BufferKeeper's."""

    def __init__(self) -> None:
        self._owner: dict[str, str] = {}

    def claim(self, asset: str, feed: str) -> str:
        """The owner after `feed` asked for `asset`: `feed` itself if it was free."""
        return self._owner.setdefault(asset, feed)

    def release(self, feed: str) -> list[str]:
        """Take its assets from a feed; returns them."""
        freed = [asset for asset, owner in self._owner.items() if owner == feed]
        for asset in freed:
            del self._owner[asset]
        return freed


def continues(record: EpochRecord, last_boot_ms: int) -> bool:
    """Whether an epoch may go on over a start: the last stop was clean and the buffer's head is its last tick.

    That stop must be of the last boot: a server may remember an older one, and ticks of other epochs since then may
    never have reached it.
    """
    if not record.clean or record.epoch is None or record.boot_ms != last_boot_ms:
        return False
    return (record.head_epoch, record.head_seq) == (record.epoch, record.seq)
