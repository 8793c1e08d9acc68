"""MetricsCollector through its mailbox: the registry it fills, INFO, `system_status`."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from support.redis_doubles import MemoryRedis
from support.stage import Stage

from tickwire.actors.metrics_collector import MetricsCollector
from tickwire.actors.system_state import SystemState
from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, FeedState, LinkChanged, LinkState
from tickwire.messages.telemetry import (
    BacklogMeasured,
    BatchStored,
    ClientsMeasured,
    FeedMeasured,
    HistoryMeasured,
    RowsQuarantined,
    SpoolMeasured,
    Telemetry,
    TicksLeftOut,
    TicksPublished,
)
from tickwire.messages.ticks import TicksAccepted


class Recorded:
    """`Metrics` that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Telemetry] = []
        self.info: Mapping[str, str] = {}

    def record(self, message: Telemetry) -> None:
        self.messages.append(message)

    def redis_info(self, info: Mapping[str, str]) -> None:
        self.info = info


class Bench:
    def __init__(self) -> None:
        self.redis = MemoryRedis()
        self.stage = Stage("metrics_collector")
        self.metrics = Recorded()
        self.state = SystemState()
        self.start()

    def start(self) -> None:
        self.actor = MetricsCollector(
            self.stage.context,
            redis=lambda: self.redis.monitor(self.on_link),
            metrics=self.metrics,
            state=self.state,
            clock=self.stage.clock,
        )
        self.stage.open(self.actor)

    def on_link(self, state: LinkState, detail: str) -> None:
        self.stage.context.me.tell(LinkChanged(owner="metrics_collector", link="redis", state=state, detail=detail))

    def said(self) -> list[dict[str, Any]]:
        return [orjson.loads(payload) for payload in self.redis.messages("system_status")]

    def feed(self, state: FeedState, name: str = "f1") -> None:
        self.stage.step(FeedChanged(feed=name, state=state))

    def link(self, state: LinkState, owner: str = "publisher", detail: str = "") -> None:
        self.stage.step(LinkChanged(owner=owner, link="redis", state=state, detail=detail))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_every_kind_of_telemetry_is_recorded(bench: Bench) -> None:
    told: list[Telemetry] = [
        FeedMeasured(
            feed="f1", frames=1, ticks=1, counts=[], ignored_events=0, reconnects=0, offset_us=0, paused=False
        ),
        TicksPublished(published=1, unpublished=0, seconds=0.1),
        TicksAccepted(ticks=1, rows=1, pending_entries=1),
        SpoolMeasured(spool_rows=1, spool_bytes=1, window_entries=1, lost=0),
        BatchStored(rows=1, inserted=1, seconds=0.1, pending=0),
        BacklogMeasured(rows=1, catching_up=False, rate=0.0, eta_s=None),
        RowsQuarantined(rows=1, reason="23514"),
        HistoryMeasured(outcome="memory", seconds=0.1, waiters=1),
        TicksLeftOut(late=1, ahead=1),
        ClientsMeasured(clients=1, frames_sent=1, ticks_conflated=0, refused=0),
        FeedChanged(feed="f1", state="live"),
        LinkChanged(owner="publisher", link="redis", state="up"),
        AssetsAnnounced(feed="f1", assets=["A"]),
    ]
    bench.metrics.messages.clear()
    bench.stage.step(*told)
    assert bench.metrics.messages == told


def test_a_message_that_is_no_telemetry_is_a_bug_and_shows_as_one(bench: Bench) -> None:
    with pytest.raises(TypeError, match="takes no str"):
        bench.actor.step(["hello"])


def test_the_status_has_the_shape_that_readers_of_the_platform_expect(bench: Bench) -> None:
    bench.stage.step(FeedChanged(feed="f1", state="live", stale_assets=("A",)))
    assert bench.said()[-1] == {
        "service": "tickwire",
        "status": "up",
        "timestamp": bench.stage.clock.now_us() / 1e6,
        "details": {
            "feeds": {"f1": {"state": "live", "detail": "", "stale_assets": ["A"]}},
            "redis": {"metrics_collector": {"state": "up", "detail": ""}},
            "store": {},
        },
    }


