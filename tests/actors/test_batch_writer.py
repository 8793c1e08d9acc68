"""BatchWriter through its mailbox: stream → store → acknowledgement."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from math import ceil, log2
from pathlib import Path
from random import Random

import pytest
from support.redis_doubles import MemoryRedis, parse_id
from support.stage import Asker, Stage
from support.store_doubles import MemoryTable
from support.ticks import columns, received

from tickwire.actors.batch_writer import BatchWriter, BatchWriterSettings
from tickwire.actors.one_timer import GoOn
from tickwire.actors.ports import OutboxEntry, StoreMisconfigured, StoreUnavailable
from tickwire.market.candle_rows import CandleRow
from tickwire.market.ledger import EntryPostings, accounts
from tickwire.market.packing import pack, pack_candles, unpack_rows
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.messages.lifecycle import Flushed, FlushRequested, LinkChanged, LinkState, OutboxLost
from tickwire.messages.telemetry import BacklogMeasured, BatchStored, CandlesStored, RowsQuarantined, SpoolMeasured
from tickwire.messages.ticks import TicksAccepted
from tickwire.runtime.stores.ledger import SqliteLedger
from tickwire.runtime.stores.quarantine import SqliteQuarantine

DOWN = StoreUnavailable("connection refused")
INTERVAL_S = 30.0


class FullDisk(SqliteQuarantine):
    """Takes nothing while `full`."""

    full = False

    def put(self, rows: Sequence[Row], reason: str) -> None:
        if self.full:
            raise StoreUnavailable("quarantine: disk full")
        super().put(rows, reason)

    def put_raw(self, entry_id: str, payload: bytes, reason: str) -> None:
        if self.full:
            raise StoreUnavailable("quarantine: disk full")
        super().put_raw(entry_id, payload, reason)


class FullLedger(SqliteLedger):
    """Takes nothing while `full`."""

    full = False

    def post(self, entries: Sequence[EntryPostings]) -> None:
        if self.full:
            raise StoreUnavailable("ledger: disk full")
        super().post(entries)


class Writer:
    """A BatchWriter on a stage; Redis and the store in memory, the quarantine real."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.stage = Stage("batch_writer")
        self.redis = MemoryRedis(clock=self.stage.clock.monotonic)
        self.table = MemoryTable()
        self.settings = BatchWriterSettings(interval_s=INTERVAL_S, **settings)  # type: ignore[arg-type]
        self.path = folder / "quarantine.db"
        self.keeper = self.redis.buffer("p1")
        self.keeper.make_outbox()
        self.entries = 0
        self.ticks = 0
        self.expected: list[Row] = []

    def start(self) -> "Writer":
        self.actor = BatchWriter(
            self.stage.context,
            outbox=lambda: self.redis.outbox("p1", self.on_link),
            store=self.table.store,
            quarantine=self.make_quarantine,
            ledger=self.make_ledger,
            clock=self.stage.clock,
            random=Random(1),
            settings=self.settings,
        )
        self.stage.open(self.actor)
        return self

    def make_quarantine(self) -> FullDisk:
        self.quarantine = FullDisk(self.path)
        return self.quarantine

    def make_ledger(self) -> FullLedger:
        self.ledger = FullLedger(self.path.with_name("ledger.db"))
        return self.ledger

    def on_link(self, state: LinkState, detail: str) -> None:
        self.stage.context.me.tell(LinkChanged(owner="batch_writer", link="redis", state=state, detail=detail))

    def restart(self) -> None:
        self.actor.close()
        self.stage.context.timers.clear()
        self.stage.context.incarnation += 1
        self.start()

    def forward(self, *sizes: int, asset: str = "A") -> None:
        """Entries of so many ticks each into the outbox, as BufferKeeper would."""
        for size in sizes:
            self.entries += 1
            payload = pack([received(self.entries, columns(asset, self.ticks + 1, size))])
            self.ticks += size
            self.keeper.forward([], [OutboxEntry(f"7-{self.entries}", payload)])
            self.expected += unpack_rows(payload)

    def forward_candles(self, *candles: Candle, asset: str = "A") -> None:
        """An entry of candles into the outbox."""
        self.entries += 1
        payload = pack_candles([CandleRow(asset, candle) for candle in candles])
        self.keeper.forward([], [OutboxEntry(f"7-{self.entries}", payload)])

    def kept(self, asset: str = "A") -> list[Candle]:
        return [row.candle for key, row in sorted(self.table.kept.items()) if key[0] == asset]

    def accepted(self, ticks: int, *, pending_entries: int = 0) -> None:
        self.stage.step(TicksAccepted(ticks=ticks, rows=1, pending_entries=pending_entries))

    def flush(self) -> Asker:
        asker = Asker()
        self.stage.step(FlushRequested(reply_to=asker))
        self.stage.advance(0.0)
        return asker

    @property
    def acked(self) -> int:
        """Number of the last acknowledged entry, 0 if none."""
        return parse_id(self.redis.strings.get("tickwire:acked:p1", b"7-0").decode())[1]

    @property
    def waiting(self) -> int:
        return len(self.redis.outbox_payloads("p1"))

    def assert_all_stored_once(self) -> None:
        assert self.table.rows == self.expected
        assert self.acked == self.entries
        assert self.waiting == 0

    def store_states(self) -> list[tuple[str, str]]:
        told = self.stage.told("metrics_collector", LinkChanged)
        return [(change.state, change.detail) for change in told if change.link == "store"]

    def quarantined(self) -> list[tuple[str | None, str | None, str]]:
        db = sqlite3.connect(self.path)
        try:
            return db.execute("select uid, entry_id, reason from quarantine order by id").fetchall()
        finally:
            db.close()


