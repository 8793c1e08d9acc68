"""BufferKeeper through its mailbox: spool first, then Redis' lists and the outbox."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.redis_doubles import MemoryRedis
from support.stage import Asker, Stage
from support.ticks import EPOCH, START_US, backfill, columns, received, seqs

from tickwire.actors.buffer_keeper import BufferKeeper, BufferKeeperSettings
from tickwire.actors.ports import SpoolFailed
from tickwire.actors.unaccepted import Unaccepted
from tickwire.actors.waiting_candles import WaitingCandles
from tickwire.market.ledger import Tally, accounts
from tickwire.market.ownership import Ownership
from tickwire.market.packing import unpack, unpack_rows
from tickwire.messages.candles import Candle, CandlesMade
from tickwire.messages.lifecycle import (
    DrainRequested,
    FeedChanged,
    FeedHeld,
    LinkChanged,
    LinkState,
    OutboxForwarded,
    OutboxLost,
)
from tickwire.messages.ticks import (
    RECEIVED,
    AssetGranted,
    AssetRefused,
    AssetReleased,
    AssetRequested,
    Count,
    TicksAccepted,
    TicksLost,
    TicksReceived,
)
from tickwire.runtime.stores.spool import SqliteSpool


class Keeper:
    """A BufferKeeper on a stage, with a real spool and Redis in memory; `restart` makes the next incarnation."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.redis = MemoryRedis()
        self.stage = Stage("buffer_keeper")
        self.settings = BufferKeeperSettings(**settings)  # type: ignore[arg-type]
        self.unaccepted = Unaccepted()
        self.ownership = Ownership()
        self.candles = WaitingCandles(most=5)
        self.path = folder / "spool.db"
        self.start()

    def start(self) -> None:
        self.actor = BufferKeeper(
            self.stage.context,
            redis=lambda: self.redis.buffer("p1", self.on_link),
            spool=self.make_spool,
            clock=self.stage.clock,
            feeds={"f1": "ingestor:1", "f2": "ingestor:2"},
            unaccepted=self.unaccepted,
            ownership=self.ownership,
            candles=self.candles,
            settings=self.settings,
        )
        self.stage.open(self.actor)

    def make_spool(self) -> SqliteSpool:
        self.spool = SqliteSpool(self.path, now_ms=lambda: self.stage.clock.now_us() // 1000, run_id="run")
        return self.spool

    def on_link(self, state: LinkState, detail: str) -> None:
        self.stage.context.me.tell(LinkChanged(owner="buffer_keeper", link="redis", state=state, detail=detail))

    def restart(self) -> None:
        self.actor.close()
        self.start()

    def ask(self, asset: str, feed: str = "f1", incarnation: str = "i1") -> list[object]:
        asker = Asker()
        self.stage.step(AssetRequested(asset=asset, feed=feed, incarnation=incarnation, reply_to=asker))
        return asker.answers

    def drain(self) -> list[object]:
        asker = Asker()
        self.stage.step(DrainRequested(reply_to=asker))
        return asker.answers

    def list_seqs(self, asset: str = "A") -> list[int]:
        return seqs(self.redis.lists.get(f"ticks:{asset}", []))

    def outbox_prices(self) -> list[str]:
        return [row.price for payload in self.redis.outbox_payloads("p1") for row in unpack_rows(payload)]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Keeper]]:
    made: list[Keeper] = []

    def build(**settings: float) -> Keeper:
        made.append(Keeper(tmp_path, **settings))
        return made[-1]

    yield build
    for keeper in made:
        keeper.actor.close()


def prices(first: int, count: int) -> list[str]:
    return [f"1.{10000 + first + i}" for i in range(count)]


