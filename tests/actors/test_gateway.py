"""Gateway through its mailbox: a server that only records, Redis in memory, a clock that the test moves."""

from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
import pytest
from support.gateway import MemoryRefill
from support.redis_doubles import MemoryRedis
from support.stage import Asker, Stage
from support.ticks import EPOCH, START_US, columns, received

from tickwire.actors.gateway import Gateway
from tickwire.actors.gateway_loop import LoopHung, ServerEnded
from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.market.codec import bulk_to_json
from tickwire.messages.candles import Candle, CandleClosed
from tickwire.messages.clients import (
    AssetsAnswered,
    AssetsRequested,
    CandleOut,
    ChannelsLeft,
    ChannelWanted,
    GapOut,
    Joined,
    LoopEchoed,
    Position,
    Refused,
    StatusOut,
    TicksAnswered,
    TicksOut,
    TicksRequested,
    ToServer,
)
from tickwire.messages.history import HistoryFailed, HistoryRequested, HistoryServed
from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, LinkChanged, ReaderEnded, Subscribe
from tickwire.messages.telemetry import ClientsMeasured

M = TypeVar("M")
LATER = "01K48AAAAAAAAAAAAAAAAAAAAA"


class RecordingServer:
    """`GatewayServer` that keeps what it is handed."""

    def __init__(self) -> None:
        self.posted: list[ToServer] = []
        self.posts = 0
        self.probes = 0
        self.started = self.closed = False

    def start(self) -> None:
        self.started = True

    def post(self, items: Sequence[ToServer]) -> None:
        self.posts += 1
        self.posted += items

    def probe(self) -> None:
        self.probes += 1

    def stuck_at(self) -> str:
        return "in the test"

    def close(self) -> None:
        self.closed = True