Make = Callable[..., Writer]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Writer] = []

    def build(**settings: float) -> Writer:
        made.append(Writer(tmp_path, **settings))
        return made[-1]

    yield build
    for writer in made:
        writer.actor.close()


# -- when it writes ------------------------------------------------------------------------------------------------


def test_at_each_interval_all_of_the_outbox_is_stored_acknowledged_and_trimmed(make: Make) -> None:
    writer = make().start()
    writer.forward(3, 1, 4)
    writer.stage.advance(INTERVAL_S - 1)
    assert writer.table.rows == []
    writer.stage.advance(2.0)
    writer.assert_all_stored_once()
    writer.forward(2)
    writer.stage.advance(INTERVAL_S)
    writer.assert_all_stored_once()


def test_it_fires_early_at_so_many_pending_ticks(make: Make) -> None:
    writer = make(early_ticks=100).start()
    writer.forward(99)
    writer.accepted(99)
    assert writer.table.writes == []
    writer.forward(1)
    writer.accepted(1)
    writer.stage.advance(1.0)
    writer.assert_all_stored_once()


def test_it_fires_early_when_half_the_window_is_taken(make: Make) -> None:
    writer = make(early_entries=10).start()
    writer.forward(*[1] * 10)
    writer.accepted(1, pending_entries=9)
    assert writer.table.writes == []
    writer.accepted(1, pending_entries=10)
    writer.stage.advance(1.0)
    writer.assert_all_stored_once()


def test_a_batch_goes_in_slices_over_at_most_a_third_of_the_interval(make: Make) -> None:
    writer = make().start()
    writer.forward(*[10] * 60)
    writer.accepted(600)
    writer.stage.advance(INTERVAL_S)
    begun = len(writer.table.writes)
    assert begun == 1
    writer.stage.advance(INTERVAL_S / 3)
    assert max(writer.table.writes) == 50
    assert len(writer.table.writes) == 12
    writer.assert_all_stored_once()


def test_a_large_batch_of_slices_still_ends_within_a_third_of_the_interval(make: Make) -> None:
    writer = make().start()
    writer.forward(*[50] * 390)
    writer.accepted(19_500)
    writer.stage.advance(INTERVAL_S)
    assert len(writer.table.rows) < 19_500
    writer.stage.advance(INTERVAL_S / 3)
    writer.assert_all_stored_once()


def test_a_backlog_goes_in_large_batches_without_pauses(make: Make) -> None:
    writer = make(catch_up_rows=500, early_ticks=400).start()
    writer.forward(*[10] * 60)
    writer.accepted(600)
    writer.stage.advance(0.0)
    assert writer.table.writes == [600]
    writer.assert_all_stored_once()


