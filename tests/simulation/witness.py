"""Stands between the simulated surroundings and the oracle: sees every call that a promise hangs on, and judges it.

A violation in an actor's turn would pass for the actor's crash: it is kept, and ends the run behind the turn.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from simulation.chance import ProcessKilled
from simulation.disk import Disk
from simulation.oracle import Durable, Live, Violation
from simulation.stores import Table
from simulation.venues import Tick, Venue
from support.redis_model import RedisModel, Watch
from support.redis_streams import Id, Stream

from tickwire.market.keys import Keys
from tickwire.market.rows import Row
from tickwire.messages.telemetry import FeedMeasured, TicksPublished
from tickwire.messages.ticks import BackfillReceived, TicksReceived

NOT_HANDED_ON = {"duplicate", "not_owner", "bad_price"}


class Witness(Watch):
    def __init__(
        self,
        *,
        disk: Disk,
        table: Table,
        keys: Keys,
        producer: str,
        venues: Sequence[Venue],
        buffer_size: int,
        kill: Callable[[], None],
    ) -> None:
        self.durable = Durable(table)
        self.live = Live(buffer_size)
        self.violation: Violation | None = None
        self.redis: RedisModel
        self._disk = disk
        self._venues = {venue.profile.name: venue for venue in venues}
        self._kill = kill
        self._seen_row = 0
        self._updates = keys.updates("").encode()
        self._lists = keys.ticks("").encode()
        self._outbox = keys.outbox(producer).encode()
        self._acked = keys.acked(producer).encode()
        self._handed_on: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        disk.committed = self._committed
        disk.forgetting = self._forgetting
        table.inserting = self._inserting

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except Violation as error:
            self.violation = self.violation or error
            self._kill()
            raise ProcessKilled from error

    def process_died(self) -> None:
        self.durable.process_died()
        self.live.process_died()
        self._handed_on.clear()
        self._counted.clear()

    # -- messages ------------------------------------------------------------------------------------------------------

    def told(self, sender: str, receiver: str, message: object) -> None:
        """A message was just put into the receiver's mailbox."""
        with self._judged():
            match message:
                case TicksReceived() if receiver == "buffer_keeper":
                    read = self._venues[message.feed].read
                    self.durable.tell(message)
                    self.live.tell(message, lambda *tick: read.live[Tick(*tick)])
                    self._handed_on[message.feed] += message.ticks
                case TicksReceived() if receiver == "publisher":
                    self.live.tell_publisher(message.ticks)
                case BackfillReceived() if receiver == "buffer_keeper":
                    self.durable.tell(message)
                    self._handed_on[message.feed] += message.ticks
                case FeedMeasured():
                    self._counted[message.feed] += sum(c.count for c in message.counts if c.reason in NOT_HANDED_ON)
                case TicksPublished() if sender == "publisher":
                    self.live.note(message)

    def demand_balance(self, feed: str) -> None:
        """After a drain of a run in which its ingestor never crashed: what was read was handed on, or counted."""
        read = self._venues[feed].read
        ticks = read.live.total() + read.past.total() + read.bad
        if ticks != self._handed_on[feed] + self._counted[feed]:
            raise Violation(
                f"{feed}: {ticks} ticks were read, {self._handed_on[feed]} handed on, {self._counted[feed]} counted"
            )

    # -- disk and store ------------------------------------------------------------------------------------------------

    def _committed(self, name: str) -> None:
        if name != "spool.db":
            return
        spool = self._disk.file("spool.db")
        rows = spool.execute("select row, entry from spool where row > ? order by row", (self._seen_row,)).fetchall()
        with self._judged():
            if rows:
                self._seen_row = rows[-1][0]
                self.durable.commit(rows)

    def _forgetting(self, _db: object, through_row: int) -> None:
        with self._judged():
            self.see_quarantine()
            self.durable.forgetting(through_row)

    def _inserting(self, row: Row) -> None:
        with self._judged():
            self.durable.inserting(row)

    def see_quarantine(self) -> None:
        db = self._disk.file("quarantine.db")
        if db.execute("select 1 from sqlite_master where name = 'quarantine'").fetchone():
            found = db.execute("select uid from quarantine where uid is not null")
            self.durable.quarantined = {uid for (uid,) in found}

    def demand_balanced(self) -> None:
        """After a full drain: the ledger accounts for every tick."""
        db = self._disk.file("ledger.db")
        kept = db.execute("select 1 from sqlite_master where name = 'ledger'").fetchone()
        figures = db.execute("select asset, fate, sum(count) from ledger group by 1, 2").fetchall() if kept else []
        self.durable.demand_balanced(figures)

    # -- Redis ---------------------------------------------------------------------------------------------------------

    def acknowledging(self, key: bytes, stream: Stream, ids: Sequence[Id]) -> None:
        with self._judged():
            self.see_quarantine()
            self.durable.acknowledging(key, stream, ids)

    def trimming(self, key: bytes, stream: Stream, ids: Sequence[Id]) -> None:
        with self._judged():
            self.durable.trimming(key, stream, ids, self.redis.data.get(self._acked))

    def publishing(self, channel: bytes, payload: bytes) -> None:
        with self._judged():
            if channel.startswith(self._updates):
                self.live.hear(channel[len(self._updates) :].decode(), payload)

    def see_lists(self) -> None:
        """Look at the buffer lists that have changed."""
        touched, self.redis.touched = self.redis.touched, set()
        for key in sorted(touched):
            if key.startswith(self._lists):
                self.live.keep(key[len(self._lists) :].decode(), self.redis.data.get(key, []))

    def in_spool(self) -> int:
        """Rows."""
        count: int = self._disk.file("spool.db").execute("select count(*) from spool").fetchone()[0]
        return count

    def in_stream(self) -> int:
        """Entries."""
        stream = self.redis.data.get(self._outbox)
        return len(stream.entries) if isinstance(stream, Stream) else 0

    def is_drained(self) -> bool:
        return not self.in_spool() and not self.in_stream() and self.durable.told == self.durable.committed

    def demand_drained(self) -> None:
        lost = self.durable.told - self.durable.committed
        if lost:
            raise Violation(f"{lost.total()} ticks were handed on and never accepted, like {next(iter(lost))}")
        if not self.is_drained():
            raise Violation(
                f"not drained: {self.in_spool()} rows in the spool, {self.in_stream()} entries in the outbox"
            )

    def demand_lists(self) -> None:
        """When all is at rest, and no memory was lost."""
        for asset in self.live.assets:
            self.live.demand_kept(asset, self.redis.data.get(self._lists + asset.encode(), []))
