"""What must hold, whatever happened: told of every tick read, handed on, committed, stored, acknowledged, published.

It has its own reading of a packed entry and its own uid, made from the specification alone. Each check raises
`Violation` at the very call that breaks the promise.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson
from simulation.stores import Table
from support.redis_streams import Id, Stream, format_id, parse_id

from tickwire.market.rows import Row
from tickwire.messages.telemetry import TicksPublished
from tickwire.messages.ticks import BackfillReceived, TicksReceived


class Violation(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a tick is, by raw values alone."""

    source: str
    asset: str
    stamp: str
    price: str
    ordinal: int


def uid_of(tick: Identity) -> str:
    """UUIDv8 by the specification: 48 bits of milliseconds of the raw stamp (seconds here), the rest BLAKE2b."""
    raw_us = round(float(tick.stamp) * 1e6)
    text = "\0".join((tick.source, tick.asset, tick.stamp, tick.price, str(tick.ordinal)))
    rest = blake2b(text.encode(), digest_size=10).hexdigest()
    ms = f"{raw_us // 1000:012x}"
    variant = "89ab"[int(rest[3], 16) % 4]
    return f"{ms[:8]}-{ms[8:]}-8{rest[:3]}-{variant}{rest[4:7]}-{rest[7:19]}"


def ticks_of(payload: bytes) -> list[Identity]:
    """The ticks of a packed entry."""
    _, columns, *_ = orjson.loads(payload)
    return [
        Identity(source, asset, stamp, price, ordinal)
        for source, _, asset, _, _, stamps, prices, ordinals, _ in columns
        for stamp, price, ordinal in zip(stamps, prices, ordinals, strict=True)
    ]


