"""BatchWriter's side of the outbox: entries into a batch, own pending ones first, and their acknowledgement."""

from collections.abc import Sequence

import structlog

from tickwire.actors.ports import OutboxEntry, OutboxRedis, Quarantine
from tickwire.market.batching import Batch
from tickwire.market.packing import UnknownPacking, unpack_rows
from tickwire.market.rows import Row

_log = structlog.get_logger("tickwire.batch_writer")


class OutboxReader:
    """Fills `batch`. All of it raises what OutboxRedis and Quarantine raise."""

    def __init__(
        self, outbox: OutboxRedis, quarantine: Quarantine, batch: Batch, *, read_entries: int, claim_idle_s: float
    ) -> None:
        self._outbox = outbox
        self._quarantine = quarantine
        self._batch = batch
        self._most = read_entries
        self._claim_idle_s = claim_idle_s
        self._recovered = False

    def read(self) -> bool:
        """Take the next entries; whether there were any. Only while the batch is empty."""
        entries = self._next()
        try:
            unpacked = [(entry.id, self._unpack(entry)) for entry in entries]
        except BaseException:
            self._recovered = False  # they were delivered: they are pending now, not new
            raise
        for entry_id, rows in unpacked:
            self._batch.add(entry_id, rows)
        return bool(entries)

    def acknowledge(self) -> None:
        """What the batch has settled."""
        if self._batch.settled:
            self._outbox.acknowledge(self._batch.settled)
            self._batch.acknowledged()

    def again(self) -> None:
        """Start over with what is pending: connections may have changed under us."""
        self._recovered = False

    def forget(self) -> None:
        """What was read and not acknowledged will be read again."""
        self._batch.clear()
        self._recovered = False

    def _next(self) -> Sequence[OutboxEntry]:
        if not self._recovered:
            entries = self._outbox.read_own_pending("0-0", self._most)
            if not entries:
                entries = self._outbox.claim_stale(self._claim_idle_s, self._most)
            if entries:
                return entries
            self._outbox.settle()
            self._recovered = True
        return self._outbox.read_new(self._most)

    def _unpack(self, entry: OutboxEntry) -> Sequence[Row]:
        try:
            return unpack_rows(entry.payload)
        except UnknownPacking as error:
            self._quarantine.put_raw(entry.id, entry.payload, str(error))
            _log.error("entry_quarantined", entry=entry.id, error=str(error))
            return []
