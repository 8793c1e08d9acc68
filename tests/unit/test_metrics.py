"""The registry: what each message does to the page that Prometheus reads."""

import re
import threading
from math import isnan
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tickwire.actors.kernel import ChildState
from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, LinkChanged
from tickwire.messages.telemetry import (
    BacklogMeasured,
    BatchStored,
    ClientsMeasured,
    FeedMeasured,
    HistoryMeasured,
    RowsQuarantined,
    SpoolMeasured,
    TicksLeftOut,
    TicksPublished,
)
from tickwire.messages.ticks import Count, TicksAccepted
from tickwire.runtime.metrics import ASSETS_MAX, FEEDS_MAX, REASONS_MAX, RelayMetrics
from tickwire.runtime.metrics_scraped import REDIS_COUNTERS, REDIS_GAUGES, KernelReading

Page = dict[tuple[str, frozenset[tuple[str, str]]], float]


def page(metrics: RelayMetrics) -> Page:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: RelayMetrics, name: str, **labels: str) -> float:
    return page(metrics)[f"tickwire_{name}", frozenset(labels.items())]


def measured(feed: str = "f1", *counts: Count, offset_us: int = 0, paused: bool = False) -> FeedMeasured:
    return FeedMeasured(
        feed=feed, frames=10, ticks=20, counts=counts, ignored_events=3, reconnects=1, offset_us=offset_us,
        paused=paused, lateness_us=1_500_000,
    )  # fmt: skip


@pytest.fixture
def metrics() -> RelayMetrics:
    return RelayMetrics()


def test_a_feeds_growth_adds_up_and_its_gauges_are_the_last_ones(metrics: RelayMetrics) -> None:
    metrics.record(measured(offset_us=0, paused=True))
    metrics.record(measured(offset_us=7_200_000_000))
    assert value(metrics, "feed_frames_total", feed="f1") == 20
    assert value(metrics, "feed_ticks_total", feed="f1") == 40
    assert value(metrics, "feed_events_ignored_total", feed="f1") == 6
    assert value(metrics, "feed_reconnects_total", feed="f1") == 2
    assert value(metrics, "feed_clock_offset_seconds", feed="f1") == 7200
    assert value(metrics, "feed_lateness_seconds", feed="f1") == 1.5
    assert value(metrics, "feed_paused", feed="f1") == 0


def test_duplicates_are_counted_apart_from_what_was_rejected(metrics: RelayMetrics) -> None:
    bad = Count(asset="A", reason="bad_price", count=2)
    metrics.record(measured("f1", bad, Count(asset="A", reason="duplicate", count=5)))
    metrics.record(measured("f1", bad))
    assert value(metrics, "ticks_rejected_total", feed="f1", asset="A", reason="bad_price") == 4
    assert value(metrics, "ticks_duplicate_total", feed="f1", asset="A") == 5
    rejected = [name for name, labels in page(metrics) if name == "tickwire_ticks_rejected_total"]
    assert len(rejected) == 1


def test_ticks_that_no_candle_shows_are_counted_by_reason(metrics: RelayMetrics) -> None:
    metrics.record(TicksLeftOut(late=3, ahead=0))
    metrics.record(TicksLeftOut(late=1, ahead=2))
    assert value(metrics, "candle_ticks_left_out_total", reason="late") == 4
    assert value(metrics, "candle_ticks_left_out_total", reason="ahead") == 2


def test_labels_from_outside_are_capped(metrics: RelayMetrics) -> None:
    for i in range(1000):
        metrics.record(measured(f"f{i % 100}", Count(asset=f"A{i}", reason=f"r{i}", count=1)))
        metrics.record(RowsQuarantined(rows=1, reason=f"code {i}"))
    labels: dict[str, set[str]] = {}
    for _, pairs in page(metrics):
        for name, text in pairs:
            labels.setdefault(name, set()).add(text)
    assert len(labels["feed"]) == FEEDS_MAX + 1
    assert len(labels["asset"]) == ASSETS_MAX + 1
    assert len(labels["reason"]) == 2 * REASONS_MAX + 1
    assert value(metrics, "rows_quarantined_total", reason="other") == 1000 - REASONS_MAX


def test_a_feed_is_in_one_state(metrics: RelayMetrics) -> None:
    metrics.record(FeedChanged(feed="f1", state="live"))
    metrics.record(FeedChanged(feed="f1", state="stale", stale_assets=("A", "B")))
    metrics.record(AssetsAnnounced(feed="f1", assets=["A", "B", "C"]))
    states = {s: value(metrics, "feed_state", feed="f1", state=s) for s in ("connecting", "live", "stale", "down")}
    assert states == {"connecting": 0, "live": 0, "stale": 1, "down": 0}
    assert value(metrics, "feed_stale_assets", feed="f1") == 2
    assert value(metrics, "feed_assets_announced", feed="f1") == 3


