"""TickIngestor through its mailbox and a scripted feed."""

import random
from collections.abc import Callable

import orjson
import pytest
from support.feed_doubles import AskableDecoder, NoWaiter, ScriptedDecoder, ScriptedDialler, ScriptedSocket
from support.redis_doubles import MemoryRedis
from support.stage import Asker, Stage

from tickwire.actors.ports import Dialled, FeedProfile
from tickwire.actors.tick_ingestor import TickIngestor
from tickwire.market.backoff import Backoff
from tickwire.market.codec import bulk_to_json
from tickwire.market.offset import OffsetEstimator
from tickwire.market.pipeline import FeedMemory, FeedPipeline, PipelineSettings
from tickwire.market.staleness import Staleness
from tickwire.messages.candles import HoleFound
from tickwire.messages.lifecycle import (
    AssetsAnnounced,
    AssetSelected,
    Drained,
    DrainRequested,
    FeedChanged,
    FeedHeld,
    LinkChanged,
    Subscribe,
    TicksDoubted,
    TicksPushed,
    Unsubscribe,
)
from tickwire.messages.telemetry import FeedMeasured
from tickwire.messages.ticks import (
    AssetGranted,
    AssetRefused,
    AssetReleased,
    AssetRequested,
    BackfillReceived,
    TicksReceived,
)

NOW_S = 1_756_866_774.0
HOUR_US = 3_600_000_000


class Feed:
    """A TickIngestor on a stage with a scripted feed; BufferKeeper's part is played by `grant`."""

    def __init__(
        self, *, unique: bool = True, estimates: bool = False, push: bool = False,
        decoder: type[ScriptedDecoder] = ScriptedDecoder, **profile: object,
    ) -> None:  # fmt: skip
        self.stage = Stage("tick_ingestor")
        self.redis = MemoryRedis()
        self.dialler = ScriptedDialler()
        self.memory = FeedMemory()
        self.waiter = NoWaiter()
        self.profile = FeedProfile(
            name="f1",
            source="v",
            unique_stamps=unique,
            estimates_offset=estimates,
            **profile,  # type: ignore[arg-type]
        )
        self.push = push
        self.decoder = decoder
        self.start()

    def start(self) -> None:
        settings = PipelineSettings(
            sender="run/f1",
            feed="f1",
            source="v",
            unique_stamps=self.profile.unique_stamps,
            estimates_offset=self.profile.estimates_offset,
        )
        self.actor = TickIngestor(
            self.stage.context,
            profile=self.profile,
            dialler=None if self.push else self.dialler,
            make_decoder=self.decoder,
            make_pipeline=lambda: FeedPipeline(settings, self.memory, OffsetEstimator()),
            registry=self.redis.registry,
            waiter=lambda: self.waiter,
            staleness=Staleness(),
            backoff=Backoff(min_s=0.5, max_s=30.0, random=random.Random(1)),
            clock=self.stage.clock,
        )
        self.stage.open(self.actor)

    @property
    def socket(self) -> ScriptedSocket:
        return self.dialler.sockets[-1]

    def read(self, *events: object) -> None:
        self.socket.arrive(*events)
        self.stage.step()

    def live(self, *rows: tuple[str, float, float]) -> None:
        self.read(["live", rows])

    def grant(self, asset: str = "A", epoch: str = "E1", next_seq: int = 1) -> None:
        asked = [request.incarnation for request in self.stage.told("buffer_keeper", AssetRequested)]
        incarnation = asked[-1] if asked else ""
        grant = AssetGranted(asset=asset, feed="f1", incarnation=incarnation, epoch=epoch, next_seq=next_seq)
        self.stage.step(grant)

    def ticks(self, peer: str = "publisher") -> list[tuple[str, int, str]]:
        return [
            (column.asset, column.first_seq + i, price)
            for message in self.stage.told(peer, TicksReceived)
            for column in message.columns
            for i, price in enumerate(column.prices)
        ]

    def pass_time(self, seconds: float) -> None:
        """Beats come between waits, not from timers."""
        for _ in range(round(seconds / 0.25)):
            self.stage.clock.seconds += 0.25
            self.stage.step()

    def states(self) -> list[str]:
        return [change.state for change in self.stage.told("gateway", FeedChanged)]

    def counts(self) -> dict[tuple[str, str], int]:
        self.pass_time(1.25)
        measured = self.stage.told("metrics_collector", FeedMeasured)
        return {(c.asset, c.reason): c.count for message in measured for c in message.counts}


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_ticks_are_held_until_granted_then_numbered_and_told_to_everybody(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5), ("A", NOW_S + 1, 1.6))
    (request,) = feed.stage.told("buffer_keeper", AssetRequested)
    assert (request.asset, request.feed) == ("A", "f1")
    assert feed.ticks() == []
    feed.grant(next_seq=7)
    for peer in ("publisher", "gateway", "buffer_keeper", "cache_manager"):
        assert feed.ticks(peer) == [("A", 7, "1.5"), ("A", 8, "1.6")]
    feed.live(("A", NOW_S + 2, 1.7))
    assert feed.ticks()[-1] == ("A", 9, "1.7")
    encoded = feed.stage.told("publisher", TicksReceived)[-1].columns[0].encoded[0]
    assert orjson.loads(bulk_to_json(encoded)) == {
        "asset": "A", "price": 1.7, "timestamp": NOW_S + 2, "source": "v", "seq": 9, "epoch": "E1",
        "received_at": feed.stage.clock.now_us() / 1e6,
    }  # fmt: skip