class Durable:
    """The durable path: told → committed → stored → acknowledged → forgotten. A `Watch` of the server's, in part."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.accepted: dict[str, Identity] = {}
        self.quarantined: set[str] = set()
        self.told: Counter[Identity] = Counter()
        self.committed: Counter[Identity] = Counter()
        self.rows: dict[int, list[str]] = {}
        """Spool row → uids."""
        self.forgotten_row = 0
        self._uids: dict[bytes, list[str]] = {}
        self._acked: set[Id] = set()

    # -- in

    def tell(self, message: TicksReceived | BackfillReceived) -> None:
        """A message was put into BufferKeeper's mailbox."""
        for column in message.columns:
            for stamp, price, ordinal in zip(column.stamps, column.prices, column.ordinals, strict=True):
                self.told[Identity(message.source, column.asset, stamp, price, ordinal)] += 1

    def commit(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """The spool has new rows."""
        for row, payload in rows:
            ticks = ticks_of(payload)
            uids = self._uids[payload] = [uid_of(tick) for tick in ticks]
            self.rows[row] = uids
            self.accepted.update(zip(uids, ticks, strict=True))
            self.committed.update(ticks)
            for tick in ticks:
                if self.committed[tick] > self.told[tick]:
                    raise Violation(f"{tick} was committed {self.committed[tick]} times, told {self.told[tick]} times")

    def process_died(self) -> None:
        """What was told and not committed is lost: the hole before acceptance."""
        self.told = self.committed.copy()

    # -- out

    def inserting(self, row: Row) -> None:
        tick = self.accepted.get(row.uid)
        if tick is None:
            raise Violation(f"the store got {row}, which nobody accepted under this uid")
        if (tick.asset, tick.price, tick.source) != (row.pair, row.price, row.source):
            raise Violation(f"the store got {row} for {tick}")

    def _unstored(self, uids: Sequence[str]) -> list[str]:
        stored, quarantined = self._table.uids, self.quarantined
        return [uid for uid in uids if uid not in stored and uid not in quarantined]

    def _demand_stored(self, uids: Sequence[str], what: str) -> None:
        unstored = self._unstored(uids)
        if unstored:
            raise Violation(f"{what}, but the store lacks {len(unstored)} of its ticks: {self.accepted[unstored[0]]}")

    def acknowledging(self, key: bytes, stream: Stream, ids: Sequence[Id]) -> None:
        for place in ids:
            entry = stream.entries.get(place)
            uids = self._uids_of(entry[1]) if entry else self.rows.get(place[1], [])
            self._demand_stored(uids, f"{format_id(place).decode()} is acknowledged")
        self._acked.update(ids)

    def trimming(self, key: bytes, stream: Stream, ids: Sequence[Id], floor: bytes | None) -> None:
        known = parse_id(floor or b"0-0")
        for place in ids:
            self._demand_stored(self._uids_of(stream.entries[place][1]), f"{format_id(place).decode()} is trimmed")
            if place not in self._acked and place > known:
                raise Violation(f"{format_id(place).decode()} is trimmed and was never acknowledged")

    def forgetting(self, through_row: int) -> None:
        self._demand_through(through_row, f"the spool forgets through row {through_row}")
        self.forgotten_row = max(self.forgotten_row, through_row)

    def _demand_through(self, through_row: int, what: str) -> None:
        for row in range(self.forgotten_row + 1, through_row + 1):
            self._demand_stored(self.rows.get(row, []), f"{what}, row {row} among them")

    def _uids_of(self, payload: bytes) -> list[str]:
        uids = self._uids.get(payload)
        return uids if uids is not None else [uid_of(tick) for tick in ticks_of(payload)]

    # -- at the end

    def demand_all(self) -> None:
        """After a full drain."""
        lost = self.told - self.committed
        if lost:
            raise Violation(f"{lost.total()} ticks were handed on and never accepted: {next(iter(lost))}")
        table = self._table
        uids = Counter(row.uid for row in table.rows)
        twice = [uid for uid, count in uids.items() if count > 1]
        if twice:
            raise Violation(f"{len(twice)} uids are in the store more than once: {self.accepted[twice[0]]}")
        if self.quarantined & set(uids):
            raise Violation("a row is stored and quarantined")
        missing = set(self.accepted) - set(uids) - self.quarantined
        if missing:
            raise Violation(f"{len(missing)} accepted ticks are not stored: {self.accepted[min(missing)]}")
        for row in table.rows:
            if table.refuses(row):
                raise Violation(f"the store has {row}, which it refuses")

    def demand_balanced(self, ledger: Sequence[tuple[str, str, int]]) -> None:
        """After a full drain: (asset, fate, count) of the ledger account for every tick, each once."""
        figures: Counter[tuple[str, str]] = Counter()
        for asset, fate, count in ledger:
            figures[asset, fate] += count
        accepted = Counter(tick.asset for tick in self.committed.elements())
        for asset in {asset for asset, _ in figures} | set(accepted):
            total = {fate: figures[asset, fate] for fate in FATES}
            if total["parsed"] != accepted[asset]:
                raise Violation(f"{accepted[asset]} ticks of {asset} were accepted, the ledger has {total}")
            if total["received"] != total["parsed"] + total["rejected"] + total["duplicate"]:
                raise Violation(f"{asset}: received ticks without a fate, or with two: {total}")
            if total["parsed"] != total["stored"] + total["quarantined"]:
                raise Violation(f"{asset}: parsed ticks without a fate, or with two: {total}")


FATES = ("received", "parsed", "rejected", "duplicate", "stored", "quarantined")


class Live:
    """The live path: numbers and their order, as receivers are told, as subscribers hear, as the buffer keeps."""

    def __init__(self, buffer_size: int) -> None:
        self._buffer_size = buffer_size
        self._next: dict[tuple[str, str], int] = {}
        self._ticks: dict[tuple[str, str, int], tuple[str, str]] = {}
        self._ordinals: Counter[tuple[str, str, str, str]] = Counter()
        self._heard: dict[str, tuple[str, int]] = {}
        self._unnoted: dict[str, tuple[str, int]] = {}
        """Heard since Publisher last counted."""
        self._noted: dict[str, tuple[str, int]] = {}
        self._repeats = False
        self._epochs: dict[str, list[str]] = defaultdict(list)
        self._missing = 0
        self._unpublished = 0
        self._in_mailbox = 0
        """Ticks told to Publisher that it has not counted yet."""

    def process_died(self) -> None:
        """What was in Publisher's mailbox is lost with it, even if the stop before had been called clean."""
        self._ordinals.clear()
        self._unpublished += self._in_mailbox
        self._in_mailbox = 0

    def tell_publisher(self, ticks: int) -> None:
        self._in_mailbox += ticks

    def tell(self, message: TicksReceived, seen: Callable[[str, str, str], int]) -> None:
        """A message was put into the receivers' mailboxes; `seen` says how many equal ticks its feed has read."""
        for column in message.columns:
            key = column.asset, column.epoch
            due = self._next.get(key)
            if due is None:
                if column.first_seq != 1:
                    raise Violation(f"{key} begins at seq {column.first_seq}")
                self._epochs[column.asset].append(column.epoch)
            elif column.first_seq != due:
                raise Violation(f"{key} goes on at seq {column.first_seq}, {due} was due")
            self._next[key] = column.first_seq + len(column.stamps)
            for i, (stamp, price, ordinal) in enumerate(
                zip(column.stamps, column.prices, column.ordinals, strict=True)
            ):
                self._ticks[column.asset, column.epoch, column.first_seq + i] = (stamp, price)
                equal = message.sender, column.asset, stamp, price
                if not self._ordinals[equal] <= ordinal < max(1, seen(column.asset, stamp, price)):
                    raise Violation(
                        f"{equal} has ordinal {ordinal}; the last was {self._ordinals[equal] - 1}, of"
                        f" {seen(column.asset, stamp, price)} that were read"
                    )
                self._ordinals[equal] = ordinal + 1

    def hear(self, asset: str, payload: bytes) -> None:
        """A tick is published."""
        tick = orjson.loads(payload)
        epoch, seq = tick["epoch"], tick["seq"]
        if tick["asset"] != asset or (asset, epoch, seq) not in self._ticks:
            raise Violation(f"on the channel of {asset}: {tick}, which nobody numbered")
        last_epoch, last_seq = self._heard.get(asset, (epoch, 0))
        self._unnoted[asset] = epoch, seq
        if epoch == last_epoch and seq <= last_seq:
            noted_epoch, noted_seq = self._noted.get(asset, ("", 0))
            if not self._repeats or (epoch == noted_epoch and seq <= noted_seq):
                raise Violation(f"{asset} {epoch}: seq {seq} is published after {last_seq}")
            return
        epochs = self._epochs[asset]
        if epochs.index(epoch) < epochs.index(last_epoch):
            raise Violation(f"{asset}: epoch {epoch} is published after {last_epoch}")
        self._missing += seq - (last_seq + 1 if epoch == last_epoch else 1)
        if self._missing > self._unpublished:
            raise Violation(
                f"{asset} {epoch}: seq {seq} is published after {last_seq}; {self._missing} ticks are missing on the"
                f" channels so far, {self._unpublished} were counted"
            )
        self._heard[asset] = epoch, seq

    def note(self, published: TicksPublished) -> None:
        """Publisher has counted, and knows now what it has published."""
        self._unpublished += published.unpublished
        self._in_mailbox -= published.published + published.unpublished
        if published.published:
            self._noted |= self._unnoted
        self._unnoted.clear()

    def publisher_crashed(self) -> None:
        """What it published since it last noted may come once more."""
        self._repeats = True
        self._unnoted.clear()

    @property
    def assets(self) -> Sequence[str]:
        return list(self._epochs)

    def demand_kept(self, asset: str, kept: Sequence[bytes]) -> None:
        """When all is at rest the buffer list has the newest ticks of its epoch, without a hole."""
        epoch = self._epochs[asset][-1]
        newest = self._next[asset, epoch] - 1
        seqs = [tick["seq"] for tick in map(orjson.loads, kept) if tick["epoch"] == epoch]
        due = [newest - i for i in range(min(newest, self._buffer_size))]
        if seqs != due:
            raise Violation(f"the buffer of {asset} has {seqs} of epoch {epoch}, {due} are due")

    def keep(self, asset: str, kept: Sequence[bytes]) -> None:
        """A buffer list has changed: newest first, each once, live ticks only, none beyond the bound."""
        if len(kept) > self._buffer_size:
            raise Violation(f"the buffer of {asset} has {len(kept)} ticks")
        newer: tuple[int, int] | None = None
        order = {epoch: place for place, epoch in enumerate(self._epochs[asset])}
        for payload in kept:
            tick = orjson.loads(payload)
            known = self._ticks.get((asset, tick["epoch"], tick["seq"]))
            if known is None or float(known[1]) != tick["price"]:
                raise Violation(f"the buffer of {asset} has {tick}, which is no live tick of it (known: {known})")
            place = order[tick["epoch"]], tick["seq"]
            if newer is not None and place >= newer:
                raise Violation(f"the buffer of {asset} has {place} behind {newer}")
            newer = place