class Bench:
    def __init__(self) -> None:
        self.redis = MemoryRedis()
        self.stage = Stage("gateway")
        self.memory = GatewayMemory()
        self.start()

    def start(self) -> None:
        self.server = RecordingServer()
        self.actor = Gateway(
            self.stage.context,
            server=lambda: self.server,
            redis=lambda: MemoryRefill(self.redis, self.on_link),
            memory=self.memory,
            ingestors={"f1": "tick_ingestor"},
            clock=self.stage.clock,
        )
        self.stage.open(self.actor)

    def restart(self) -> None:
        self.actor.close()
        self.stage.context.timers.clear()
        self.stage.context.incarnation += 1
        self.start()

    def on_link(self, state: Any, detail: str) -> None:
        self.stage.context.me.tell(LinkChanged(owner="gateway", link="redis", state=state, detail=detail))

    def want(
        self, asset: str, *, client: int = 1, timeframe: str | None = None, since: Position | None = None
    ) -> ChannelWanted:
        return ChannelWanted(
            incarnation=self.stage.context.incarnation, client=client, ticket=client, asset=asset,
            timeframe=timeframe, since=since,
        )  # fmt: skip

    def left(self, client: int, asset: str | None = None) -> ChannelsLeft:
        return ChannelsLeft(incarnation=self.stage.context.incarnation, client=client, asset=asset)

    def echo(self) -> LoopEchoed:
        return LoopEchoed(
            incarnation=self.stage.context.incarnation, clients=2, frames_sent=3, ticks_conflated=4, refused=5
        )

    def got(self, kind: type[M]) -> list[M]:
        return [item for item in self.server.posted if isinstance(item, kind)]

    def rows(self, asset: str = "A") -> list[int]:
        """Seqs of all ticks handed over."""
        return [
            row[0] for out in self.got(TicksOut) if out.asset == asset for row in orjson.loads(b"[" + out.rows + b"]")
        ]

    def buffer(self, asset: str, first: int, count: int, epoch: str = EPOCH) -> None:
        """What the buffer list in Redis holds."""
        ticks = columns(asset, first, count, epoch=epoch)
        self.redis.lists[f"ticks:{asset}"] = [bulk_to_json(bulk) for bulk in reversed(ticks.encoded)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- ticks


def test_nothing_is_handed_over_of_an_asset_that_nobody_watches(bench: Bench) -> None:
    before = bench.server.posts
    bench.stage.step(received(1, columns("A", 1, 500), columns("B", 1, 1)))
    assert bench.server.posts == before


def test_what_a_drain_brought_is_handed_over_once_an_asset(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"), bench.want("A", client=2))
    before = bench.server.posts
    bench.stage.step(received(2, columns("A", 2, 2)), received(3, columns("B", 1, 1)), received(4, columns("A", 4, 1)))
    (out,) = bench.got(TicksOut)
    assert bench.server.posts == before + 1
    assert (out.asset, out.epoch, out.first_seq, out.last_seq) == ("A", EPOCH, 2, 4)
    rows = [f"[{seq},{(START_US + seq * 1000) / 1e6!r},1.{10000 + seq}]" for seq in (2, 3, 4)]
    assert out.rows.decode() == ",".join(rows)


def test_rows_keep_the_digits_of_the_price(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"), received(2, columns("A", 10_000, 1)))
    bench.stage.advance(0.1)
    assert bench.got(TicksOut)[-1].rows.endswith(b",1.20000]")


def test_a_subscriber_between_two_messages_of_a_drain_sees_each_tick_once(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.stage.step(received(2, columns("A", 2, 2)), bench.want("A", client=2), received(3, columns("A", 4, 2)))
    order = [item for item in bench.server.posted if isinstance(item, TicksOut | Joined)]
    kinds = [(type(item).__name__, item.client if isinstance(item, Joined) else item.last_seq) for item in order]
    assert kinds == [("Joined", 1), ("TicksOut", 3), ("Joined", 2), ("TicksOut", 5)]
    joined = order[2]
    assert isinstance(joined, Joined)
    assert [row[0] for row in orjson.loads(joined.payload)["snapshot"]] == [1, 2, 3]


def test_ticks_that_come_again_are_dropped(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 3)), bench.want("A"))
    bench.stage.step(received(1, columns("A", 1, 3)), received(2, columns("A", 2, 4)))
    assert bench.rows() == [4, 5]


def test_ticks_of_an_epoch_that_is_over_are_dropped(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.stage.step(received(2, columns("A", 1, 2, epoch=LATER)), received(3, columns("A", 2, 1)))
    assert [(out.epoch, out.first_seq, out.last_seq) for out in bench.got(TicksOut)] == [(LATER, 1, 2)]


def test_two_epochs_in_a_drain_are_two_pieces(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.stage.step(received(2, columns("A", 2, 1)), received(3, columns("A", 1, 1, epoch=LATER)))
    assert [(out.epoch, out.last_seq) for out in bench.got(TicksOut)] == [(EPOCH, 2), (LATER, 1)]


# -- holes


def test_a_hole_waits_for_what_is_late(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.stage.step(received(3, columns("A", 4, 1)))
    assert bench.rows() == []
    bench.stage.advance(0.04)
    bench.stage.step(received(2, columns("A", 2, 2)))
    assert bench.rows() == [2, 3, 4]
    bench.stage.advance(1.0)
    assert bench.got(GapOut) == []


def test_a_hole_is_filled_from_the_buffer_after_50_ms(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.buffer("A", 1, 4)
    bench.stage.step(received(2, columns("A", 4, 1)))
    bench.stage.advance(0.049)
    assert bench.rows() == []
    bench.stage.advance(0.002)
    assert bench.rows() == [2, 3, 4]
    assert bench.got(GapOut) == []


def test_what_the_buffer_has_not_is_a_gap_before_what_it_has(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.buffer("A", 5, 2)
    bench.stage.step(received(2, columns("A", 7, 1)))
    bench.stage.advance(0.06)
    assert [orjson.loads(gap.payload) for gap in bench.got(GapOut)] == [
        {"type": "gap", "asset": "A", "from": 2, "to": 4}
    ]
    assert bench.rows() == [5, 6, 7]


def test_without_redis_a_hole_is_a_gap(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.redis.go_down()
    bench.stage.step(received(2, columns("A", 3, 2)))
    bench.stage.advance(0.06)
    assert len(bench.got(GapOut)) == 1
    assert bench.rows() == [3, 4]


def test_after_a_gap_a_snapshot_has_no_hole(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 3)), received(2, columns("A", 8, 2)))
    bench.stage.advance(0.06)
    bench.stage.step(bench.want("A", since=Position(epoch=EPOCH, seq=2)))
    answer = orjson.loads(bench.got(Joined)[0].payload)
    assert answer["recovered"] is False
    assert [row[0] for row in answer["snapshot"]] == [8, 9]


def test_what_is_held_for_a_hole_is_bounded(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    bench.stage.step(received(2, columns("A", 3, 1500)))
    assert len(bench.got(GapOut)) == 1
    assert bench.rows() == list(range(3, 1503))


# -- clients


def test_an_unknown_asset_is_refused(bench: Bench) -> None:
    bench.stage.step(bench.want("A"))
    (refused,) = bench.got(Refused)
    told = orjson.loads(refused.payload)
    assert (told["code"], told["asset"]) == ("unknown_asset", "A")
    bench.stage.step(received(1, columns("A", 1, 1)))
    assert bench.rows() == []


def test_an_asset_registered_by_an_earlier_run_is_known(bench: Bench) -> None:
    bench.redis.hashes["tickwire:assets"] = {"A": b"{}"}
    bench.buffer("A", 3, 2)
    bench.redis.go_down()
    bench.redis.come_up()
    bench.stage.settle()
    bench.stage.step(bench.want("A"))
    answer = orjson.loads(bench.got(Joined)[0].payload)
    assert (answer["epoch"], answer["seq"], [row[0] for row in answer["snapshot"]]) == (EPOCH, 4, [3, 4])


def test_what_lies_before_the_first_live_tick_is_read_from_the_buffer(bench: Bench) -> None:
    bench.buffer("A", 1, 4)
    bench.stage.step(received(1, columns("A", 5, 1)), bench.want("A"))
    answer = orjson.loads(bench.got(Joined)[0].payload)
    assert [row[0] for row in answer["snapshot"]] == [1, 2, 3, 4, 5]


def test_a_buffer_that_another_writer_filled_does_no_harm(bench: Bench) -> None:
    bench.redis.lists["ticks:A"] = [b"{", b"[]", b'{"timestamp":1,"close":2}', b'{"epoch":"e","seq":"1"}']
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"))
    answer = orjson.loads(bench.got(Joined)[0].payload)
    assert [row[0] for row in answer["snapshot"]] == [1]


def test_once_the_last_client_has_left_nothing_is_handed_over(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A"), bench.want("A", client=2))
    bench.stage.step(bench.left(1, "A"), received(2, columns("A", 2, 1)))
    assert bench.rows() == [2]
    bench.stage.step(bench.left(2), received(3, columns("A", 3, 1)))
    assert bench.rows() == [2]


def test_an_announced_asset_is_asked_of_its_feed_by_the_first_who_wants_it(bench: Bench) -> None:
    bench.stage.step(AssetsAnnounced(feed="f1", assets=["A", "B"]), received(1, columns("B", 1, 1)))
    bench.stage.step(bench.want("A"), bench.want("A", client=2), bench.want("B", client=2))
    assert bench.stage.told("tick_ingestor", Subscribe) == [Subscribe(asset="A")]


def test_messages_about_clients_of_an_earlier_incarnation_are_of_no_account(bench: Bench) -> None:
    old = bench.want("A")
    bench.restart()
    bench.stage.step(received(1, columns("A", 1, 1)), old, received(2, columns("A", 2, 1)))
    assert bench.got(Joined) == []
    assert bench.rows() == []


def test_ticks_and_states_outlive_the_incarnation(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 3)), FeedChanged(feed="f1", state="live"))
    bench.restart()
    bench.stage.step(received(1, columns("A", 1, 3)), bench.want("A", since=Position(epoch=EPOCH, seq=1)))
    answer = orjson.loads(bench.got(Joined)[0].payload)
    assert (answer["recovered"], [row[0] for row in answer["snapshot"]]) == (True, [2, 3])
    assert orjson.loads(bench.got(StatusOut)[0].payload)["feed"] == "live"


# -- questions


def test_ticks_are_answered_from_memory_alone_where_it_has_enough(bench: Bench) -> None:
    bench.buffer("A", 1, 2)
    bench.stage.step(received(1, columns("A", 3, 4)))
    asker = Asker()
    bench.stage.step(TicksRequested(asset="A", limit=2, reply_to=asker))
    (answer,) = asker.answers
    assert isinstance(answer, TicksAnswered)
    assert [orjson.loads(tick)["seq"] for tick in answer.ticks] == [5, 6]


def test_buffers_are_read_ahead_of_any_question(bench: Bench) -> None:
    bench.buffer("A", 1, 10)
    bench.stage.step(received(1, columns("A", 11, 1)))
    bench.stage.advance(2.0)
    asker = Asker()
    bench.stage.step(AssetsRequested(announced=False, reply_to=asker))
    (answer,) = asker.answers
    assert isinstance(answer, AssetsAnswered)
    assert [(asset.asset, asset.buffered) for asset in answer.assets] == [("A", 11)]


def test_a_buffer_that_could_not_be_read_is_read_later(bench: Bench) -> None:
    bench.buffer("A", 1, 4)
    bench.stage.step(received(1, columns("A", 5, 1)))
    bench.redis.lose_request()
    bench.stage.step(bench.want("A"))
    assert [row[0] for row in orjson.loads(bench.got(Joined)[0].payload)["snapshot"]] == [5]
    bench.redis.come_up()
    bench.stage.settle()
    bench.stage.step(bench.want("A", client=2))
    assert [row[0] for row in orjson.loads(bench.got(Joined)[1].payload)["snapshot"]] == [1, 2, 3, 4, 5]


def test_a_buffer_that_redis_refuses_keeps_no_other_waiting(bench: Bench) -> None:
    bench.buffer("B", 1, 4)
    bench.stage.step(received(1, columns("A", 1, 1)))
    bench.redis.refuse("wrong type")
    bench.stage.advance(1.05)
    bench.redis.refuse(None)
    bench.stage.step(received(2, columns("B", 5, 1)))
    bench.stage.advance(2.0)
    asker = Asker()
    bench.stage.step(AssetsRequested(announced=False, reply_to=asker))
    (answer,) = asker.answers
    assert isinstance(answer, AssetsAnswered)
    assert [(asset.asset, asset.buffered) for asset in answer.assets] == [("A", 1), ("B", 5)]


# -- candles


def forming(timestamp: int, *, high: float, closed: bool = False, timeframe: str = "1m") -> Candle:
    return Candle(
        timestamp=timestamp, open=1.1, high=high, low=1.0, close=1.05, volume=0, is_closed=closed,
        timeframe=timeframe, ticks=30, quality="live",
    )  # fmt: skip


BUCKET = START_US // 60_000_000 * 60


def test_the_cache_is_asked_once_for_the_candle_to_begin_with(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)))
    bench.stage.step(bench.want("A", timeframe="1m"), bench.want("A", client=2, timeframe="1m"))
    (asked,) = bench.stage.told("cache_manager", HistoryRequested)
    assert (asked.asset, asked.timeframe) == ("A", "1m")


def test_a_forming_candle_is_said_at_most_ten_times_a_second(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A", timeframe="1m"))
    before = len(bench.got(CandleOut))
    for number in range(2, 102):
        bench.stage.step(received(number, columns("A", number, 1)))
        bench.stage.advance(0.01)
    said = bench.got(CandleOut)[before:]
    assert 9 <= len(said) <= 11
    assert orjson.loads(said[-1].payload)["ticks"] >= 90


def test_what_was_not_said_in_time_is_said_when_it_may(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A", timeframe="1m"))
    bench.stage.step(received(2, columns("A", 2, 1)))
    bench.stage.advance(0.11)
    assert orjson.loads(bench.got(CandleOut)[-1].payload)["close"] == 1.10002


def test_the_caches_candle_and_the_live_ticks_are_one(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 2)), bench.want("A", timeframe="1m"))
    bench.stage.step(HistoryServed(asset="A", timeframe="1m", candles=[forming(BUCKET, high=1.5)], source="memory"))
    bench.stage.advance(0.11)
    shown = orjson.loads(bench.got(CandleOut)[-1].payload)
    assert (shown["open"], shown["high"], shown["low"], shown["close"]) == (1.1, 1.5, 1.0, 1.10002)
    assert (shown["is_closed"], shown["quality"]) == (False, "live")


@pytest.mark.parametrize(
    "answer",
    [
        HistoryServed(asset="A", timeframe="1m", candles=[], source="memory"),
        HistoryServed(asset="A", timeframe="1m", candles=[forming(BUCKET - 60, high=9.0, closed=True)], source="store"),
        HistoryServed(asset="A", timeframe="1m", candles=[forming(BUCKET - 60, high=9.0)], source="memory"),
        HistoryServed(asset="B", timeframe="1m", candles=[forming(BUCKET, high=9.0)], source="memory"),
        HistoryFailed(asset="A", timeframe="1m", reason="the store is away"),
    ],
)
def test_a_candle_without_help_of_the_cache_is_of_the_ticks_at_hand(
    bench: Bench, answer: HistoryServed | HistoryFailed
) -> None:
    bench.stage.step(received(1, columns("A", 1, 2)), bench.want("A", timeframe="1m"))
    bench.stage.step(answer)
    bench.stage.advance(0.11)
    shown = orjson.loads(bench.got(CandleOut)[-1].payload)
    assert (shown["open"], shown["high"], shown["low"], shown["close"]) == (1.10001, 1.10002, 1.10001, 1.10002)
    assert shown["quality"] == "partial"


def test_a_bucket_that_ends_is_said_as_it_last_was(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A", timeframe="15s"))
    bench.stage.step(received(2, columns("A", 2, 20_000)))
    start = START_US // 15_000_000 * 15
    ended = orjson.loads(bench.got(CandleOut)[-1].payload)
    last_seq = (start + 15) * 1000 - START_US // 1000 - 1
    assert (ended["timestamp"], ended["ticks"]) == (start, last_seq)
    bench.stage.advance(0.11)
    assert orjson.loads(bench.got(CandleOut)[-1].payload)["timestamp"] == start + 15


def test_a_closed_candle_goes_to_its_timeframe_alone(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 1)), bench.want("A", timeframe="1h"))
    before = len(bench.got(CandleOut))
    bench.stage.step(CandleClosed(asset="A", candle=forming(BUCKET, high=1.5, closed=True)))
    assert len(bench.got(CandleOut)) == before
    bench.stage.step(CandleClosed(asset="A", candle=forming(0, high=1.5, closed=True, timeframe="1h")))
    assert orjson.loads(bench.got(CandleOut)[-1].payload)["is_closed"] is True


# -- states


def test_status_is_of_all_feeds_and_links_together(bench: Bench) -> None:
    def status() -> tuple[str, str]:
        said = orjson.loads(bench.got(StatusOut)[-1].payload)
        return said["feed"], said["redis"]

    assert status() == ("down", "up")
    bench.stage.step(FeedChanged(feed="f1", state="stale"))
    assert status()[0] == "stale"
    bench.stage.step(FeedChanged(feed="f2", state="live"))
    assert status()[0] == "live"
    bench.stage.step(FeedChanged(feed="f1", state="ended"), FeedChanged(feed="f2", state="down"))
    assert status()[0] == "down"
    bench.stage.step(FeedChanged(feed="f2", state="ended"))
    assert status()[0] == "ended"
    bench.stage.step(LinkChanged(owner="publisher", link="redis", state="degraded", detail="down"))
    assert status() == ("ended", "degraded")


def test_its_own_links_changes_are_passed_on(bench: Bench) -> None:
    bench.redis.go_down("loading")
    bench.stage.settle()
    assert [change.detail for change in bench.stage.told("metrics_collector", LinkChanged)] == ["", "loading"]


# -- the loop


def test_the_loop_is_probed_and_its_counts_passed_on(bench: Bench) -> None:
    bench.stage.advance(3.0)
    assert bench.server.probes == 3
    bench.stage.step(bench.echo())
    assert bench.stage.told("metrics_collector", ClientsMeasured) == [
        ClientsMeasured(clients=2, frames_sent=3, ticks_conflated=4, refused=5)
    ]


def test_a_loop_that_answers_no_probe_crashes_the_actor(bench: Bench) -> None:
    for _ in range(30):
        bench.stage.advance(1.0)
        bench.stage.step(bench.echo())
    with pytest.raises(LoopHung):
        bench.stage.advance(30.0)


def test_a_server_that_ends_by_itself_crashes_the_actor(bench: Bench) -> None:
    bench.stage.step(ReaderEnded(reader="gateway-http", reason="of another", incarnation=7))
    with pytest.raises(ServerEnded, match="boom"):
        bench.stage.step(ReaderEnded(reader="gateway-http", reason="boom", incarnation=1))


def test_closing_ends_server_and_link_and_may_be_done_twice(bench: Bench) -> None:
    bench.actor.close()
    bench.actor.close()
    assert bench.server.closed
    assert bench.redis.links[0].closed


def test_a_message_that_is_not_for_it_is_a_bug(bench: Bench) -> None:
    with pytest.raises(TypeError, match="Subscribe"):
        bench.stage.step(Subscribe(asset="A"))