def test_a_grant_that_does_not_come_is_asked_for_again(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.pass_time(3.0)
    first, *again = feed.stage.told("buffer_keeper", AssetRequested)
    assert again
    assert {request.incarnation for request in again} == {first.incarnation}
    feed.grant()
    feed.stage.forget()
    feed.pass_time(3.0)
    assert feed.stage.told("buffer_keeper", AssetRequested) == []


def test_a_grant_of_before_the_feed_gave_its_assets_up_grants_nothing(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    (asked,) = feed.stage.told("buffer_keeper", AssetRequested)
    feed.dialler.failing = "refused"
    feed.socket.end("cut")
    feed.pass_time(62.0)
    late = AssetGranted(asset="A", feed="f1", incarnation=asked.incarnation, epoch="E1", next_seq=1)
    feed.stage.step(late)
    assert feed.ticks() == []
    feed.grant(epoch="E2")
    assert feed.ticks() == [("A", 1, "1.5")]


def test_messages_are_numbered_over_restarts(feed: Feed) -> None:
    feed.grant()
    feed.live(("A", NOW_S, 1.5))
    feed.grant()
    feed.live(("A", NOW_S + 1, 1.6))
    feed.actor.close()
    feed.start()
    feed.live(("A", NOW_S + 2, 1.7))
    feed.grant(epoch="E2")
    assert [message.number for message in feed.stage.told("publisher", TicksReceived)] == [1, 2, 3]
    first, second = feed.stage.told("buffer_keeper", AssetRequested)
    assert first.incarnation != second.incarnation


def test_ordinals_go_on_over_a_restart_of_the_actor() -> None:
    feed = Feed(unique=False)
    feed.live(("A", NOW_S, 1.5))
    feed.grant()
    feed.actor.close()
    feed.start()
    feed.live(("A", NOW_S, 1.5))
    feed.grant(epoch="E2")
    assert [list(m.columns[0].ordinals) for m in feed.stage.told("publisher", TicksReceived)] == [[0], [1]]


def test_a_refused_asset_is_counted_until_its_owner_is_gone(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.stage.step(AssetRefused(asset="A", feed="f1", owner="other"))
    feed.live(("A", NOW_S + 1, 1.6))
    assert feed.counts() == {("A", "not_owner"): 2}
    feed.stage.step(AssetReleased(asset="A"))
    feed.live(("A", NOW_S + 2, 1.7))
    feed.grant()
    assert feed.ticks() == [("A", 1, "1.7")]


def test_a_feed_gives_its_assets_up_after_a_minute_down_however_often_it_dials(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.grant(epoch="E1")
    feed.dialler.failing = "refused"
    feed.socket.end("cut")
    feed.stage.step()
    feed.pass_time(59.0)
    assert not any(change.gone for change in feed.stage.told("buffer_keeper", FeedChanged))
    feed.pass_time(2.0)
    assert [change.gone for change in feed.stage.told("buffer_keeper", FeedChanged)].count(True) == 1
    feed.dialler.failing = None
    feed.pass_time(31.0)
    feed.live(("A", NOW_S + 1, 1.6))
    assert len(feed.stage.told("buffer_keeper", AssetRequested)) == 2
    assert len(feed.ticks()) == 1
    feed.grant(epoch="E2")
    assert feed.ticks()[-1] == ("A", 1, "1.6")


def test_a_feed_that_comes_back_in_time_keeps_its_assets_and_joins_nothing_over_the_cut(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.grant(epoch="E1")
    feed.socket.end("cut")
    feed.pass_time(30.0)
    assert feed.stage.told("cache_manager", TicksDoubted) == [TicksDoubted(assets=["A"])]
    feed.live(("A", NOW_S + 1, 1.6))
    assert feed.ticks() == [("A", 1, "1.5")]
    feed.grant(epoch="E2")
    feed.pass_time(61.0)
    assert not any(change.gone for change in feed.stage.told("buffer_keeper", FeedChanged))
    assert feed.ticks()[-1] == ("A", 1, "1.6")


def test_what_a_venue_said_last_counts_though_it_hears_no_answer_any_more(feed: Feed) -> None:
    feed.stage.step(Subscribe(asset="A"))
    feed.socket.arrive(["open"], ["ask", "pong"], ["live", [["A", NOW_S, 1.5]]])
    feed.socket.end("closed by the server")
    feed.stage.step()
    feed.grant()
    assert feed.ticks() == [("A", 1, "1.5")]
    assert feed.states()[-1] == "down"


def test_what_a_venue_asks_is_answered(feed: Feed) -> None:
    feed.read(["ask", "pong"])
    assert feed.socket.sent[-1] == "pong"


def test_history_has_no_seq_and_goes_to_store_and_candles_alone(feed: Feed) -> None:
    feed.read(["history", "A", [[NOW_S - 2, 1.1], [NOW_S - 1, 1.2]]])
    (message,) = feed.stage.told("buffer_keeper", BackfillReceived)
    assert list(message.columns[0].prices) == ["1.1", "1.2"]
    assert feed.stage.told("cache_manager", BackfillReceived) == [message]
    assert feed.stage.told("publisher", BackfillReceived) == []
    assert feed.stage.told("gateway", BackfillReceived) == []


def test_the_clock_offset_is_found_before_the_first_tick_goes_out() -> None:
    feed = Feed(estimates=True)
    ahead = feed.stage.clock.now_us() / 1e6 + 7199.2
    feed.read(["history", "A", [[ahead - 60, 1.1]]])
    assert feed.stage.told("buffer_keeper", BackfillReceived) == []  # the offset is not known yet
    feed.live(("A", ahead, 1.5))
    feed.grant()
    (column,) = feed.stage.told("publisher", TicksReceived)[0].columns
    assert column.offset_us == 2 * HOUR_US
    assert column.ts_us[0] == round(ahead * 1e6) - 2 * HOUR_US
    (past,) = feed.stage.told("buffer_keeper", BackfillReceived)
    assert past.columns[0].offset_us == 2 * HOUR_US


def hole(from_s: float, until_s: float) -> HoleFound:
    return HoleFound(asset="A", from_us=round(from_s * 1e6), until_us=round(until_s * 1e6))


def test_a_hole_is_asked_for_in_whole_minutes_of_the_venues_clock() -> None:
    feed = Feed(estimates=True, decoder=AskableDecoder)
    feed.read(["open"])
    feed.live(("A", feed.stage.clock.now_us() / 1e6 + 7199.2, 1.5))
    minute = int(NOW_S) // 60 * 60
    feed.stage.step(hole(minute - 299.5, minute - 100.25))
    ahead = minute + 7200
    assert feed.socket.sent[-1] == f"older A {ahead - 300} {ahead - 60} 60"


def test_of_a_long_hole_the_newest_part_is_asked_for() -> None:
    feed = Feed(decoder=AskableDecoder)
    feed.read(["open"])
    feed.stage.step(hole(60_000_000, 60_090_000))
    assert feed.socket.sent[-1] == "older A 60081000 60090000 60"


def test_a_hole_is_not_asked_for_before_the_session_is_open() -> None:
    feed = Feed(decoder=AskableDecoder)
    feed.stage.step(hole(0, 60))
    assert feed.socket.sent == ["hello"]


def test_a_hole_is_not_asked_for_of_a_venue_without_a_word_for_it(feed: Feed) -> None:
    feed.read(["open"])
    feed.stage.step(hole(0, 60))
    assert feed.socket.sent == ["hello"]


def test_a_replay_tells_the_arrival_times_for_the_offset() -> None:
    feed = Feed(estimates=True, arrivals_from_pings=True)
    feed.socket.arrive_at(round((NOW_S - 1000) * 1e6))
    feed.live(("A", NOW_S - 1000 + 7200, 1.5))
    feed.grant()
    assert feed.stage.told("publisher", TicksReceived)[0].columns[0].offset_us == 2 * HOUR_US


def test_assets_are_subscribed_once_the_session_is_open_and_after_every_reconnect() -> None:
    feed = Feed(assets=("A",))
    assert feed.socket.sent == ["hello"]
    feed.read(["open"])
    feed.stage.step(Subscribe(asset="B"))
    assert feed.socket.sent == ["hello", "sub A", "sub B"]
    feed.stage.step(Unsubscribe(asset="A"))
    feed.socket.end("cut")
    feed.stage.step()
    feed.pass_time(1.5)
    feed.read(["open"])
    assert feed.socket.sent == ["hello", "sub B"]


def test_a_lost_feed_is_dialled_again_for_ever_with_growing_pauses(feed: Feed) -> None:
    feed.read(["open"])
    feed.dialler.failing = "refused"
    feed.socket.end("cut")
    feed.pass_time(200.0)
    attempts = len(feed.dialler.attempts)
    assert 6 <= attempts <= 14  # 0.5, 1, 2, … capped at 30 s
    feed.dialler.failing = None
    feed.pass_time(45.0)
    feed.read(["open"])
    assert feed.states()[-1] == "live"


def test_an_ended_replay_is_not_dialled_again() -> None:
    feed = Feed(reconnects_after_end=False)
    feed.read(["live", [["A", NOW_S, 1.5]]])
    feed.socket.end("ended", 1000)
    feed.pass_time(60.0)
    assert feed.states()[-1] == "ended"
    assert len(feed.dialler.attempts) == 1


def test_a_replay_that_is_cut_before_its_end_is_dialled_again() -> None:
    feed = Feed(reconnects_after_end=False)
    feed.socket.end("cut")
    feed.pass_time(2.0)
    assert len(feed.dialler.attempts) == 2


def test_a_silent_connection_is_given_up_at_the_venues_limit(feed: Feed) -> None:
    feed.pass_time(44.0)
    assert len(feed.dialler.attempts) == 1
    assert feed.socket.pings >= 4
    feed.pass_time(3.0)
    assert len(feed.dialler.attempts) == 2


def test_a_late_answer_of_an_older_attempt_is_closed(feed: Feed) -> None:
    stray = ScriptedSocket()
    feed.stage.step(Dialled(stray, 0))
    assert stray.closed
    assert not feed.socket.closed


def test_an_otc_asset_that_falls_silent_is_stale_until_it_ticks(feed: Feed) -> None:
    feed.live(("A_otc", NOW_S, 1.5))
    feed.pass_time(6.0)
    assert feed.states()[-1] == "stale"
    assert feed.stage.told("gateway", FeedChanged)[-1].stale_assets == ("A_otc",)
    feed.live(("A_otc", NOW_S + 6, 1.6))
    feed.pass_time(0.5)
    assert feed.states()[-1] == "live"


@pytest.mark.parametrize("peer", ["publisher", "gateway", "buffer_keeper", "cache_manager"])
def test_the_socket_is_left_unread_while_a_receiver_is_congested(feed: Feed, peer: str) -> None:
    reads = feed.socket.reads
    feed.stage.context.address(peer).congest(True)
    feed.live(("A", NOW_S, 1.5))
    assert feed.socket.reads == reads
    feed.actor.wait()
    assert feed.waiter.waited[-1] is None
    woken = feed.waiter.woken
    feed.stage.context.address(peer).congest(False)
    assert feed.waiter.woken == woken + 1
    feed.stage.step()
    feed.grant()
    assert feed.ticks() == [("A", 1, "1.5")]


def test_the_socket_is_left_unread_while_the_spool_takes_nothing(feed: Feed) -> None:
    feed.stage.step(FeedHeld(held=True, reason="disk full"))
    reads = feed.socket.reads
    feed.live(("A", NOW_S, 1.5))
    assert feed.socket.reads == reads
    feed.stage.step(FeedHeld(held=False))
    assert feed.socket.reads == reads + 1


def test_a_feed_that_is_left_unread_says_why(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.stage.step(FeedHeld(held=True, reason="disk full"))
    held = feed.stage.told("gateway", FeedChanged)[-1]
    feed.stage.step(FeedHeld(held=False))
    again = feed.stage.told("gateway", FeedChanged)[-1]
    assert [(change.state, change.detail) for change in (held, again)] == [("stale", "disk full"), ("live", "")]


def test_known_and_listed_assets_are_registered_when_redis_is_there(feed: Feed) -> None:
    feed.redis.go_down()
    feed.live(("A", NOW_S, 1.5))
    feed.read(["assets", ["B", "C"]])
    feed.pass_time(0.5)
    feed.redis.come_up()
    feed.pass_time(0.5)
    registered = feed.redis.hashes["tickwire:assets"]
    assert set(registered) == {"A", "B", "C"}
    assert orjson.loads(registered["A"]) == {"feed": "f1", "source": "v"}
    assert feed.stage.told("gateway", AssetsAnnounced) == [AssetsAnnounced(feed="f1", assets=["B", "C"])]


def test_malformed_frames_are_counted_and_the_rest_goes_on(feed: Feed) -> None:
    feed.read(["bad"], ["live", [["A", NOW_S, 1.5]]])
    feed.grant()
    assert feed.ticks() == [("A", 1, "1.5")]
    assert feed.counts() == {("?", "malformed"): 1}


def test_a_drain_reads_no_more_and_hands_on_what_was_read(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    asker = Asker()
    feed.stage.step(DrainRequested(reply_to=asker))
    assert feed.socket.closed
    assert asker.answers == []  # the asset is not granted yet
    feed.grant()
    feed.pass_time(0.5)
    assert asker.answers == [Drained(feed="f1")]
    assert feed.ticks() == [("A", 1, "1.5")]


def test_a_drain_does_not_wait_for_ever_for_a_grant(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    asker = Asker()
    feed.stage.step(DrainRequested(reply_to=asker))
    feed.pass_time(3.0)
    assert asker.answers == [Drained(feed="f1")]
    assert feed.ticks("buffer_keeper") == [("A", 1, "1.5")]


def test_a_host_pushes_ticks_of_its_own() -> None:
    feed = Feed(push=True, unique=False)
    feed.stage.step(TicksPushed(rows=[("A", NOW_S, 1.5), ("A", NOW_S, "1.60"), ("A", NOW_S, float("nan"))]))
    feed.grant()
    assert feed.ticks() == [("A", 1, "1.5"), ("A", 2, "1.60")]
    assert feed.states() == ["live", "live"] or feed.states() == ["live"]
    assert feed.counts() == {("A", "bad_price"): 1}


def test_closing_is_idempotent_and_ends_the_watching(feed: Feed) -> None:
    feed.actor.close()
    feed.actor.close()
    assert feed.socket.closed
    assert feed.stage.context.address("publisher").listeners == []


def test_every_receiver_is_told_before_the_numbers_count() -> None:
    feed = Feed(unique=False)
    feed.live(("A", NOW_S, 1.5))
    feed.grant()
    publisher = feed.stage.context.address("publisher")
    tell: Callable[..., object] = publisher.tell
    publisher.tell = lambda *_args, **_kwargs: (_ for _ in ()).throw(RuntimeError("crash"))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        feed.live(("A", NOW_S, 1.5))
    publisher.tell = tell  # type: ignore[assignment]
    assert feed.memory.number == 1
    assert feed.memory.ordinals.assign("A", [round(NOW_S * 1e6)], ["1.5"]) == [2]
    feed.memory.ordinals.forget_staged()
    assert feed.memory.ordinals.assign("A", [round(NOW_S * 1e6)], ["1.5"]) == [1]


def test_a_connection_that_we_leave_unread_is_not_silent(feed: Feed) -> None:
    feed.stage.step(FeedHeld(held=True, reason="disk full"))
    feed.pass_time(120.0)
    assert not feed.socket.closed
    feed.stage.step(FeedHeld(held=False))
    feed.pass_time(47.0)
    assert len(feed.dialler.attempts) == 2


def test_after_a_drain_nothing_is_dialled_or_read_any_more(feed: Feed) -> None:
    asker = Asker()
    feed.stage.step(DrainRequested(reply_to=asker))
    feed.pass_time(1.0)
    late = ScriptedSocket()
    feed.stage.step(Dialled(late, feed.dialler.attempts[-1]))
    feed.pass_time(120.0)
    assert late.closed
    assert len(feed.dialler.attempts) == 1
    assert asker.answers == [Drained(feed="f1")]


def test_an_asset_that_nobody_wants_any_more_is_not_stale(feed: Feed) -> None:
    feed.live(("A_otc", NOW_S, 1.5), ("B_otc", NOW_S, 1.5))
    feed.stage.step(Unsubscribe(asset="A_otc"))
    feed.pass_time(6.0)
    assert feed.stage.told("gateway", FeedChanged)[-1].stale_assets == ("B_otc",)
    assert feed.states()[-1] == "stale"


def test_at_a_recordings_end_nothing_is_stale() -> None:
    feed = Feed(reconnects_after_end=False)
    feed.live(("A_otc", NOW_S, 1.5))
    feed.pass_time(6.0)
    feed.socket.end("ended", 1000)
    feed.pass_time(60.0)
    last = feed.stage.told("gateway", FeedChanged)[-1]
    assert (last.state, last.stale_assets) == ("ended", ())


def test_its_link_to_redis_shows_on_the_gateway_and_in_the_metrics(feed: Feed) -> None:
    change = LinkChanged(owner="tick_ingestor", link="redis", state="degraded", detail="loading")
    feed.stage.step(change)
    for listener in ("gateway", "metrics_collector"):
        assert change in feed.stage.told(listener, LinkChanged)


def test_ticks_after_a_doubt_get_an_epoch_of_their_own_and_other_assets_go_on(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5), ("B", NOW_S, 2.5))
    feed.grant("A", epoch="E1")
    feed.grant("B", epoch="E1")
    feed.read(["live", [("A", NOW_S + 1, 1.6)]], ["doubt", ["A", "C"]], ["live", [("A", NOW_S + 2, 1.7)]])
    assert feed.ticks() == [("A", 1, "1.5"), ("B", 1, "2.5"), ("A", 2, "1.6")]
    asked = feed.stage.told("buffer_keeper", AssetRequested)
    assert [request.asset for request in asked] == ["A", "B", "A"]
    assert asked[0].incarnation != asked[2].incarnation
    feed.grant("A", epoch="E2")
    feed.live(("B", NOW_S + 3, 2.6))
    assert feed.ticks()[-2:] == [("A", 1, "1.7"), ("B", 2, "2.6")]


def test_candles_hear_of_a_doubt_between_the_ticks_before_and_those_after_it(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.grant("A", epoch="E1")
    feed.stage.forget()
    feed.read(["live", [("A", NOW_S + 1, 1.6)]], ["doubt", ["A", "B"]], ["live", [("A", NOW_S + 2, 1.7)]])
    feed.grant("A", epoch="E2")
    told = feed.stage.context.address("cache_manager").messages
    before, doubted, after = (each for each in told if isinstance(each, TicksReceived | TicksDoubted))
    assert doubted == TicksDoubted(assets=["A"])
    assert isinstance(before, TicksReceived)
    assert isinstance(after, TicksReceived)
    assert [message.columns[0].epoch for message in (before, after)] == ["E1", "E2"]


def test_an_asset_that_is_wanted_again_begins_an_epoch(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.grant("A", epoch="E1")
    feed.stage.step(Unsubscribe(asset="A"), Subscribe(asset="A"))
    feed.live(("A", NOW_S + 1, 1.6))
    feed.grant("A", epoch="E2")
    assert feed.ticks() == [("A", 1, "1.5"), ("A", 1, "1.6")]


def test_what_is_held_over_a_cut_is_parted_there(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    for second in (1, 2):
        feed.socket.end("cut")
        feed.pass_time(1.5)
        feed.live(("A", NOW_S + second, 1.5 + second))
    assert feed.ticks() == []
    for epoch in ("E1", "E2", "E3"):
        feed.grant(epoch=epoch)
    asked_by = [request.incarnation for request in feed.stage.told("buffer_keeper", AssetRequested)]
    assert len(set(asked_by)) == 3
    columns = [c for message in feed.stage.told("publisher", TicksReceived) for c in message.columns]
    assert [(c.epoch, c.first_seq, list(c.prices)) for c in columns] == [
        ("E1", 1, ["1.5"]), ("E2", 1, ["2.5"]), ("E3", 1, ["3.5"]),
    ]  # fmt: skip


def test_a_drain_parts_what_is_held_over_a_cut_too(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.socket.end("cut")
    feed.pass_time(1.5)
    feed.live(("A", NOW_S + 1, 1.6))
    asker = Asker()
    feed.stage.step(DrainRequested(reply_to=asker))
    feed.pass_time(3.0)
    assert asker.answers == [Drained(feed="f1")]
    assert feed.ticks() == [("A", 1, "1.5"), ("A", 1, "1.6")]


def test_a_drain_says_that_silence_proves_nothing_from_then_on_and_keeps_the_epoch(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.grant(epoch="E1")
    feed.stage.step(DrainRequested(reply_to=Asker()))
    assert feed.stage.told("cache_manager", TicksDoubted) == [TicksDoubted(assets=["A"])]
    assert feed.stage.told("cache_manager", object)[-1] == TicksDoubted(assets=["A"])
    assert len(feed.stage.told("buffer_keeper", AssetRequested)) == 1


def test_a_doubt_about_what_nobody_was_granted_voids_no_grant_under_way(feed: Feed) -> None:
    feed.live(("A", NOW_S, 1.5))
    feed.read(["doubt", ["A", "B"]])
    feed.grant("A")
    assert feed.ticks() == [("A", 1, "1.5")]
    assert len(feed.stage.told("buffer_keeper", AssetRequested)) == 1


def test_what_a_person_must_do_is_said_once_it_has_lasted(feed: Feed) -> None:
    feed.read(["open"], ["lack", "open the page"])
    feed.pass_time(4.0)
    assert feed.states()[-1] == "live"
    feed.pass_time(2.0)
    last = feed.stage.told("gateway", FeedChanged)[-1]
    assert (last.state, last.detail) == ("stale", "open the page")
    feed.read(["lack", ""], ["live", [("A", NOW_S, 1.5)]])
    feed.pass_time(0.5)
    last = feed.stage.told("gateway", FeedChanged)[-1]
    assert (last.state, last.detail) == ("live", "")


def test_what_was_lacking_is_forgotten_with_the_connection(feed: Feed) -> None:
    feed.read(["open"], ["lack", "open the page"])
    feed.socket.end("cut")
    feed.pass_time(1.0)
    feed.read(["open"])
    feed.pass_time(8.0)
    assert feed.states()[-1] == "live"


def test_the_asset_on_the_traders_page_is_told_unless_it_is_no_asset(feed: Feed) -> None:
    feed.read(["chosen", "A"], ["chosen", "no asset"], ["chosen", None])
    assert [told.asset for told in feed.stage.told("gateway", AssetSelected)] == ["A", None]