def test_publishes_given_up_have_no_round_trip(metrics: RelayMetrics) -> None:
    metrics.record(TicksPublished(published=7, unpublished=0, seconds=0.002))
    metrics.record(TicksPublished(published=0, unpublished=3, seconds=0.0))
    assert value(metrics, "ticks_published_total") == 7
    assert value(metrics, "ticks_unpublished_total") == 3
    assert value(metrics, "publish_seconds_count") == 1
    assert value(metrics, "publish_seconds_bucket", le="0.001") == 0
    assert value(metrics, "publish_seconds_bucket", le="0.0025") == 1


def test_the_durable_path_shows_what_is_accepted_spooled_forwarded_and_stored(metrics: RelayMetrics) -> None:
    metrics.record(TicksAccepted(ticks=5, rows=1, pending_entries=9, commit_seconds=0.001, forward_seconds=0.002))
    metrics.record(TicksAccepted(ticks=4, rows=2, pending_entries=9, commit_seconds=0.001, forward_seconds=None))
    metrics.record(SpoolMeasured(spool_rows=3, spool_bytes=400, window_entries=2, lost=7))
    metrics.record(BatchStored(rows=6, inserted=4, seconds=0.01, pending=3))
    metrics.record(BatchStored(rows=3, inserted=None, seconds=0.01, pending=0))
    metrics.record(RowsQuarantined(rows=1, reason="23514"))
    assert value(metrics, "ticks_accepted_total") == 9
    assert value(metrics, "spool_rows_written_total") == 3
    assert value(metrics, "spool_commit_seconds_count") == 2
    assert value(metrics, "forward_seconds_count") == 1
    assert value(metrics, "spool_rows") == 3
    assert value(metrics, "spool_bytes") == 400
    assert value(metrics, "ticks_lost") == 7
    assert value(metrics, "outbox_entries") == 2
    assert value(metrics, "rows_stored_total") == 9
    assert value(metrics, "rows_inserted_total") == 4
    assert value(metrics, "store_seconds_count") == 2
    assert value(metrics, "store_pending_rows") == 0
    assert value(metrics, "rows_quarantined_total", reason="23514") == 1


def test_catching_up_shows_what_is_left_and_for_how_long(metrics: RelayMetrics) -> None:
    metrics.record(BacklogMeasured(rows=9_000, catching_up=True, rate=300.0, eta_s=30.0))
    assert value(metrics, "store_backlog_rows") == 9_000
    assert value(metrics, "store_catching_up") == 1
    assert value(metrics, "store_catch_up_eta_seconds") == 30.0
    metrics.record(BacklogMeasured(rows=9_500, catching_up=True, rate=300.0, eta_s=None))
    assert isnan(value(metrics, "store_catch_up_eta_seconds"))
    metrics.record(BacklogMeasured(rows=10, catching_up=False, rate=300.0, eta_s=None))
    assert value(metrics, "store_catching_up") == 0
    assert value(metrics, "store_catch_up_eta_seconds") == 0


def test_one_flight_answers_as_many_questions_as_waited_for_it(metrics: RelayMetrics) -> None:
    metrics.record(HistoryMeasured(outcome="store", seconds=0.2, waiters=3))
    metrics.record(HistoryMeasured(outcome="failed", seconds=0.2, waiters=1))
    assert value(metrics, "history_answers_total", outcome="store") == 3
    assert value(metrics, "history_answers_total", outcome="failed") == 1
    assert value(metrics, "history_seconds_count", outcome="store") == 1


def test_clients_are_a_gauge_and_what_they_got_is_counted(metrics: RelayMetrics) -> None:
    metrics.record(ClientsMeasured(clients=5, frames_sent=100, ticks_conflated=10, refused=1))
    metrics.record(ClientsMeasured(clients=2, frames_sent=50, ticks_conflated=0, refused=0))
    assert value(metrics, "gateway_clients") == 2
    assert value(metrics, "gateway_frames_sent_total") == 150
    assert value(metrics, "gateway_ticks_conflated_total") == 10
    assert value(metrics, "gateway_refused_total") == 1