def test_ticks_are_spooled_then_listed_newest_first_and_forwarded_under_own_ids(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 3)), received(2, columns("A", 4, 2)))
    assert keeper.list_seqs() == [5, 4, 3, 2, 1]
    assert keeper.outbox_prices() == prices(1, 5)
    (entry,) = keeper.redis.streams["tickwire:outbox:p1"].entries
    assert entry == (keeper.spool.boot_ms, 1)
    assert [message.ticks for message in keeper.stage.told("batch_writer", TicksAccepted)] == [5]


def test_the_way_to_redis_is_timed_only_where_redis_took_the_ticks(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 3)))
    keeper.redis.go_down()
    keeper.stage.settle()
    keeper.stage.step(received(2, columns("A", 4, 1)))
    accepted = keeper.stage.told("metrics_collector", TicksAccepted)
    assert [message.commit_seconds for message in accepted] == [0.0, 0.0]
    assert [message.forward_seconds for message in accepted] == [0.0, None]


def test_history_goes_to_the_store_and_never_into_the_lists(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(backfill(1, "A", 1, 4))
    assert keeper.redis.lists == {}
    assert keeper.outbox_prices() == prices(1, 4)


def test_a_message_delivered_again_is_committed_and_listed_once(make: Callable[..., Keeper]) -> None:
    keeper = make()
    first, second = received(1, columns("A", 1, 2)), received(2, columns("A", 3, 1))
    keeper.stage.step(first)
    keeper.restart()
    keeper.stage.step(first)
    keeper.stage.step(second)
    assert keeper.spool.last_row == 2
    assert keeper.list_seqs() == [3, 2, 1]


def test_with_redis_down_ticks_are_accepted_and_forwarded_in_order_later(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 2)))
    keeper.redis.go_down()
    keeper.stage.step(received(2, columns("A", 3, 2)))
    keeper.stage.step(received(3, columns("A", 5, 2), columns("B", 1, 1)))
    assert sum(message.ticks for message in keeper.stage.told("batch_writer", TicksAccepted)) == 7
    keeper.redis.come_up()
    keeper.stage.settle()
    assert keeper.list_seqs() == [6, 5, 4, 3, 2, 1]
    assert keeper.list_seqs("B") == [1]
    assert keeper.outbox_prices() == [*prices(1, 6), *prices(1, 1)]


@pytest.mark.parametrize("lose", ["reply", "request"])
def test_after_an_unknown_outcome_nothing_is_doubled_or_missing(make: Callable[..., Keeper], lose: str) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 2)))
    keeper.redis.lose_reply() if lose == "reply" else keeper.redis.lose_request()
    keeper.stage.step(received(2, columns("A", 3, 2)))
    keeper.redis.come_up()
    keeper.stage.settle()
    keeper.stage.step(received(3, columns("A", 5, 1)))
    assert keeper.list_seqs() == [5, 4, 3, 2, 1]
    assert keeper.outbox_prices() == prices(1, 5)


def test_a_refusing_redis_is_tried_again_until_it_takes_everything(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.redis.refuse("out of memory")
    keeper.stage.step(received(1, columns("A", 1, 2)))
    assert keeper.outbox_prices() == []
    keeper.redis.refuse(None)
    keeper.stage.advance(1.0)
    assert keeper.outbox_prices() == prices(1, 2)
    assert keeper.list_seqs() == [2, 1]


def test_a_redis_that_answers_and_takes_nothing_is_shown_by_name(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.redis.refuse("out of memory")
    keeper.stage.step(received(1, columns("A", 1, 2)))
    keeper.stage.advance(1.0)
    keeper.redis.refuse("read-only")
    keeper.stage.advance(1.0)
    keeper.redis.refuse(None)
    keeper.stage.advance(1.0)
    want = ["up", "degraded: out of memory", "degraded: read-only", "up"]
    for peer in ("gateway", "metrics_collector"):
        told = [f"{change.state}: {change.detail}".rstrip(": ") for change in keeper.stage.told(peer, LinkChanged)]
        assert told == want


def test_after_flushall_everything_not_stored_is_forwarded_again(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 2)))
    boot = keeper.spool.boot_ms
    keeper.redis.flush()
    keeper.stage.step(received(2, columns("A", 3, 1)))
    keeper.stage.advance(1.0)
    assert keeper.outbox_prices() == prices(1, 3)
    assert keeper.spool.boot_ms > boot


