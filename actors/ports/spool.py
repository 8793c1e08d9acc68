"""Accepted ticks on local disk."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Spool(Protocol):
    """Accepted ticks that are not yet stored, on local disk. Rows are numbered for ever upwards."""

    @property
    def boot_ms(self) -> int:
        """First half of outbox entry ids: max(clock, last boot + 1), kept on disk."""

    @property
    def last_boot_ms(self) -> int:
        """The boot id in force before this spool was opened; 0 where there was none."""

    def new_boot(self) -> int:
        """Take a new boot id (the stream was lost). Raises SpoolFailed."""

    def taken(self) -> Mapping[str, int]:
        """The last message number committed of each sender."""

    def commit(self, entries: Sequence[bytes], taken: Mapping[str, int]) -> range:
        """Append entries and the senders' last numbers in one transaction; returns their row numbers."""

    def read(self, after_row: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Rows above `after_row`, ascending, at most `limit`."""

    def forget(self, through_row: int) -> None:
        """Delete rows up to and with `through_row`: the store has them. Raises SpoolFailed; they are kept then."""

    @property
    def first_row(self) -> int:
        """The oldest row held, or the next to be written where none is."""

    @property
    def last_row(self) -> int:
        """The newest row ever written."""

    @property
    def size_bytes(self) -> int:
        """What the rows held weigh."""

    def sync(self) -> None:
        """Force everything committed to the disk."""

    def close(self) -> None: ...