def test_a_change_is_said_at_once_and_a_batch_of_changes_in_one_message(bench: Bench) -> None:
    before = len(bench.said())
    bench.stage.step(FeedChanged(feed="f1", state="connecting"), FeedChanged(feed="f1", state="live"))
    assert len(bench.said()) == before + 1
    bench.stage.step(TicksPublished(published=1, unpublished=0, seconds=0.1))
    assert len(bench.said()) == before + 1


def test_the_status_is_said_every_five_seconds_though_nothing_changes(bench: Bench) -> None:
    before = len(bench.said())
    bench.stage.advance(20.0)
    assert len(bench.said()) == before + 4


@pytest.mark.parametrize(
    ("feeds", "redis", "status"),
    [
        ({}, "up", "down"),
        ({"f1": "down"}, "up", "down"),
        ({"f1": "connecting"}, "up", "down"),
        ({"f1": "live"}, "up", "up"),
        ({"f1": "ended"}, "up", "up"),
        ({"f1": "stale"}, "up", "degraded"),
        ({"f1": "live", "f2": "down"}, "up", "degraded"),
        ({"f1": "live"}, "degraded", "degraded"),
        ({"f1": "down"}, "degraded", "down"),
    ],
)
def test_the_status_is_that_of_the_worst_part(
    bench: Bench, feeds: dict[str, FeedState], redis: LinkState, status: str
) -> None:
    for name, state in feeds.items():
        bench.feed(state, name)
    bench.link(redis, detail="why")
    assert bench.said()[-1]["status"] == status
    assert bench.said()[-1]["details"]["redis"]["publisher"] == {"state": redis, "detail": "why"}


def test_info_is_read_when_redis_is_up_and_every_five_seconds(bench: Bench) -> None:
    assert bench.metrics.info == bench.redis.info
    bench.redis.info = {"redis_version": "7.2.0", "used_memory": "5"}
    bench.stage.advance(5.0)
    assert bench.metrics.info == {"redis_version": "7.2.0", "used_memory": "5"}


def test_figures_of_a_redis_that_is_away_are_taken_away(bench: Bench) -> None:
    bench.redis.go_down("timeout")
    bench.stage.settle()
    assert bench.metrics.info == {}
    before = len(bench.said())
    bench.stage.advance(30.0)
    assert len(bench.said()) == before


def test_the_status_is_said_as_soon_as_redis_is_back(bench: Bench) -> None:
    bench.feed("live")
    bench.redis.go_down()
    bench.stage.settle()
    bench.feed("down")
    bench.redis.come_up()
    bench.stage.settle()
    assert bench.said()[-1]["details"]["feeds"]["f1"]["state"] == "down"
    assert bench.metrics.info == bench.redis.info


@pytest.mark.parametrize("kind", ["no permission", "out of memory"])
def test_a_refusing_redis_crashes_nothing(bench: Bench, kind: str) -> None:
    bench.redis.refuse(kind)
    bench.feed("live")
    bench.stage.advance(5.0)
    assert bench.metrics.info == {}
    bench.redis.refuse(None)
    bench.stage.advance(5.0)
    assert bench.said()[-1]["status"] == "up"


def test_a_restart_forgets_nothing_of_how_the_whole_is(bench: Bench) -> None:
    bench.feed("live")
    bench.link("degraded", detail="loading")
    bench.actor.close()
    bench.start()
    assert bench.said()[-1]["status"] == "degraded"
    assert bench.said()[-1]["details"]["redis"]["publisher"] == {"state": "degraded", "detail": "loading"}


def test_its_own_links_changes_are_passed_on_to_the_gateway(bench: Bench) -> None:
    bench.redis.go_down("loading")
    bench.stage.settle()
    bench.link("degraded")
    assert [change.detail for change in bench.stage.told("gateway", LinkChanged)] == ["", "loading"]


def test_closing_twice_or_before_opening_does_no_harm(bench: Bench) -> None:
    bench.actor.close()
    bench.actor.close()
    assert bench.redis.links[0].closed
    MetricsCollector(
        bench.stage.context, redis=bench.redis.monitor, metrics=bench.metrics, state=bench.state,
        clock=bench.stage.clock,
    ).close()  # fmt: skip
