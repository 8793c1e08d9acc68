"""Spool → Redis: which rows go to the outbox stream next, and which buffer lists need a push or a rewrite.

BufferKeeper's, in its thread. The rules are those of the one durable path: rows go in order, under own ids
`<boot ms>-<row>`; after an outcome unknown the same ids are appended again (already-in is success) and the touched
lists are rewritten from memory; when the stream has lost what was confirmed, a new boot id starts from the oldest row.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import structlog

from tickwire.actors.ports import BufferRedis, LinkDown, ListPush, OutboxEntry, OutboxMissing, RedisRefused, Spool
from tickwire.market.codec import bulk_to_json, json_to_bulk, tick_position
from tickwire.messages.ticks import TickColumns

_log = structlog.get_logger("tickwire.forwarder")

CHUNK_ROWS = 500
"""Rows read from the spool and appended in one round trip when behind."""
CHUNK_BYTES = 8 * 1024 * 1024
"""What they may weigh together: a round trip has two seconds."""
LOOKS = 3
"""At an empty stream, before its missing acknowledgement is given up: the writer tries it again meanwhile."""


class Ring:
    """The last ticks of one asset as RESP bulk strings, oldest first, and where its epoch stands."""

    __slots__ = ("bulks", "epoch", "seq")

    def __init__(self, size: int) -> None:
        self.bulks: deque[bytes] = deque(maxlen=size)
        self.epoch = ""
        self.seq = 0


class Forwarder:
    """State of one incarnation's forwarding; a new one starts from the oldest spool row with a new boot id."""

    def __init__(
        self, redis: BufferRedis, spool: Spool, *, buffer_size: int, window_entries: int, window_bytes: int
    ) -> None:
        self._redis = redis
        self._spool = spool
        self._buffer_size = buffer_size
        self._window_entries = window_entries
        self._window_bytes = window_bytes
        self._rings: dict[str, Ring] = {}
        self._dirty: set[str] = set()
        self._unadopted: set[str] = set()
        """Assets whose lists in Redis are not known yet: an earlier incarnation may have pushed them."""
        self._forwarded_row = spool.first_row - 1
        self._confirmed: tuple[int, int] | None = None
        self._outstanding: deque[tuple[int, int]] = deque()
        self._outstanding_bytes = 0
        self._in_stream = 0
        self._looks_in_vain = 0
        self.checked = False
        """Whether the server has been looked at since the link came up, as far as is known: nothing goes out before."""
        self.trouble = ""
        """Why the last attempt failed although the link is up; empty after a success."""
        self.lost = ""
        """Set when stream or group was found gone: `repair` is due."""

    @property
    def pending_entries(self) -> int:
        """Entries in the stream that are not known to be stored."""
        return self._in_stream

    @property
    def behind(self) -> bool:
        """Whether the spool holds rows that are not forwarded."""
        return self._forwarded_row < self._spool.last_row

    @property
    def awaits_floor(self) -> bool:
        """Whether rows were forwarded that the spool still has."""
        return self._spool.first_row <= self._forwarded_row

    @property
    def window_full(self) -> bool:
        return self._in_stream >= self._window_entries or self._outstanding_bytes >= self._window_bytes

    def position(self, asset: str) -> tuple[str, int] | None:
        """(epoch, seq) of the asset's newest tick, None before its first; only if Redis has it."""
        ring = self._rings.get(asset)
        return (ring.epoch, ring.seq) if ring and ring.epoch and asset not in self._dirty else None

    def remember(self, columns: Iterable[TickColumns]) -> None:
        """Keep live ticks for the lists."""
        for column in columns:
            ring = self._rings.get(column.asset) or self._ring_of(column.asset)
            ring.bulks.extend(column.encoded)
            ring.epoch = column.epoch
            ring.seq = column.first_seq + len(column.encoded) - 1

    def remember_again(self, columns: Iterable[TickColumns]) -> None:
        """Ticks that came before: the lists may lack them, if an earlier incarnation died with them in its hands."""
        for column in columns:
            ring = self._ring_of(column.asset)
            known = ring.seq - column.first_seq + 1 if column.epoch == ring.epoch else 0
            if column.epoch >= ring.epoch and known < len(column.encoded):  # later epochs sort higher
                ring.bulks.extend(column.encoded[max(0, known) :])
                ring.epoch, ring.seq = column.epoch, column.first_seq + len(column.encoded) - 1
                self._dirty.add(column.asset)

    def adopt(self, asset: str) -> None:
        """Take over the list that Redis has of an asset, so that a rewrite does not shorten it. Raises PortErrors."""
        ring = self._ring_of(asset)
        if asset not in self._unadopted:
            return
        newest = self._redis.newest(asset)
        head = tick_position(newest[0]) if newest else ("", 0)
        lacking = [bulk for bulk in ring.bulks if tick_position(bulk_to_json(bulk)) > head]
        ring.bulks = deque([*map(json_to_bulk, reversed(newest)), *lacking], maxlen=self._buffer_size)
        ring.epoch, ring.seq = max((ring.epoch, ring.seq), head)
        self._unadopted.discard(asset)
        if lacking:
            self._dirty.add(asset)

    def stand(self, asset: str, epoch: str, seq: int) -> None:
        """The asset goes on after (epoch, seq)."""
        ring = self._ring_of(asset)
        ring.epoch, ring.seq = epoch, seq

    def _ring_of(self, asset: str) -> Ring:
        ring = self._rings.get(asset)
        if ring is None:
            ring = self._rings[asset] = Ring(self._buffer_size)
            self._unadopted.add(asset)
        return ring

    def forward(self, columns: Sequence[TickColumns], entries: Sequence[tuple[int, bytes]]) -> bool:
        """Push these ticks and send the next rows. `entries` are just-committed rows, to spare reading them back.

        Returns whether Redis took all of it; what it did not take stays dirty or behind.
        """
        if not self._redis.link.up:
            self.checked = False
        if not self.checked or self.lost:
            self._dirty.update(column.asset for column in columns)
            return False
        pushes: list[ListPush] = []
        try:
            for asset in sorted(self._unadopted):
                self.adopt(asset)
            pushes = self._pushes(columns)
            rows = self._next_rows(entries)
            if not pushes and not rows:
                return True
            boot = self._spool.boot_ms
            self._redis.forward(
                pushes, [OutboxEntry(f"{boot}-{row}", payload) for row, payload in rows], self._after(rows)
            )
        except OutboxMissing as error:
            self._after_doubt(columns, pushes, "outbox lost")
            self.lost = str(error)
            return False
        except LinkDown as error:
            self.checked = False
            self._after_doubt(columns, pushes, error.detail)
            return False
        except RedisRefused as error:
            self._after_doubt(columns, pushes, error.kind)
            return False
        self.trouble = ""
        self._dirty.difference_update(push.asset for push in pushes)
        self._note_forwarded(rows)
        return True

    def _after(self, rows: Sequence[tuple[int, bytes]]) -> str | None:
        """What the stream must have: the link may have been cut and up again, to another server, unnoticed so far."""
        return f"{self._confirmed[0]}-{self._confirmed[1]}" if rows and self._confirmed is not None else None

    def _pushes(self, columns: Sequence[TickColumns]) -> list[ListPush]:
        pushes = {asset: self._rewrite(asset) for asset in sorted(self._dirty)}
        for column in columns:
            asset = column.asset
            if asset in self._dirty:
                continue
            last = column.first_seq + len(column.encoded) - 1
            before = pushes.get(asset)
            encoded = column.encoded if before is None else [*before.encoded, *column.encoded]
            pushes[asset] = ListPush(asset=asset, encoded=encoded, epoch=column.epoch, seq=last)
        return list(pushes.values())

    def _rewrite(self, asset: str) -> ListPush:
        ring = self._rings[asset]
        return ListPush(asset=asset, encoded=list(ring.bulks), epoch=ring.epoch, seq=ring.seq, rewrite=True)

    def _next_rows(self, entries: Sequence[tuple[int, bytes]]) -> Sequence[tuple[int, bytes]]:
        room = self._window_entries - self._in_stream
        if room <= 0 or self.window_full:
            return ()
        if entries and entries[0][0] == self._forwarded_row + 1 and len(entries) <= room:
            return self._fitting(entries)
        return self._fitting(self._spool.read(self._forwarded_row, min(room, CHUNK_ROWS))) if self.behind else ()

    def _fitting(self, rows: Sequence[tuple[int, bytes]]) -> Sequence[tuple[int, bytes]]:
        """As many as the window and one round trip can bear, but one at least."""
        left = min(CHUNK_BYTES, self._window_bytes - self._outstanding_bytes)
        for place, (_, payload) in enumerate(rows):
            left -= len(payload)
            if left < 0:
                return rows[: max(1, place)]
        return rows

    def _note_forwarded(self, rows: Sequence[tuple[int, bytes]]) -> None:
        if not rows:
            return
        self._forwarded_row = rows[-1][0]
        self._confirmed = (self._spool.boot_ms, self._forwarded_row)
        self._in_stream += len(rows)
        for row, payload in rows:
            self._outstanding.append((row, len(payload)))
            self._outstanding_bytes += len(payload)

    def _after_doubt(self, columns: Sequence[TickColumns], pushes: Sequence[ListPush], trouble: str) -> None:
        self._dirty.update(push.asset for push in pushes)
        self._dirty.update(column.asset for column in columns)
        self.note(trouble)

    def note(self, trouble: str) -> None:
        """Redis took nothing, and why."""
        if trouble != self.trouble:
            _log.warning("redis_takes_nothing", reason=trouble, spool_rows=self._spool.last_row - self._forwarded_row)
        self.trouble = trouble

    def start_over(self, reason: str) -> None:
        """The stream has lost what was confirmed: forward everything that is not stored again, under a new boot id.

        Raises SpoolFailed, having changed nothing.
        """
        boot = self._spool.new_boot()
        self._forwarded_row = self._spool.first_row - 1
        self._confirmed = None
        self._outstanding.clear()
        self._outstanding_bytes = 0
        self._in_stream = 0
        self._dirty.update(asset for asset, ring in self._rings.items() if ring.epoch)  # the lists went with it
        _log.warning("outbox_started_over", reason=reason, boot_ms=boot, from_row=self._spool.first_row)

    def reconnected(self) -> None:
        """The link is up (again): make the outbox if it is gone, see whether it still has all. Raises PortErrors."""
        self.checked = False
        last = self._redis.last_generated_id()
        self._redis.make_outbox()
        if self._confirmed is not None and (last is None or entry_id(last) < self._confirmed):
            self.start_over(f"its last id is {last or 'gone'}, {self._confirmed[0]}-{self._confirmed[1]} was confirmed")
        self._in_stream = self._redis.outbox_length()
        self.checked = True
        self.trouble = ""

    def repair(self, reason: str) -> None:
        """Stream or group is gone, says who reads it. Raises PortErrors."""
        self.lost = reason  # until all of it is done
        self._redis.make_outbox()
        self.start_over(reason)
        self.lost = ""
        self._in_stream = self._redis.outbox_length()

    def take_acknowledged(self) -> None:
        """Forget what the store has. Raises PortErrors."""
        if self.lost:
            return  # there may be a hole below whatever is acknowledged: a new boot comes first
        # The length first: the writer says what it has stored before it trims that.
        self._in_stream = self._redis.outbox_length()
        acked = self._redis.acked_id()
        boot, row = entry_id(acked) if acked is not None else (0, 0)
        if boot == self._spool.boot_ms:  # else of an older forwarding of rows that are being forwarded again
            while self._outstanding and self._outstanding[0][0] <= row:
                self._outstanding_bytes -= self._outstanding.popleft()[1]
            self._spool.forget(min(row, self._forwarded_row))
        self._look_for_what_is_awaited()

    def _look_for_what_is_awaited(self) -> None:
        """An empty stream from which rows were never acknowledged brings no acknowledgement any more.

        So it is where the server took the writer's trim and refused its word, and the group was then destroyed.
        """
        in_vain = self.awaits_floor and not self._in_stream
        self._looks_in_vain = self._looks_in_vain + 1 if in_vain else 0
        if self._looks_in_vain >= LOOKS:
            self._looks_in_vain = 0
            self.lost = "the stream is empty, and its entries were never acknowledged"


def entry_id(text: str) -> tuple[int, int]:
    """A stream's entry id as a pair that sorts."""
    boot, _, row = text.partition("-")
    return int(boot), int(row)
