"""BatchWriter's side of the outbox: entries into a batch, own pending ones first, and their acknowledgement."""

from collections.abc import Sequence

import structlog

from tickwire.actors.candle_shelf import CandleShelf
from tickwire.actors.ports import Ledger, OutboxEntry, OutboxRedis, Quarantine
from tickwire.market.batching import Batch
from tickwire.market.ledger import Tally
from tickwire.market.packing import UnknownPacking, Unpacked, unpack

_log = structlog.get_logger("tickwire.batch_writer")


class OutboxReader:
    """Fills `batch` and `candles`. All of it raises what OutboxRedis, Quarantine and Ledger raise."""

    def __init__(
        self,
        outbox: OutboxRedis,
        quarantine: Quarantine,
        ledger: Ledger,
        batch: Batch,
        candles: CandleShelf,
        *,
        read_entries: int,
        claim_idle_s: float,
    ) -> None:
        self._outbox = outbox
        self._quarantine = quarantine
        self._ledger = ledger
        self._batch = batch
        self._candles = candles
        self._most = read_entries
        self._claim_idle_s = claim_idle_s
        self._recovered = False

    def read(self) -> int:
        """Take the next entries; how many there were. Only while the batch is empty."""
        entries = self._next()
        try:
            unpacked = [(entry.id, self._unpack(entry)) for entry in entries]
        except BaseException:
            self._recovered = False  # they were delivered: they are pending now, not new
            raise
        for entry_id, entry in unpacked:
            self._batch.add(entry_id, entry.rows, Tally(entry.rows, entry.counted))
            self._candles.add(entry.candles)
        return len(entries)

    def acknowledge(self) -> None:
        """What the batch has settled: into the ledger first, where an entry that comes again counts once."""
        settled = self._batch.settled
        if settled:
            # An empty entry that only holds a place in the stream bears the number of a spool row to come.
            self._ledger.post([entry.tally.settled(_spool_row(entry.id)) for entry in settled if entry.tally])
            self._outbox.acknowledge([entry.id for entry in settled])
            self._batch.acknowledged()

    def again(self) -> None:
        """Start over with what is pending: connections may have changed under us."""
        self._recovered = False

    def forget(self) -> None:
        """What was read and not acknowledged will be read again."""
        self._batch.clear()
        self._candles.clear()
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

    def _unpack(self, entry: OutboxEntry) -> Unpacked:
        try:
            return unpack(entry.payload)
        except UnknownPacking as error:
            self._quarantine.put_raw(entry.id, entry.payload, str(error))
            _log.error("entry_quarantined", entry=entry.id, error=str(error))
            return Unpacked(())


def _spool_row(entry_id: str) -> int:
    """The second half of `<boot ms>-<spool row>`: the same however often the row is forwarded."""
    return int(entry_id.partition("-")[2])
