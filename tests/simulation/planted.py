"""Bugs to be found: each is a patch of a real class, of the kind that is easily written and hardly seen.

`BUGS` names them; `with BUGS["…"]():` plants one for as long as it lasts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from math import inf
from typing import Any
from unittest.mock import patch
from weakref import WeakSet

from tickwire.actors import asset_grants as asset_grants_module
from tickwire.actors.buffer_keeper import BufferKeeper
from tickwire.actors.feed_session import FeedSession
from tickwire.actors.forwarder import Forwarder, entry_id
from tickwire.actors.kernel.mailbox import Mailbox
from tickwire.actors.outbox_reader import OutboxReader
from tickwire.actors.ports import ListPush, OutboxEntry
from tickwire.market import packing as packing_module
from tickwire.market.batching import Batch
from tickwire.market.candle_book import CandleBook
from tickwire.market.coverage import Coverage
from tickwire.market.identity import tick_uids
from tickwire.market.intake import Intake
from tickwire.market.numbering import Numbering
from tickwire.market.ordinals import Ordinals
from tickwire.market.ownership import Ownership
from tickwire.market.rows import Row
from tickwire.messages.ticks import DUPLICATE, Count
from tickwire.runtime.redisio.buffer import RedisBuffer
from tickwire.runtime.redisio.outbox import RedisOutbox
from tickwire.runtime.redisio.resp import pack
from tickwire.runtime.stores.ledger import SqliteLedger
from tickwire.runtime.stores.quarantine import SqliteQuarantine
from tickwire.runtime.stores.spool import SqliteSpool

Plant = Callable[[], AbstractContextManager[object]]
BUGS: dict[str, Plant] = {}


def bug(name: str) -> Callable[[Callable[[], AbstractContextManager[object]]], Plant]:
    def note(plant: Plant) -> Plant:
        BUGS[name] = plant
        return plant

    return note


@bug("acknowledged before the store's commit")
def _() -> AbstractContextManager[object]:
    read_new = RedisOutbox.read_new

    def eager(self: RedisOutbox, limit: int) -> Sequence[OutboxEntry]:
        entries = read_new(self, limit)
        self.acknowledge([entry.id for entry in entries])
        return entries

    return patch.object(RedisOutbox, "read_new", eager)


@bug("popped before the write")
def _() -> AbstractContextManager[object]:
    head, done = Batch.head, Batch.done

    def popping(self: Batch, most: int) -> list[Row]:
        rows = head(self, most)
        done(self, len(rows))
        return rows

    return patch.multiple(Batch, head=popping, done=lambda self, rows: None)


@bug("the stream trimmed by MAXLEN")
def _() -> AbstractContextManager[object]:
    forward = RedisBuffer.forward

    def capped(self: Any, pushes: Any, entries: Any, after: str | None = None) -> None:
        forward(self, pushes, entries, after)
        if entries:
            self._link.call(pack("XTRIM", self._outbox, "MAXLEN", "~", 6), 1)

    return patch.object(RedisBuffer, "forward", capped)


@bug("entries under ids of the server's own (*)")
def _() -> AbstractContextManager[object]:
    forward = RedisBuffer.forward

    def starred(self: RedisBuffer, pushes: Any, entries: Sequence[OutboxEntry], after: str | None = None) -> None:
        forward(self, pushes, [OutboxEntry("*", entry.payload) for entry in entries])

    return patch.object(RedisBuffer, "forward", starred)


@bug("uids made of the corrected stamp")
def _() -> AbstractContextManager[object]:
    def corrected(*, source: str, raw_us: Sequence[int], **rest: Any) -> list[str]:
        offset_us = 7_200_000_000 if source == "pocketoption" else 0
        return tick_uids(source=source, raw_us=[us - offset_us for us in raw_us], **rest)

    return patch.object(packing_module, "tick_uids", corrected)


@bug("ordinals reset when the feed reconnects")
@contextmanager
def _() -> Iterator[None]:
    made: WeakSet[Ordinals] = WeakSet()
    make, connect = Ordinals.__init__, FeedSession.__init__

    def noted(self: Ordinals) -> None:
        make(self)
        made.add(self)

    def forgetful(self: FeedSession, *args: Any, **kwargs: Any) -> None:
        connect(self, *args, **kwargs)
        for ordinals in made:
            ordinals._assets.clear()

    with patch.object(Ordinals, "__init__", noted), patch.object(FeedSession, "__init__", forgetful):
        yield


@bug("an epoch reused after a kill")
def _() -> AbstractContextManager[object]:
    return patch.object(asset_grants_module, "continues", lambda record, boot_ms: record.epoch is not None)


@bug("the mailbox lost at a restart")
def _() -> AbstractContextManager[object]:
    give_back = Mailbox.give_back

    def losing(self: Any, taker: object, batch: Sequence[object], *, crashes_allowed: int) -> Sequence[object]:
        poison = give_back(self, taker, batch, crashes_allowed=crashes_allowed)
        self._data, self._suspects, self._weight = [], 0, 0
        return poison

    return patch.object(Mailbox, "give_back", losing)


@bug("the batch in flight lost at a crash")
def _() -> AbstractContextManager[object]:
    give_back = Mailbox.give_back

    def losing(self: Any, taker: object, batch: Sequence[object], *, crashes_allowed: int) -> Sequence[object]:
        return give_back(self, taker, (), crashes_allowed=crashes_allowed)

    return patch.object(Mailbox, "give_back", losing)


@bug("spool rows deleted once they are forwarded")
def _() -> AbstractContextManager[object]:
    note = Forwarder._note_forwarded

    def forgetful(self: Any, rows: Sequence[tuple[int, bytes]]) -> None:
        note(self, rows)
        if rows:
            self._spool.forget(rows[-1][0])

    return patch.object(Forwarder, "_note_forwarded", forgetful)


@bug("the floor moved past a hole after FLUSHALL")
def _() -> AbstractContextManager[object]:
    def going_on(self: Any, reason: str) -> None:
        self._in_stream = 0

    return patch.object(Forwarder, "start_over", going_on)


@bug("the floor of an older boot taken for this one's")
def _() -> AbstractContextManager[object]:
    def taking(self: Any) -> None:
        acked = self._redis.acked_id()
        self._in_stream = self._redis.outbox_length()
        if acked is not None:
            self._spool.forget(self._forwarded_row if entry_id(acked)[0] else 0)

    return patch.object(Forwarder, "take_acknowledged", taking)


@bug("a message accepted twice after a crash")
def _() -> AbstractContextManager[object]:
    return patch.object(SqliteSpool, "taken", lambda self: {})


@bug("lists pushed again where they were to be rewritten")
def _() -> AbstractContextManager[object]:
    def pushing(self: Any, asset: str) -> ListPush:
        ring = self._rings[asset]
        return ListPush(asset=asset, encoded=list(ring.bulks), epoch=ring.epoch, seq=ring.seq)

    return patch.object(Forwarder, "_rewrite", pushing)


@bug("who feeds an asset forgotten at a crash")
def _() -> AbstractContextManager[object]:
    make = BufferKeeper.__init__

    def forgetful(self: BufferKeeper, context: Any, **given: Any) -> None:
        make(self, context, **{**given, "ownership": Ownership()})

    return patch.object(BufferKeeper, "__init__", forgetful)


@bug("what a full disk refused dropped")
def _() -> AbstractContextManager[object]:
    hold = BufferKeeper._hold

    def dropping(self: Any, messages: Any, error: Any) -> None:
        hold(self, messages, error)
        self._unaccepted.clear()

    return patch.object(BufferKeeper, "_hold", dropping)


@bug("bad rows acknowledged and not quarantined")
def _() -> AbstractContextManager[object]:
    return patch.object(SqliteQuarantine, "put", lambda self, rows, reason: None)


@bug("an acknowledgement cut half way left so")
def _() -> AbstractContextManager[object]:
    return patch.object(RedisOutbox, "settle", lambda self: None)


@bug("the window not kept")
def _() -> AbstractContextManager[object]:
    def all_rows(self: Any, entries: Sequence[tuple[int, bytes]]) -> Sequence[tuple[int, bytes]]:
        rows: Sequence[tuple[int, bytes]] = self._spool.read(self._forwarded_row, 500)
        return rows

    return patch.object(Forwarder, "_next_rows", all_rows)


@bug("ticks held for a grant dropped")
def _() -> AbstractContextManager[object]:
    grant = Numbering.grant

    def forgetful(self: Numbering, asset: str, epoch: str, next_seq: int) -> Sequence[Any]:
        return grant(self, asset, epoch, next_seq)[:0]

    return patch.object(Numbering, "grant", forgetful)


@bug("the ledger counts an entry that comes again twice")
def _() -> AbstractContextManager[object]:
    return patch.object(SqliteLedger, "_mark", lambda _self, _entry: True)


@bug("the ledger is told after the acknowledgement")
def _() -> AbstractContextManager[object]:
    def late(self: OutboxReader) -> None:
        settled = list(self._batch.settled)
        if settled:
            self._outbox.acknowledge([entry.id for entry in settled])
            self._batch.acknowledged()
            self._ledger.post([entry.tally.settled(int(entry.id.partition("-")[2])) for entry in settled])

    return patch.object(OutboxReader, "acknowledge", late)


@bug("a repeat is dropped and not counted")
def _() -> AbstractContextManager[object]:
    genuine = Intake.take_counts

    def silent(self: Intake) -> list[Count]:
        return [count for count in genuine(self) if count.reason != DUPLICATE]

    return patch.object(Intake, "take_counts", silent)


@bug("silence while a feed is cut off passes for the market's")
@contextmanager
def _() -> Iterator[None]:
    with patch.object(CandleBook, "doubt", lambda self, names: None), patch.object(Coverage, "sure_us", inf):
        yield