def test_a_reader_that_misses_the_outbox_has_it_made_anew(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 2)))
    keeper.redis.flush()
    keeper.stage.step(OutboxLost(reason="NOGROUP"))
    assert keeper.outbox_prices() == prices(1, 2)
    assert keeper.redis.streams["tickwire:outbox:p1"].group


def test_a_server_that_lost_its_tail_gets_it_again_after_the_reconnect(make: Callable[..., Keeper]) -> None:
    keeper = make()
    for number in (1, 2, 3):
        keeper.stage.step(received(number, columns("A", number, 1)))
    stream = keeper.redis.streams["tickwire:outbox:p1"]
    del stream.entries[max(stream.entries)]
    stream.last_id = max(stream.entries)
    keeper.redis.go_down()
    keeper.redis.come_up()
    keeper.stage.settle()
    assert set(keeper.outbox_prices()) == set(prices(1, 3))


def test_the_spool_forgets_what_is_acknowledged_under_the_boot_being_forwarded(make: Callable[..., Keeper]) -> None:
    keeper = make()
    for number in (1, 2, 3):
        keeper.stage.step(received(number, columns("A", number, 1)))
    keeper.redis.strings["tickwire:acked:p1"] = f"{keeper.spool.boot_ms}-2".encode()
    keeper.stage.advance(1.0)
    assert keeper.spool.first_row == 3


def test_an_acknowledgement_of_another_boot_leaves_the_floor_where_it_is(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 1)))
    keeper.redis.strings["tickwire:acked:p1"] = f"{keeper.spool.boot_ms - 1}-99".encode()
    keeper.stage.advance(1.0)
    assert keeper.spool.first_row == 1


def test_forwarding_stops_at_the_window_and_goes_on_when_the_store_has_taken_some(make: Callable[..., Keeper]) -> None:
    keeper = make(window_entries=3)
    for number in range(1, 7):
        keeper.stage.step(received(number, columns("A", number, 1)))
    assert keeper.outbox_prices() == prices(1, 3)
    assert keeper.list_seqs() == [6, 5, 4, 3, 2, 1]  # the lists know no window
    stream = keeper.redis.streams["tickwire:outbox:p1"]
    stream.entries.clear()
    keeper.redis.strings["tickwire:acked:p1"] = f"{keeper.spool.boot_ms}-3".encode()
    keeper.stage.advance(1.0)
    assert keeper.outbox_prices() == prices(4, 3)


def test_a_stream_that_was_emptied_without_an_acknowledgement_gets_all_again(make: Callable[..., Keeper]) -> None:
    keeper = make(window_entries=3, window_bytes=1)
    for number in range(1, 4):
        keeper.stage.step(received(number, columns("A", number, 1)))
    assert keeper.outbox_prices() == prices(1, 1)
    boot_ms = keeper.spool.boot_ms
    keeper.redis.streams["tickwire:outbox:p1"].entries.clear()  # trimmed, and the word of it refused
    keeper.stage.advance(0.3)
    assert keeper.outbox_prices() == []  # the word may come yet
    keeper.stage.advance(2.0)
    assert keeper.outbox_prices() == prices(1, 1)
    assert keeper.spool.boot_ms > boot_ms