def test_a_backlog_that_grows_meanwhile_ends_the_pauses(make: Make) -> None:
    writer = make(catch_up_rows=500, early_ticks=400).start()
    writer.forward(*[10] * 45)
    writer.accepted(450)
    assert writer.table.writes == [50]
    writer.forward(*[10] * 60)
    writer.accepted(600)
    writer.stage.advance(0.0)
    writer.assert_all_stored_once()
    assert writer.table.writes == [50, 400, 600]


def test_entries_are_read_in_portions_and_stored_in_order(make: Make) -> None:
    writer = make(read_entries=7).start()
    writer.forward(*range(1, 40))
    writer.flush()
    writer.assert_all_stored_once()


# -- flush ---------------------------------------------------------------------------------------------------------


def test_a_flush_is_hurried_and_answered_once_all_is_stored(make: Make) -> None:
    writer = make().start()
    writer.forward(*[10] * 300)
    asker = writer.flush()
    assert asker.answers == [Flushed(rows=3000, error=None)]
    writer.assert_all_stored_once()
    assert writer.table.stores[-1].hurried


def test_the_hurry_of_a_flush_is_over_by_the_next_batch(make: Make) -> None:
    writer = make().start()
    writer.forward(5)
    writer.flush()
    writer.forward(5)
    writer.stage.advance(INTERVAL_S)
    assert not writer.table.stores[-1].hurried
    writer.assert_all_stored_once()


def test_a_stop_that_flushes_again_and_again_stays_hurried(make: Make) -> None:
    writer = make().start()
    writer.forward(5)
    writer.table.fail(DOWN)
    for _ in range(5):
        writer.flush()
        writer.stage.advance(8.0)
        assert writer.table.stores[-1].hurried


def test_a_flush_with_nothing_pending_is_answered(make: Make) -> None:
    assert make().start().flush().answers == [Flushed(rows=0, error=None)]


def test_a_flush_in_the_midst_of_slices_ends_the_pauses(make: Make) -> None:
    writer = make().start()
    writer.forward(*[10] * 60)
    writer.stage.advance(INTERVAL_S)
    assert len(writer.table.rows) == 50
    assert writer.flush().answers == [Flushed(rows=550, error=None)]
    writer.assert_all_stored_once()


def test_a_flush_is_told_at_once_why_the_store_takes_nothing(make: Make) -> None:
    writer = make().start()
    writer.forward(5)
    writer.table.fail(DOWN)
    assert writer.flush().answers == [Flushed(rows=0, error="connection refused")]
    writer.table.fail(None)
    writer.stage.advance(0.3)
    assert writer.flush().answers == [Flushed(rows=5, error=None)]


def test_flushes_one_upon_the_other_do_not_storm_a_store_that_is_down(make: Make) -> None:
    writer = make().start()
    writer.forward(5)
    writer.table.fail(DOWN)
    for _ in range(100):
        assert writer.flush().answers == [Flushed(rows=0, error="connection refused")]
    assert len(writer.table.writes) == 1


def test_a_flush_says_that_redis_is_away(make: Make) -> None:
    writer = make().start()
    writer.forward(5)
    writer.redis.go_down("timeout")
    assert writer.flush().answers == [Flushed(rows=0, error="Redis: timeout")]


# -- the store fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DOWN, StoreMisconfigured("42501: no rights; grant them")])
def test_nothing_is_acknowledged_or_quarantined_while_the_store_fails(make: Make, error: StoreUnavailable) -> None:
    writer = make().start()
    writer.forward(3, 4)
    writer.table.fail(error)
    writer.stage.advance(600.0)
    assert (writer.acked, writer.waiting, writer.quarantined()) == (0, 2, [])
    writer.table.fail(None)
    writer.stage.advance(31.0)
    writer.assert_all_stored_once()


def test_an_entry_is_acknowledged_only_when_all_its_rows_are_stored(make: Make) -> None:
    writer = make().start()
    writer.forward(30, 30, 30)
    writer.stage.advance(INTERVAL_S)
    assert len(writer.table.rows) == 50
    writer.table.fail(DOWN)
    writer.stage.advance(60.0)
    assert len(writer.table.rows) == 50
    assert writer.acked <= 1
    writer.restart()
    writer.table.fail(None)
    writer.stage.advance(INTERVAL_S + 10)
    writer.assert_all_stored_once()


