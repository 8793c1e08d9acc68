"""From a decoder's events to messages: checks, clock offset, identity, numbers, encoding. Pure, one a feed.

What a step takes in is collected and handed out by `messages`; the shared `FeedMemory` changes only in `settle`, after
the messages were put into the mailboxes: a step that crashes and comes again gives the same ordinals and numbers.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from tickwire.market.identity import new_epoch
from tickwire.market.intake import GoodTicks, Intake
from tickwire.market.numbering import Numbering
from tickwire.market.offset import OffsetChange, OffsetEstimator
from tickwire.market.ordinals import Ordinals
from tickwire.market.values import DAY_US, EARLIEST_US, stamp_us
from tickwire.market.wire import CandleRows, HistoryRows, LiveRows
from tickwire.messages.ticks import (
    RECEIVED,
    BackfillReceived,
    BrokerCandles,
    Count,
    HistoryColumns,
    TickColumns,
    TicksReceived,
)

EARLY_HISTORY_MAX = 64
"""History messages held until a live tick has shown the clock offset; with more, history itself must show it."""


@dataclass(slots=True)
class FeedMemory:
    """What of a feed outlives its ingestor's incarnations (within one run of the process)."""

    ordinals: Ordinals = field(default_factory=Ordinals)
    number: int = 0
    """Of the last message sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    sender: str
    feed: str
    source: str
    unit: str = "s"
    unique_stamps: bool = False
    estimates_offset: bool = False
    selected: Collection[str] = ()


@dataclass(slots=True)
class _Batch:
    """Ticks that become one message: same moment of receipt."""

    recv_us: int
    live: list[TickColumns] = field(default_factory=list)
    history: list[HistoryColumns] = field(default_factory=list)
    candles: list[BrokerCandles] = field(default_factory=list)


class FeedPipeline:
    """One incarnation's. Feed it events, then `messages`, put them, then `settle`."""

    def __init__(self, settings: PipelineSettings, memory: FeedMemory, offset: OffsetEstimator) -> None:
        self._settings = settings
        self._memory = memory
        self._memory.ordinals.forget_staged()
        self._offset = offset
        self._offset_known = not settings.estimates_offset
        self.intake = Intake(
            unit=settings.unit,
            unique_stamps=settings.unique_stamps,
            ordinals=memory.ordinals,
            selected=settings.selected,
        )
        self.numbering = Numbering(settings.source)
        self._batches: list[_Batch] = []
        self._early: list[tuple[HistoryRows | CandleRows, int, int]] = []
        self._numbered = memory.number
        self._uncounted: Counter[tuple[str, str]] = Counter()
        """Counts that no message has carried yet."""
        self._measured: Counter[tuple[str, str]] = Counter()
        self.newest_us: dict[str, int] = {}
        self.lateness_us = 0
        self.offset_changes: list[OffsetChange] = []

    @property
    def offset_us(self) -> int:
        """The source's clock ahead of UTC, as far as known."""
        return self._offset.offset_us if self._settings.estimates_offset else 0

    def live(self, rows: LiveRows, arrival_us: int, recv_us: int) -> list[str]:
        """Take live ticks; returns the assets they were of."""
        good = self.intake.live(rows, arrival_us + self.offset_us)
        if good and self._settings.estimates_offset:
            self._observe(max(ticks.raw_us[-1] for ticks in good), arrival_us)
        for ticks in good:
            self._take(ticks, recv_us)
        if self._early and self._offset_known:
            self.take_early()
        return [ticks.asset for ticks in good]

    def _observe(self, newest_us: int, arrival_us: int) -> None:
        change = self._offset.observe(newest_us, arrival_us)
        self._offset_known = True
        if change is not None:
            self.offset_changes.append(change)

    def _take(self, ticks: GoodTicks, recv_us: int) -> None:
        newest = self.newest_us.get(ticks.asset, 0)
        self.lateness_us = max(self.lateness_us, newest - min(ticks.raw_us)) if newest else self.lateness_us
        self.newest_us[ticks.asset] = max(newest, max(ticks.raw_us))
        columns = self.numbering.number(ticks, recv_us, self.offset_us)
        if columns is not None:
            self._batch(recv_us).live.append(columns)
        elif self.numbering.refused(ticks.asset):
            self.intake.count(ticks.asset, "not_owner", len(ticks.raw_us))
        else:
            self.intake.count(ticks.asset, RECEIVED, -len(ticks.raw_us))  # held: they count when they go out

    def past(self, rows: HistoryRows | CandleRows, arrival_us: int, recv_us: int) -> None:
        """Take history or candles of the broker; held while the clock offset is not known yet."""
        if not self._offset_known and len(self._early) < EARLY_HISTORY_MAX:
            self._early.append((rows, arrival_us, recv_us))
            return
        if not self._offset_known:
            self.take_early()
        if isinstance(rows, CandleRows):
            candles = self.intake.candles(rows, self.offset_us, arrival_us + self.offset_us)
            if candles is not None:
                self._batch(recv_us).candles.append(candles)
            return
        ticks = self.intake.history(rows, arrival_us + self.offset_us)
        if ticks is None:
            return
        if self.numbering.refused(ticks.asset):
            self.intake.count(ticks.asset, "not_owner", len(ticks.raw_us))
            return
        self._batch(recv_us).history.append(_history(ticks, self.offset_us))

    def take_early(self) -> None:
        """Take the history that waited for the offset; where no live tick came, its own newest stamp decides."""
        early, self._early = self._early, []
        if early and not self._offset_known:
            self._offset_known = True
            newest = [(us - at, at) for rows, at, _ in early for us in self._newest(rows, at)]
            if newest:
                ahead, at = max(newest)
                self._observe(at + ahead, at)
        for rows, arrival_us, recv_us in early:
            self.past(rows, arrival_us, recv_us)

    def _newest(self, rows: HistoryRows | CandleRows, arrival_us: int) -> list[int]:
        """The newest stamp of a history message, or nothing."""
        if isinstance(rows, CandleRows):
            return []
        stamps = [at[0] for at in (stamp_us(stamp, self._settings.unit) for stamp in rows.stamps) if at is not None]
        good = [us for us in stamps if EARLIEST_US < us <= arrival_us + DAY_US]
        return [max(good)] if good else []

    def grant(self, asset: str, epoch: str, next_seq: int) -> bool:
        """Number what was held for the asset. False where that ended with a doubt: the grant is used up by it."""
        for recv_us, columns in self.numbering.grant(asset, epoch, next_seq):
            self._batch(recv_us).live.append(columns)
            self.intake.count(asset, RECEIVED, len(columns.encoded))
        return self.numbering.granted(asset)

    def grant_rest(self, now_us: Callable[[], int]) -> None:
        """Nobody is asked any more: what waits for an answer begins epochs of its own."""
        while assets := self.numbering.ungranted():
            for asset in assets:
                self.grant(asset, new_epoch(now_us()), 1)

    def refuse(self, asset: str, owner: str) -> None:
        dropped = self.numbering.refuse(asset, owner)
        if dropped:
            self.intake.count(asset, RECEIVED, dropped)
            self.intake.count(asset, "not_owner", dropped)

    def _batch(self, recv_us: int) -> _Batch:
        if not self._batches or self._batches[-1].recv_us != recv_us:
            self._batches.append(_Batch(recv_us))
        return self._batches[-1]

    def take_counts(self) -> list[Count]:
        """What was refused or repeated since the last call, for a person to see."""
        self._take_counts()
        counts = _counts(self._measured)
        self._measured.clear()
        return counts

    def _take_counts(self) -> None:
        for count in self.intake.take_counts():
            self._uncounted[count.asset, count.reason] += count.count
            if count.reason != RECEIVED:
                self._measured[count.asset, count.reason] += count.count

    def messages(self, *, counts_at_us: int | None = None) -> list[TicksReceived | BackfillReceived]:
        """What was taken since the last `settle`, numbered, in order. Empty if nothing came of it.

        Each says that its own ticks were received: one may be accepted, and the process end before the next one is.
        Other counts ride on the last; `counts_at_us`, the time of receipt, says that they shall go now, ticks or none.
        """
        messages: list[TicksReceived | BackfillReceived] = []
        self._take_counts()
        if not self._batches and any(self._uncounted.values()) and counts_at_us is not None:
            self._batch(counts_at_us)
        parts = [part for batch in self._batches for part in _parts(batch)]
        for place, (batch, columns) in enumerate(parts):
            counts = self._counts_of(columns, all_others=place == len(parts) - 1)
            live = columns is batch.live
            messages.append(self._live_message(batch, counts) if live else self._history_message(batch, counts))
        return messages

    def _counts_of(self, columns: Sequence[TickColumns | HistoryColumns], *, all_others: bool) -> list[Count]:
        own: Counter[tuple[str, str]] = Counter()
        for column in columns:
            own[column.asset, RECEIVED] += len(column.ts_us)
        self._uncounted.subtract(own)
        if all_others:
            own.update(self._uncounted)
            self._uncounted = Counter()
        return _counts(own)

    def _live_message(self, batch: _Batch, counts: Sequence[Count]) -> TicksReceived:
        self._numbered += 1
        return TicksReceived(
            sender=self._settings.sender,
            number=self._numbered,
            feed=self._settings.feed,
            source=self._settings.source,
            recv_us=batch.recv_us,
            ticks=sum(len(columns.encoded) for columns in batch.live),
            columns=batch.live,
            counts=counts,
        )

    def _history_message(self, batch: _Batch, counts: Sequence[Count]) -> BackfillReceived:
        self._numbered += 1
        return BackfillReceived(
            sender=self._settings.sender,
            number=self._numbered,
            feed=self._settings.feed,
            source=self._settings.source,
            recv_us=batch.recv_us,
            ticks=sum(len(columns.ts_us) for columns in batch.history),
            columns=batch.history,
            candles=batch.candles,
            counts=counts,
        )

    def settle(self) -> None:
        """The messages were put: their ordinals and numbers count."""
        self._batches = []
        self._memory.number = self._numbered
        self._memory.ordinals.commit()


def _parts(batch: _Batch) -> list[tuple[_Batch, Sequence[TickColumns | HistoryColumns]]]:
    """A message each: the live ticks (also where there is nothing at all), and the past."""
    past = bool(batch.history or batch.candles)
    live = bool(batch.live) or not past
    return [(batch, batch.live)] * live + [(batch, batch.history)] * past


def _counts(counter: Counter[tuple[str, str]]) -> list[Count]:
    return [Count(asset=asset, reason=reason, count=count) for (asset, reason), count in counter.items() if count]


def _history(ticks: GoodTicks, offset_us: int) -> HistoryColumns:
    return HistoryColumns(
        asset=ticks.asset,
        offset_us=offset_us,
        ts_us=[us - offset_us for us in ticks.raw_us] if offset_us else ticks.raw_us,
        stamps=ticks.stamps,
        prices=ticks.prices,
        ordinals=ticks.ordinals,
        trade_ids=ticks.trade_ids,
    )
