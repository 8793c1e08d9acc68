"""Publisher through its mailbox."""

import orjson
import pytest
from support.redis_doubles import MemoryRedis
from support.stage import Stage
from support.ticks import columns, received, seqs

from tickwire.actors.publisher import Published, Publisher
from tickwire.market.keys import Keys
from tickwire.messages.candles import Candle, CandleClosed
from tickwire.messages.lifecycle import FeedChanged, LinkChanged
from tickwire.messages.telemetry import TicksPublished


class Bench:
    def __init__(self) -> None:
        self.redis = MemoryRedis()
        self.stage = Stage("publisher")
        self.published: Published = {}
        self.start()

    def start(self) -> None:
        self.actor = Publisher(
            self.stage.context,
            bus=lambda: self.redis.bus(self.on_link),
            clock=self.stage.clock,
            keys=Keys(),
            published=self.published,
        )
        self.stage.open(self.actor)

    def on_link(self, state: str, detail: str) -> None:
        self.stage.context.me.tell(
            LinkChanged(owner="publisher", link="redis", state=state, detail=detail)  # type: ignore[arg-type]
        )

    def seqs(self, asset: str = "A") -> list[int]:
        return seqs(self.redis.messages(f"updates:{asset}"))

    def measured(self) -> tuple[int, int]:
        told = self.stage.told("metrics_collector", TicksPublished)
        return sum(m.published for m in told), sum(m.unpublished for m in told)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_each_tick_is_one_message_in_order_and_a_drain_is_one_round_trip(bench: Bench) -> None:
    before = bench.redis.round_trips
    bench.stage.step(received(1, columns("A", 1, 3), columns("B", 1, 1)), received(2, columns("A", 4, 2)))
    assert bench.seqs() == [1, 2, 3, 4, 5]
    assert bench.seqs("B") == [1]
    assert bench.redis.round_trips == before + 1
    assert bench.measured() == (6, 0)


def test_while_redis_is_away_publishes_are_given_up_at_once_and_counted(bench: Bench) -> None:
    bench.redis.go_down()
    bench.stage.step(received(1, columns("A", 1, 3)))
    bench.redis.come_up()
    bench.stage.settle()
    bench.stage.step(received(2, columns("A", 4, 1)))
    assert bench.seqs() == [4]
    assert bench.measured() == (1, 3)


@pytest.mark.parametrize("kind", ["no permission", "out of memory"])
def test_a_refusing_redis_crashes_nothing(bench: Bench, kind: str) -> None:
    bench.redis.refuse(kind)
    bench.stage.step(received(1, columns("A", 1, 3)))
    bench.redis.refuse(None)
    bench.stage.step(received(2, columns("A", 4, 1)))
    assert bench.seqs() == [4]
    assert bench.measured() == (1, 3)


def test_a_batch_delivered_again_after_a_crash_is_not_published_twice(bench: Bench) -> None:
    batch = received(1, columns("A", 1, 3))
    bench.stage.step(batch)
    bench.actor.close()
    bench.start()
    bench.stage.step(batch)
    bench.stage.step(received(2, columns("A", 4, 1)))
    assert bench.seqs() == [1, 2, 3, 4]


def test_a_new_epoch_starts_from_one_again(bench: Bench) -> None:
    bench.stage.step(received(1, columns("A", 1, 3)))
    bench.stage.step(received(2, columns("A", 1, 2, epoch="01K48")))
    assert bench.seqs() == [1, 2, 3, 1, 2]


def test_the_heartbeat_comes_every_two_seconds_and_says_how_the_feeds_are(bench: Bench) -> None:
    bench.stage.step(FeedChanged(feed="f1", state="live"))
    before = len(bench.redis.messages("tickwire:heartbeat"))
    bench.stage.advance(10.0)
    beats = bench.redis.messages("tickwire:heartbeat")
    assert len(beats) == before + 5
    assert orjson.loads(beats[-1]) == {"timestamp": bench.stage.clock.now_us() / 1e6, "feeds": {"f1": "live"}}


def test_a_closed_candle_is_published(bench: Bench) -> None:
    candle = Candle(
        timestamp=1702934400, open=1.5, high=2.0, low=1.0, close=1.75, volume=0, is_closed=True, timeframe="1m",
        ticks=118, quality="live",
    )  # fmt: skip
    bench.stage.step(CandleClosed(asset="A", candle=candle))
    (message,) = bench.redis.messages("tickwire:candles")
    assert orjson.loads(message) == {
        "asset": "A", "timestamp": 1702934400, "open": 1.5, "high": 2.0, "low": 1.0, "close": 1.75, "volume": 0,
        "is_closed": True, "timeframe": "1m", "ticks": 118, "quality": "live",
    }  # fmt: skip


def test_its_links_changes_are_passed_on(bench: Bench) -> None:
    bench.redis.go_down("loading")
    bench.stage.settle()
    assert [change.detail for change in bench.stage.told("gateway", LinkChanged)] == ["", "loading"]
