"""Redis and the store away for long at 1000 ticks a second: nothing is lost, memory is flat, all is caught up."""

import time
from collections.abc import Callable, Iterator

from faults.drill import Drill
from faults.faults import start_redis, start_store
from faults.servers import Servers
from support.footprint import Footprint, course
from support.tickwire_process import eventually

Report = Callable[[object], None]

REDIS_AWAY_S = (60.0, 600.0)
STORE_AWAY_S = (15.0, 300.0)
CATCHING_UP_S = 600.0
SAMPLE_S = 0.5
WINDOW = 10_000
LEAK_MB = 150.0
"""More than any backlog kept in memory by mistake could stay below; the figures themselves are reported."""


def test_redis_away_for_long_loses_nothing_and_memory_stays_flat(
    drill: Drill, servers: Servers, long_form: bool, report: Report
) -> None:
    before = drill.stored()
    servers.redis.kill()
    samples = list(_while_away(drill, REDIS_AWAY_S[long_form]))
    start_redis(servers)
    report(f"redis away {REDIS_AWAY_S[long_form]:.0f} s: {course(samples)}")
    report(_catch_up(drill, before))
    assert samples[-1].rss_mb - samples[0].rss_mb < LEAK_MB


def test_store_away_for_long_leaves_redis_bounded_and_is_caught_up(
    drill: Drill, servers: Servers, long_form: bool, report: Report
) -> None:
    before = drill.stored()
    servers.postgres.kill()
    seen = [(sample, _outbox(servers)) for sample in _while_away(drill, STORE_AWAY_S[long_form])]
    most = max(length for _, length in seen)
    start_store(servers)
    report(
        f"store away {STORE_AWAY_S[long_form]:.0f} s: at most {most} entries in Redis; {course([s for s, _ in seen])}"
    )
    report(_catch_up(drill, before))
    progress = eventually(lambda: _progress(drill), "the log says how it caught up")
    report(progress)
    assert most <= WINDOW
    assert seen[-1][0].rss_mb - seen[0][0].rss_mb < LEAK_MB


def _while_away(drill: Drill, seconds: float) -> Iterator[Footprint]:
    """Samples, the feed going on."""
    drill.servers.feed.run()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield drill.measure()
        assert drill.app.process.poll() is None, drill.app.logged()
        time.sleep(SAMPLE_S)  # the outage's length is what is tested


def _progress(drill: Drill) -> str:
    """The log's words on it: begun and, once it is done, ended; empty until then."""
    lines = [line for line in drill.app.log.read_text().splitlines() if "catching_up" in line or "caught_up" in line]
    return "\n".join(lines) if lines and "caught_up" in lines[-1] and "catching_up" in lines[0] else ""


def _outbox(servers: Servers) -> int:
    return sum(servers.admin.xlen(key) for key in servers.admin.scan_iter("tickwire:outbox:*"))


def _catch_up(drill: Drill, before: int) -> str:
    """With the feed going on, until the store has what was sent up to then; then compare everything."""
    feed = drill.servers.feed
    eventually(lambda: drill.stored() > before, "the store gets its first rows again", CATCHING_UP_S)
    began, live = time.monotonic(), feed.sent
    eventually(lambda: drill.stored() >= feed.sent - feed.rate, "the store has caught up", CATCHING_UP_S)
    seconds, rows = time.monotonic() - began, drill.stored() - before
    live_rate = (feed.sent - live) / seconds
    drill.settle()
    rate = rows / seconds
    return (
        f"caught up with {rows} rows in {seconds:.1f} s beside {live_rate:.0f} live ticks/s:"
        f" {rate:.0f} rows/s, {rate / max(1.0, live_rate):.1f} times the live rate"
    )