def test_a_large_backlog_goes_in_order_in_chunks(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.redis.go_down()
    for number in range(1, 1202):
        keeper.stage.step(received(number, columns("A", number, 1)))
    keeper.redis.come_up()
    keeper.stage.settle()
    assert keeper.outbox_prices() == prices(1, 1201)
    assert keeper.list_seqs() == list(range(1201, 201, -1))


def test_a_new_process_forwards_what_is_not_stored_and_takes_numbers_from_one(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    keeper.redis.go_down()
    keeper.stage.step(received(7, columns("A", 1, 2)))
    keeper.actor.close()
    spool = SqliteSpool(keeper.path, now_ms=lambda: 0, run_id="next run")
    assert dict(spool.taken()) == {}
    assert [row for row, _ in spool.read(0, 10)] == [1]
    assert spool.boot_ms > keeper.spool.boot_ms
    spool.close()


def test_a_list_is_made_whole_by_the_heir_of_one_that_died_behind_its_commit(
    make: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 2)))
    with monkeypatch.context() as patched:
        patched.setattr(keeper.redis, "call", _bug)
        with pytest.raises(RuntimeError):
            keeper.stage.step(received(2, columns("A", 3, 2)))
    keeper.restart()
    keeper.stage.step(received(2, columns("A", 3, 2)))
    keeper.stage.step(received(3, columns("A", 5, 1)))
    assert keeper.list_seqs() == [5, 4, 3, 2, 1]


def _bug(*_: object) -> None:
    raise RuntimeError("a bug")


def test_an_asset_is_granted_with_a_new_epoch_and_marked_as_running(make: Callable[..., Keeper]) -> None:
    keeper = make()
    (grant,) = keeper.ask("A")
    assert isinstance(grant, AssetGranted)
    assert grant.next_seq == 1
    assert keeper.redis.hashes["tickwire:epoch:A"]["clean"] == b"0"


def test_after_a_clean_stop_the_epoch_goes_on(make: Callable[..., Keeper]) -> None:
    keeper = make()
    (grant,) = keeper.ask("A")
    assert isinstance(grant, AssetGranted)
    keeper.stage.step(received(1, columns("A", 1, 3, epoch=grant.epoch)))
    (drained,) = keeper.drain()
    assert isinstance(drained, OutboxForwarded)
    assert drained.error is None
    keeper.restart()
    (again,) = keeper.ask("A", incarnation="i2")
    assert again == AssetGranted(asset="A", feed="f1", incarnation="i2", epoch=grant.epoch, next_seq=4)
    keeper.stage.step(received(2, columns("A", 4, 1, epoch=grant.epoch)))
    assert keeper.list_seqs() == [4, 3, 2, 1]


def test_a_clean_stop_that_another_run_came_after_is_none(make: Callable[..., Keeper]) -> None:
    keeper = make()
    (grant,) = keeper.ask("A")
    assert isinstance(grant, AssetGranted)
    keeper.stage.step(received(1, columns("A", 1, 3, epoch=grant.epoch)))
    keeper.drain()
    keeper.restart()
    keeper.restart()
    (again,) = keeper.ask("A", incarnation="i2")
    assert isinstance(again, AssetGranted)
    assert again.epoch != grant.epoch


def test_without_a_clean_stop_a_new_epoch_begins(make: Callable[..., Keeper]) -> None:
    keeper = make()
    (grant,) = keeper.ask("A")
    assert isinstance(grant, AssetGranted)
    keeper.stage.step(received(1, columns("A", 1, 3, epoch=grant.epoch)))
    keeper.restart()
    (again,) = keeper.ask("A", incarnation="i2")
    assert isinstance(again, AssetGranted)
    assert again.epoch != grant.epoch
    assert again.next_seq == 1