def test_rows_that_were_committed_though_the_answer_was_lost_are_there_once(make: Make) -> None:
    writer = make().start()
    writer.forward(3, 4)
    writer.table.fail_next(StoreUnavailable("reset by peer"), commit=True)
    writer.stage.advance(INTERVAL_S + 5)
    assert writer.table.writes == [7, 7]
    writer.assert_all_stored_once()


def test_it_tries_again_ever_more_rarely_whatever_comes_in(make: Make) -> None:
    writer = make(early_ticks=10, catch_up_rows=10).start()
    writer.forward(5)
    writer.table.fail(DOWN)
    for _ in range(600):
        writer.accepted(1000, pending_entries=9999)
        writer.stage.advance(1.0)
    assert 20 <= len(writer.table.writes) <= 40
    writer.table.fail(None)
    writer.stage.advance(30.0)
    writer.assert_all_stored_once()


def test_retry_after_is_honoured_even_by_a_flush(make: Make) -> None:
    writer = make(early_ticks=10).start()
    writer.forward(5)
    writer.table.fail_next(StoreUnavailable("429", retry_after_s=120.0))
    writer.accepted(10)
    assert len(writer.table.writes) == 1
    writer.stage.advance(119.0)
    writer.accepted(1000)
    writer.accepted(30_000)
    assert writer.flush().answers == [Flushed(rows=0, error="429")]
    assert len(writer.table.writes) == 1
    writer.stage.advance(2.0)
    writer.assert_all_stored_once()


def test_a_time_out_halves_the_next_batch_and_success_doubles_it_again(make: Make) -> None:
    writer = make().start()
    writer.table.stores.clear()
    writer.forward(*[40] * 200)
    for _ in range(3):
        writer.table.fail_next(StoreUnavailable("no answer", timed_out=True))
    writer.flush()
    writer.stage.advance(10.0)
    assert writer.table.writes[:6] == [5000, 2500, 1250, 625, 1250, 2500]
    writer.assert_all_stored_once()


def test_a_store_that_times_out_on_every_slice_is_asked_for_single_rows_at_last(make: Make) -> None:
    writer = make().start()
    writer.forward(50)
    writer.table.fail(StoreUnavailable("no answer", timed_out=True))
    writer.stage.advance(1000.0)
    assert writer.table.writes[-1] == 1
    writer.table.fail(None)
    writer.stage.advance(100.0)
    writer.assert_all_stored_once()


def test_a_store_that_is_down_at_start_is_tried_again_and_its_state_told(make: Make) -> None:
    writer = make()
    writer.table.fail(DOWN)
    writer.start()
    assert writer.store_states() == [("degraded", "connection refused")]
    writer.stage.advance(5.0)
    assert writer.table.opened >= 3
    writer.table.fail(None)
    writer.stage.advance(10.0)
    assert writer.store_states() == [("degraded", "connection refused"), ("up", "")]
    assert writer.table.writes == []


def test_a_store_is_looked_for_again_after_a_flush_that_found_nothing_to_write(make: Make) -> None:
    writer = make()
    writer.table.fail(DOWN)
    writer.start()
    writer.stage.advance(0.3)
    writer.redis.go_down()
    writer.flush()
    writer.table.fail(None)
    writer.stage.advance(5.0)
    assert writer.store_states()[-1] == ("up", "")


def test_a_timer_of_before_that_is_in_the_mailbox_already_does_nothing(make: Make) -> None:
    writer = make().start()
    writer.forward(3)
    writer.table.fail(DOWN)
    writer.stage.advance(INTERVAL_S)
    before = len(writer.table.writes)
    writer.stage.step(*[GoOn(turn, 1) for turn in range(before + 1)])
    assert len(writer.table.writes) == before


def test_the_stores_state_is_told_when_its_fault_changes_and_again_at_each_interval(make: Make) -> None:
    writer = make()
    writer.table.fail(DOWN)
    writer.start()
    writer.table.fail(StoreMisconfigured("no table; run `tickwire migrate`"))
    writer.stage.advance(2.0)
    assert writer.store_states()[-1] == ("degraded", "no table; run `tickwire migrate`")
    writer.table.fail(None)
    writer.stage.advance(20.0)
    assert writer.store_states()[-1] == ("up", "")
    writer.stage.forget()
    writer.stage.advance(INTERVAL_S)
    assert writer.store_states() == [("up", "")]
    assert [change.state for change in writer.stage.told("gateway", LinkChanged)] == ["up"]