def test_a_link_is_in_one_state_and_one_outage_counts_once(metrics: RelayMetrics) -> None:
    for state, detail in [("up", ""), ("degraded", "down"), ("degraded", "loading"), ("up", ""), ("degraded", "down")]:
        change = LinkChanged(owner="publisher", link="redis", state=state, detail=detail)  # type: ignore[arg-type]
        metrics.record(change)
    assert value(metrics, "link_state", owner="publisher", link="redis", state="degraded") == 1
    assert value(metrics, "link_state", owner="publisher", link="redis", state="up") == 0
    assert value(metrics, "link_degraded_total", owner="publisher", link="redis") == 2


def test_redis_own_figures_come_and_go_with_what_is_known(metrics: RelayMetrics) -> None:
    assert not [name for name, _ in page(metrics) if name.startswith("tickwire_redis")]
    metrics.redis_info(
        {"redis_version": "7.0.15", "redis_mode": "standalone", "used_memory": "123", "evicted_keys": "4"}
    )
    assert value(metrics, "redis_info", version="7.0.15", mode="standalone") == 1
    assert value(metrics, "redis_used_memory_bytes") == 123
    assert value(metrics, "redis_evicted_keys_total") == 4
    metrics.redis_info({})
    assert not [name for name, _ in page(metrics) if name.startswith("tickwire_redis")]


def test_the_actors_are_read_when_the_page_is() -> None:
    restarts = iter([0, 3])

    def read() -> KernelReading:
        actor = ChildState(
            id="publisher", state="running", incarnation=1, restarts=next(restarts), last_error=None,
            mailbox_depth=17, oldest_age_s=0.5,
        )  # fmt: skip
        return KernelReading(actors=[actor], dead_letters={("publisher", "poison"): 2}, zombies=1)

    metrics = RelayMetrics(read)
    assert value(metrics, "actor_restarts_total", actor="publisher") == 0
    now = page(metrics)
    publisher = frozenset({("actor", "publisher")})
    assert now["tickwire_actor_restarts_total", publisher] == 3
    assert now["tickwire_actor_mailbox_depth", publisher] == 17
    assert now["tickwire_actor_mailbox_oldest_age_seconds", publisher] == 0.5
    assert now["tickwire_actor_state", publisher | {("state", "running")}] == 1
    assert now["tickwire_actor_zombies", frozenset()] == 1
    assert now["tickwire_actor_state", publisher | {("state", "restarting")}] == 0
    assert now["tickwire_dead_letters_total", publisher | {("reason", "poison")}] == 2


def test_two_relays_in_a_process_keep_their_figures_apart() -> None:
    one, two = RelayMetrics(), RelayMetrics()
    one.record(TicksPublished(published=1, unpublished=0, seconds=0.1))
    assert value(one, "ticks_published_total") == 1
    assert value(two, "ticks_published_total") == 0


def test_every_name_is_ours_and_no_series_is_spent_on_creation_times(metrics: RelayMetrics) -> None:
    metrics.record(measured("f1"))
    names = {name for name, _ in page(metrics)}
    assert all(name.startswith("tickwire_") for name in names)
    assert not [name for name in names if name.endswith("_created")]


def test_the_page_can_be_read_while_it_is_written(metrics: RelayMetrics) -> None:
    over = threading.Event()

    def write() -> None:
        i = 0
        while not over.is_set():
            metrics.record(measured("f1", Count(asset=f"A{i % 500}", reason="bad_price", count=1)))
            i += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [sum(v for (name, _), v in page(metrics).items() if "rejected" in name) for _ in range(20)]
    finally:
        over.set()
        writer.join()
    assert counts == sorted(counts)


def test_the_documentation_names_every_metric_and_no_other() -> None:
    actor = ChildState(
        id="publisher", state="running", incarnation=1, restarts=0, last_error=None, mailbox_depth=0, oldest_age_s=0.0
    )  # fmt: skip
    metrics = RelayMetrics(lambda: KernelReading(actors=[actor], dead_letters={("publisher", "poison"): 1}))
    metrics.redis_info(dict.fromkeys(("redis_version", *REDIS_GAUGES, *REDIS_COUNTERS), "1"))
    text = Path(__file__).parents[2].joinpath("docs", "metrics.md").read_text()
    tables = "\n".join(line for line in text.splitlines() if line.startswith("| `tickwire_"))
    documented = set(re.findall(r"`(tickwire_[a-z_]+)", tables)) - {"tickwire_process_"}
    helped = set(re.findall(r"^# HELP (tickwire_\w+)", metrics.render().decode(), re.M))
    ours = {name for name in helped if not name.startswith("tickwire_process_")}
    assert documented == ours