def test_with_redis_down_the_grant_comes_at_once(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.redis.go_down()
    keeper.stage.settle()
    assert [type(answer) for answer in keeper.ask("A")] == [AssetGranted]


def test_while_the_first_connect_is_under_way_the_grant_waits_for_it(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.redis.hashes["tickwire:epoch:A"] = {"epoch": EPOCH.encode(), "seq": b"2", "clean": b"1"}
    keeper.stage.step(received(1, columns("A", 1, 2)))
    keeper.redis.hashes["tickwire:epoch:A"] |= {"clean": b"1", "boot": b"%d" % keeper.spool.boot_ms}
    keeper.redis.initial = ("connecting", "")
    keeper.restart()
    asker = Asker()
    keeper.stage.step(AssetRequested(asset="A", feed="f1", incarnation="i2", reply_to=asker))
    assert asker.answers == []
    keeper.redis.come_up()
    keeper.stage.settle()
    assert asker.answers == [AssetGranted(asset="A", feed="f1", incarnation="i2", epoch=EPOCH, next_seq=3)]


def test_an_asset_asked_for_again_gets_the_same_grant(make: Callable[..., Keeper]) -> None:
    keeper = make()
    first, second = keeper.ask("A"), keeper.ask("A")
    assert first == second


def test_an_asset_has_one_feed_until_that_gives_it_up(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.ask("A", "f1")
    keeper.stage.step(FeedChanged(feed="f1", state="down"))
    assert keeper.ask("A", "f2") == [AssetRefused(asset="A", feed="f2", owner="f1")]
    assert keeper.stage.told("ingestor:2", AssetReleased) == []
    keeper.stage.step(FeedChanged(feed="f1", state="down", gone=True))
    assert keeper.stage.told("ingestor:2", AssetReleased) == [AssetReleased(asset="A")]
    assert [type(answer) for answer in keeper.ask("A", "f2")] == [AssetGranted]


def test_a_feed_keeps_its_assets_over_a_crash_of_the_keeper(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.ask("A", "f1")
    keeper.restart()
    assert keeper.ask("A", "f2") == [AssetRefused(asset="A", feed="f2", owner="f1")]


class FullDisk(SqliteSpool):
    """A spool whose disk is full while `full` is set."""

    full = False

    def commit(self, *args: object, **kwargs: object) -> range:
        if FullDisk.full:
            raise SpoolFailed("database or disk is full")
        return super().commit(*args, **kwargs)  # type: ignore[arg-type]


def test_a_full_disk_holds_the_feeds_and_loses_nothing(
    make: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = make()
    monkeypatch.setattr(FullDisk, "full", False)
    keeper.make_spool = lambda: FullDisk(keeper.path, now_ms=lambda: 5, run_id="run")  # type: ignore[method-assign]
    keeper.restart()
    FullDisk.full = True
    keeper.stage.step(received(1, columns("A", 1, 2)))
    assert keeper.stage.told("ingestor:1", FeedHeld) == [FeedHeld(held=True, reason="database or disk is full")]
    assert keeper.outbox_prices() == []
    keeper.restart()  # even a restart in this state loses nothing
    FullDisk.full = False
    keeper.stage.step(received(1, columns("A", 1, 2)))
    keeper.stage.advance(1.0)
    assert keeper.outbox_prices() == prices(1, 2)
    assert keeper.stage.told("ingestor:1", FeedHeld)[-1] == FeedHeld(held=False)


def test_a_drain_waits_until_all_is_forwarded_and_says_what_is_left(make: Callable[..., Keeper]) -> None:
    keeper = make(window_entries=2)
    for number in range(1, 4):
        keeper.stage.step(received(number, columns("A", number, 1)))
    asker = Asker()
    keeper.stage.step(DrainRequested(reply_to=asker))
    assert asker.answers == []
    keeper.redis.streams["tickwire:outbox:p1"].entries.clear()
    keeper.redis.strings["tickwire:acked:p1"] = f"{keeper.spool.boot_ms}-2".encode()
    keeper.stage.advance(1.0)
    assert asker.answers == [OutboxForwarded(spool_rows=1)]


def test_a_drain_with_redis_down_is_answered_at_once_with_the_reason(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.redis.go_down("down")
    keeper.stage.step(received(1, columns("A", 1, 1)))
    assert keeper.drain() == [OutboxForwarded(spool_rows=1, error="Redis is not reached (down)")]


def test_counts_without_a_tick_are_accepted_too(make: Callable[..., Keeper]) -> None:
    keeper = make()
    refused = TicksReceived(
        sender="run/f1", number=1, feed="f1", source="pocketoption", recv_us=START_US, ticks=0, columns=(),
        counts=[Count(asset="A", reason=RECEIVED, count=2), Count(asset="A", reason="bad_price", count=2)],
    )  # fmt: skip
    keeper.stage.step(refused)
    (payload,) = keeper.redis.outbox_payloads("p1")
    entry = unpack(payload)
    assert (list(entry.rows), list(entry.counted)) == ([], [("A", START_US // 60_000_000 * 60, 2, "bad_price")])


def test_a_disk_too_full_for_the_last_sync_does_not_crash_the_drain(
    make: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = make()
    keeper.stage.step(received(1, columns("A", 1, 2)))

    def full(_: SqliteSpool) -> None:
        raise SpoolFailed("database or disk is full")

    monkeypatch.setattr(SqliteSpool, "sync", full)
    (answer,) = keeper.drain()
    assert answer == OutboxForwarded(spool_rows=1)


def disk_of(make: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch, **settings: float) -> Keeper:
    """A keeper on a disk that is full."""
    keeper = make(**settings)
    monkeypatch.setattr(FullDisk, "full", False)
    keeper.make_spool = lambda: FullDisk(keeper.path, now_ms=lambda: 5, run_id="run")  # type: ignore[method-assign]
    keeper.restart()
    FullDisk.full = True
    return keeper


def test_past_thirty_seconds_of_a_full_disk_the_newest_ticks_are_counted_as_lost(
    make: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = disk_of(make, monkeypatch)
    keeper.stage.step(received(1, columns("A", 1, 2)))
    keeper.stage.advance(31.0)
    (held, read_on) = keeper.stage.told("ingestor:1", FeedHeld)
    assert (held.held, read_on.held) == (True, False)
    assert "lost" in read_on.reason
    keeper.stage.step(received(2, columns("A", 3, 3)), received(3, columns("B", 1, 1)))
    keeper.stage.step(received(4, columns("A", 6, 4)))
    keeper.restart()  # what is lost stays on record over a crash
    assert len(keeper.unaccepted.messages) == 2
    FullDisk.full = False
    keeper.stage.advance(1.0)
    assert keeper.outbox_prices() == prices(1, 2)
    assert keeper.stage.told("ingestor:1", FeedHeld)[-1] == FeedHeld(held=False)
    (payload,) = keeper.redis.outbox_payloads("p1")
    got = unpack(payload)
    (a, b) = accounts(Tally(got.rows, got.counted).settled(1).postings, {})
    assert (a.total("received"), a.total("parsed"), a.total("stored"), a.total("lost")) == (9, 9, 2, 7)
    assert (b.total("received"), b.total("lost")) == (1, 1)
    assert (a.balanced, b.balanced) == (True, True)
    keeper.stage.step(received(5, columns("A", 10, 1)))
    assert keeper.outbox_prices() == [*prices(1, 2), *prices(10, 1)]


def test_a_spool_over_its_bound_takes_nothing_until_the_store_has_taken_some(make: Callable[..., Keeper]) -> None:
    keeper = make(spool_bytes=400)
    number = 0
    while not keeper.stage.told("ingestor:1", FeedHeld):
        number += 1
        keeper.stage.step(received(number, columns("A", number, 1)))
        assert number < 20
    (held,) = keeper.stage.told("ingestor:1", FeedHeld)
    assert held.held
    assert "spool.max_bytes" in held.reason
    assert keeper.outbox_prices() == prices(1, number - 1)
    keeper.redis.strings["tickwire:acked:p1"] = f"{keeper.spool.boot_ms}-{number - 1}".encode()
    keeper.stage.advance(1.0)
    assert keeper.outbox_prices() == prices(1, number)
    assert keeper.stage.told("ingestor:1", FeedHeld)[-1] == FeedHeld(held=False)


def test_ticks_that_went_to_the_dead_letters_are_on_the_ledger_as_lost_once(make: Callable[..., Keeper]) -> None:
    keeper = make()
    lost = TicksLost(message=received(1, columns("A", 1, 3)), reason="poison")
    keeper.stage.step(received(2, columns("A", 4, 1)))
    keeper.stage.step(lost)
    keeper.restart()
    keeper.stage.step(lost)
    entries = [unpack(payload) for _, payload in keeper.spool.read(0, 100)]
    assert len(entries) == 2
    postings = [posting for entry in entries for posting in Tally(entry.rows, entry.counted).settled(1).postings]
    (account,) = accounts(postings, {})
    assert (account.total("received"), account.total("stored")) == (4, 1)
    assert account.reasons("lost") == {"mailbox: poison": 3}
    assert account.balanced


# -- candles -------------------------------------------------------------------------------------------------------


def minute(number: int, ticks: int = 10) -> Candle:
    return Candle(
        timestamp=1_756_866_780 + 60 * number, open=1.5, high=1.5, low=1.5, close=1.5, volume=0, is_closed=True,
        timeframe="1m", ticks=ticks, quality="live",
    )  # fmt: skip


def made(*candles: Candle) -> CandlesMade:
    return CandlesMade(candles=[("A", candle) for candle in candles])


def outbox_candles(keeper: Keeper) -> list[Candle]:
    return [row.candle for payload in keeper.redis.outbox_payloads("p1") for row in unpack(payload).candles]


def test_candles_go_through_spool_and_outbox_a_few_times_a_second_in_one_row(make: Callable[..., Keeper]) -> None:
    keeper = make(poll_s=0.25)
    keeper.stage.step(made(minute(0)), made(minute(1), minute(2)))
    assert outbox_candles(keeper) == []
    keeper.stage.advance(0.25)
    assert outbox_candles(keeper) == [minute(0), minute(1), minute(2)]
    assert keeper.spool.last_row == 1
    keeper.stage.advance(1.0)
    assert keeper.spool.last_row == 1


def test_of_a_candle_that_changes_meanwhile_the_better_state_goes_out(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(made(minute(0, 10)), made(minute(0, 12)), made(minute(0, 11)))
    keeper.stage.advance(0.25)
    assert outbox_candles(keeper) == [minute(0, 12)]


def test_a_drain_takes_the_candles_that_wait(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(made(minute(0)))
    keeper.drain()
    assert outbox_candles(keeper) == [minute(0)]


def test_candles_outlive_a_crash_of_their_keeper(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(made(minute(0)))
    keeper.stage.context.incarnation += 1
    keeper.restart()
    keeper.stage.advance(0.25)
    assert outbox_candles(keeper) == [minute(0)]


def test_candles_that_a_full_disk_does_not_take_hold_no_feed_and_go_out_when_there_is_room(
    make: Callable[..., Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = make()
    with monkeypatch.context() as full:

        def refuse(*_: object) -> range:
            raise SpoolFailed("database or disk is full")

        full.setattr(keeper.spool, "commit", refuse)
        keeper.stage.step(made(minute(0)))
        keeper.stage.advance(1.0)
        assert keeper.stage.told("ingestor:1", FeedHeld) == []
    keeper.stage.advance(0.25)
    assert outbox_candles(keeper) == [minute(0)]


def test_beyond_their_bound_the_oldest_candles_are_let_go(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(made(*map(minute, range(8))))
    keeper.stage.advance(0.25)
    assert outbox_candles(keeper) == [minute(number) for number in range(3, 8)]


def test_candles_count_for_no_tick(make: Callable[..., Keeper]) -> None:
    keeper = make()
    keeper.stage.step(made(minute(0)))
    keeper.stage.advance(0.25)
    (payload,) = keeper.redis.outbox_payloads("p1")
    entry = unpack(payload)
    assert (list(entry.rows), list(entry.counted)) == ([], [])
    assert keeper.stage.told("batch_writer", TicksAccepted) == []