# -- bad rows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [1, 2, 5])
def test_exactly_the_bad_rows_are_quarantined_and_found_by_few_calls(make: Make, bad: int) -> None:
    writer = make().start()
    for place in range(bad):
        writer.forward(100 - place, 50)
        writer.forward(1, asset="BAD")
    writer.forward(1000 - len(writer.expected))
    writer.table.refuse_pair("BAD")
    asker = writer.flush()
    refused = [row for row in writer.expected if row.pair == "BAD"]
    assert [uid for uid, _, _ in writer.quarantined()] == [row.uid for row in refused]
    assert writer.table.rows == [row for row in writer.expected if row.pair != "BAD"]
    assert len(writer.table.writes) <= 2 * bad * ceil(log2(1000)) + 1
    assert asker.answers == [Flushed(rows=1000 - bad, error=None)]
    assert writer.acked == writer.entries
    assert sum(told.rows for told in writer.stage.told("metrics_collector", BatchStored)) == 1000 - bad
    assert sum(told.rows for told in writer.stage.told("metrics_collector", RowsQuarantined)) == bad


def test_a_store_that_fails_between_the_halves_makes_nothing_count_twice(make: Make) -> None:
    writer = make().start()
    writer.forward(1, asset="BAD")
    writer.forward(40)
    writer.forward(1, asset="BAD")
    writer.table.refuse_pair("BAD")
    for _ in range(4):
        writer.table.fail_next(DOWN)
        writer.table.fail_next(DOWN, commit=True)
    writer.stage.advance(INTERVAL_S * 3)
    told = writer.stage.told("metrics_collector", RowsQuarantined)
    assert sum(each.rows for each in told) == len(writer.quarantined()) == 2
    assert sum(each.rows for each in writer.stage.told("metrics_collector", BatchStored)) == 40
    assert writer.table.rows == [row for row in writer.expected if row.pair != "BAD"]
    assert writer.acked == 3


def test_a_row_that_can_not_be_quarantined_holds_the_batch_until_it_can(make: Make) -> None:
    writer = make().start()
    writer.forward(1, asset="BAD")
    writer.forward(2)
    writer.table.refuse_pair("BAD")
    writer.quarantine.full = True
    writer.stage.advance(INTERVAL_S * 2)
    assert writer.acked == 0
    assert writer.store_states()[-1] == ("degraded", "quarantine: disk full")
    writer.quarantine.full = False
    writer.stage.advance(31.0)
    assert len(writer.quarantined()) == 1
    assert writer.acked == 2


def test_an_entry_that_can_not_be_unpacked_is_quarantined_whole_and_the_rest_is_stored(make: Make) -> None:
    writer = make().start()
    writer.forward(2)
    writer.entries += 1
    writer.keeper.forward([], [OutboxEntry(f"7-{writer.entries}", b"[99,[]]")])
    writer.forward(3)
    writer.flush()
    writer.assert_all_stored_once()
    ((uid, entry_id, reason),) = writer.quarantined()
    assert (uid, entry_id) == (None, "7-2")
    assert "version 99" in reason


def test_entries_read_along_with_one_that_could_not_be_quarantined_are_read_again(make: Make) -> None:
    writer = make().start()
    writer.forward(2)
    writer.entries += 1
    writer.keeper.forward([], [OutboxEntry(f"7-{writer.entries}", b"damaged")])
    writer.quarantine.full = True
    writer.stage.advance(INTERVAL_S + 5)
    writer.quarantine.full = False
    writer.stage.advance(31.0)
    writer.assert_all_stored_once()


# -- Redis fails, and restarts -------------------------------------------------------------------------------------


def test_a_next_incarnation_begins_with_what_the_last_one_left_pending(make: Make) -> None:
    writer = make().start()
    writer.forward(3, 4)
    writer.table.fail(DOWN)
    writer.stage.advance(INTERVAL_S)
    writer.table.fail(None)
    writer.restart()
    writer.forward(5)
    writer.flush()
    writer.assert_all_stored_once()


@pytest.mark.parametrize("comes_back", ["itself", "its link"])
def test_what_another_consumer_left_pending_is_taken_over_in_time(make: Make, comes_back: str) -> None:
    writer = make(claim_idle_s=60.0)
    writer.forward(3)
    writer.redis.outbox("p1", consumer="of another name").read_new(10)
    writer.start()
    writer.stage.advance(INTERVAL_S)
    assert writer.table.rows == []
    writer.stage.advance(2 * INTERVAL_S)
    if comes_back == "itself":
        writer.restart()
    else:
        writer.redis.go_down()
        writer.redis.come_up()
        writer.stage.settle()
    writer.stage.advance(INTERVAL_S)
    writer.assert_all_stored_once()


def test_a_lost_outbox_is_told_to_its_keeper_and_never_made_here(make: Make) -> None:
    writer = make().start()
    writer.forward(3)
    writer.redis.flush()
    asker = writer.flush()
    assert len(writer.stage.told("buffer_keeper", OutboxLost)) == 1
    assert asker.answers == [Flushed(rows=0, error="the outbox is made anew")]
    assert writer.redis.streams == {}


def test_a_group_that_was_destroyed_between_reading_and_acknowledging_costs_no_row(make: Make) -> None:
    writer = make().start()
    writer.forward(60)
    writer.stage.advance(INTERVAL_S)
    assert len(writer.table.rows) == 50
    writer.redis.streams["tickwire:outbox:p1"].group = False
    writer.stage.advance(1.0)
    assert len(writer.stage.told("buffer_keeper", OutboxLost)) == 1
    writer.keeper.make_outbox()
    writer.flush()
    writer.assert_all_stored_once()


def test_a_redis_that_went_away_in_mid_batch_is_gone_on_with_when_it_is_back(make: Make) -> None:
    writer = make().start()
    writer.forward(*[30] * 3)
    writer.stage.advance(INTERVAL_S)
    writer.redis.go_down()
    writer.stage.advance(1.0)
    assert writer.acked == 0
    writer.redis.come_up()
    writer.stage.settle()
    writer.stage.advance(1.0)
    writer.assert_all_stored_once()


def test_an_acknowledgement_whose_answer_was_lost_stores_nothing_twice(make: Make) -> None:
    writer = make().start()
    writer.forward(3)
    writer.stage.advance(INTERVAL_S - 0.01)
    original = writer.redis.call
    calls: list[str] = []

    def losing(link: object, action: Callable[[], object]) -> object:
        if "_acknowledge" in action.__code__.co_names and not calls:
            calls.append("lost")
            writer.redis.lose_reply()
        return original(link, action)  # type: ignore[arg-type]

    writer.redis.call = losing  # type: ignore[assignment, method-assign]
    writer.stage.advance(1.0)
    assert calls == ["lost"]
    writer.redis.come_up()
    writer.stage.settle()
    writer.stage.advance(INTERVAL_S)
    writer.assert_all_stored_once()


def test_its_redis_links_changes_are_passed_on(make: Make) -> None:
    writer = make().start()
    writer.redis.go_down("loading")
    writer.stage.settle()
    told = [change for change in writer.stage.told("gateway", LinkChanged) if change.link == "redis"]
    assert [(change.state, change.detail) for change in told] == [("up", ""), ("degraded", "loading")]


def test_a_fenced_incarnation_writes_nothing(make: Make) -> None:
    writer = make().start()
    writer.forward(3)
    writer.stage.context.fence.closed = True
    with pytest.raises(AssertionError):
        writer.stage.advance(INTERVAL_S)
    assert writer.table.writes == []


def test_an_interval_left_by_the_last_incarnation_starts_no_second_clock(make: Make) -> None:
    writer = make().start()
    timers = list(writer.stage.context.timers)
    writer.restart()
    before = len(writer.stage.context.timers)
    writer.stage.step(*[timer.message for timer in timers])
    assert len(writer.stage.context.timers) == before


def test_closing_closes_all_it_owns_and_may_be_repeated(make: Make) -> None:
    writer = make().start()
    writer.actor.close()
    writer.actor.close()
    assert writer.table.stores[-1].closed
    assert writer.redis.links[-1].closed


def test_a_store_that_dies_while_redis_is_away_is_found_out_and_so_is_its_return(make: Make) -> None:
    writer = make().start()
    writer.forward(3)
    writer.stage.advance(INTERVAL_S)
    assert writer.store_states()[-1] == ("up", "")
    writer.redis.go_down("timeout")
    writer.stage.advance(INTERVAL_S)
    writer.table.fail(DOWN)
    writer.stage.advance(INTERVAL_S)
    assert writer.store_states()[-1] == ("degraded", "connection refused")
    writer.table.fail(None)
    writer.stage.advance(2 * INTERVAL_S)
    assert writer.store_states()[-1] == ("up", "")
    writer.redis.come_up()
    writer.forward(2)
    writer.stage.advance(2 * INTERVAL_S)
    writer.assert_all_stored_once()


# -- what waits ----------------------------------------------------------------------------------------------------


def spooled(writer: Writer) -> BacklogMeasured:
    """BufferKeeper says what its spool holds; what BatchWriter makes of it."""
    entries = writer.entries - writer.acked
    writer.stage.step(SpoolMeasured(spool_rows=entries, spool_bytes=0, window_entries=entries, lost=0))
    told = writer.stage.told("gateway", BacklogMeasured)
    assert told == writer.stage.told("metrics_collector", BacklogMeasured)
    return told[-1]


def test_what_waits_is_told_once_a_second_whatever_the_store_does(make: Make) -> None:
    writer = make().start()
    writer.table.fail(DOWN)
    for _ in range(5):
        writer.forward(*[10] * 20)
        writer.stage.step(TicksAccepted(ticks=200, rows=20, pending_entries=20))
        writer.stage.forget()
        first, again = spooled(writer), spooled(writer)
        assert first is again
        assert (first.rows, first.catching_up, first.eta_s) == (writer.ticks, False, None)
        writer.stage.advance(1.0)


def test_a_backlog_of_an_outage_is_caught_up_with_rate_and_time_left(make: Make) -> None:
    writer = make(backlog_rows=100, read_entries=10).start()
    writer.table.fail(DOWN)
    writer.forward(*[50] * 100)
    writer.stage.advance(INTERVAL_S)
    assert spooled(writer).catching_up is False
    writer.table.fail(None)
    seen = []
    for _ in range(600):
        writer.stage.advance(0.25)
        seen.append(spooled(writer))
        if writer.acked == writer.entries:
            break
    caught_up = [told for told in seen if told.catching_up]
    assert caught_up
    assert any(told.eta_s for told in caught_up)
    assert any(told.rate > 0 for told in caught_up)
    writer.stage.advance(2.0)
    last = spooled(writer)
    assert (last.rows, last.catching_up, last.eta_s) == (0, False, None)


# -- the ledger ----------------------------------------------------------------------------------------------------


def totals(writer: Writer) -> dict[str, int]:
    """Fate → ticks, over all assets."""
    found: dict[str, int] = {}
    for account in accounts(writer.ledger.postings(), {}):
        for fate in ("received", "parsed", "stored", "quarantined"):
            found[fate] = found.get(fate, 0) + account.total(fate)
    return found


def test_nothing_is_acknowledged_that_is_not_in_the_ledger(make: Make) -> None:
    writer = make().start()
    writer.forward(3, 2)
    writer.ledger.full = True
    asker = writer.flush()
    assert writer.acked == 0
    (answer,) = asker.answers
    assert isinstance(answer, Flushed)
    assert answer.error is not None
    assert "ledger" in answer.error
    writer.ledger.full = False
    writer.stage.advance(60.0)
    assert writer.acked == 2
    assert totals(writer) == {"received": 5, "parsed": 5, "stored": 5, "quarantined": 0}


def test_an_entry_stored_and_not_acknowledged_is_posted_once(make: Make) -> None:
    writer = make().start()
    writer.forward(3)
    writer.ledger.full = True
    writer.flush()
    writer.restart()
    writer.flush()
    writer.restart()
    writer.flush()
    assert writer.acked == 1
    assert totals(writer)["stored"] == 3


def test_quarantined_rows_are_on_the_ledger_as_such(make: Make) -> None:
    writer = make().start()
    writer.forward(7)
    writer.forward(1, asset="BAD")
    writer.table.refuse_pair("BAD")
    writer.flush()
    writer.stage.advance(60.0)
    assert writer.acked == 2
    assert totals(writer) == {"received": 8, "parsed": 8, "stored": 7, "quarantined": 1}


# -- candles -------------------------------------------------------------------------------------------------------


def minute(number: int, ticks: int = 10) -> Candle:
    return Candle(
        timestamp=1_756_866_780 + 60 * number, open=1.5, high=1.5, low=1.5, close=1.5, volume=0, is_closed=True,
        timeframe="1m", ticks=ticks, quality="live",
    )  # fmt: skip


def test_candles_are_stored_in_the_cycle_of_their_ticks_and_acknowledged_behind_them(make: Make) -> None:
    writer = make().start()
    writer.forward(3)
    writer.forward_candles(minute(0), minute(1))
    writer.forward(2)
    writer.flush()
    writer.assert_all_stored_once()
    assert writer.kept() == [minute(0), minute(1)]
    assert sum(stored.rows for stored in writer.stage.told("metrics_collector", CandlesStored)) == 2


def test_an_older_state_that_comes_again_does_not_replace_a_newer(make: Make) -> None:
    writer = make().start()
    writer.forward_candles(minute(0, 10))
    writer.forward_candles(minute(0, 11))
    writer.flush()
    writer.forward_candles(minute(0, 10))
    writer.flush()
    assert writer.kept() == [minute(0, 11)]
    assert writer.acked == 3


def test_candles_of_a_store_that_is_away_are_stored_when_it_is_back(make: Make) -> None:
    writer = make().start()
    writer.forward(2)
    writer.forward_candles(minute(0))
    writer.table.candle_fault = DOWN
    writer.flush()
    assert (writer.acked, len(writer.table.rows), writer.kept()) == (0, 2, [])
    writer.table.candle_fault = None
    writer.stage.advance(INTERVAL_S * 2)
    writer.assert_all_stored_once()
    assert writer.kept() == [minute(0)]


def test_candles_that_were_not_acknowledged_are_read_again_after_a_crash(make: Make) -> None:
    writer = make().start()
    writer.forward_candles(minute(0))
    writer.table.candle_fault = DOWN
    writer.flush()
    writer.restart()
    writer.table.candle_fault = None
    writer.flush()
    assert writer.kept() == [minute(0)]
    assert writer.acked == 1


@pytest.mark.parametrize("refused", [1, 5, 16])
def test_a_candle_that_the_store_refuses_is_left_out_and_all_others_are_stored(make: Make, refused: int) -> None:
    writer = make().start()
    writer.table.refuse_pair("BAD")
    writer.forward(1)
    for number in range(1, 17):
        writer.forward_candles(minute(number), asset="BAD" if number == refused else "A")
    writer.flush()
    writer.assert_all_stored_once()
    assert writer.kept() == [minute(number) for number in range(1, 17) if number != refused]
    assert sum(stored.refused for stored in writer.stage.told("metrics_collector", CandlesStored)) == 1


def test_a_store_without_a_table_of_candles_takes_ticks_all_the_same(make: Make) -> None:
    writer = make().start()
    writer.table.candle_fault = StoreMisconfigured("42883: no function; run `tickwire migrate` with this store")
    writer.forward(2)
    writer.forward_candles(minute(0))
    writer.flush()
    writer.assert_all_stored_once()
    assert writer.kept() == []
    writer.table.candle_fault = None
    writer.forward_candles(minute(1))
    writer.flush()
    assert writer.kept() == [minute(1)]
    assert writer.store_states()[-1] == ("up", "")


def test_a_store_that_is_wrongly_set_up_as_a_whole_holds_candles_too(make: Make) -> None:
    writer = make().start()
    writer.forward_candles(minute(0))
    writer.table.fail(StoreMisconfigured("401; check the store's key"))
    writer.flush()
    assert writer.acked == 0
    writer.table.fail(None)
    writer.stage.advance(INTERVAL_S * 2)
    assert writer.acked == 1
    assert writer.kept() == [minute(0)]
