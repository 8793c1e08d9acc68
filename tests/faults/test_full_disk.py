"""The relay's own disk full: for seconds, which nobody loses a tick by, and for so long that the newest ones are lost.

The disk is a small file system without room, with the relay's data directory on it alone. Where none can be mounted, no
file of the relay's process can grow (RLIMIT_FSIZE).
"""

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from faults.drill import Drill
from faults.faults import empty_relay, fill_relay
from faults.oracle import start_of_run
from support.tickwire_process import eventually

from tickwire.messages.ticks import LOST, LOST_IN_SPOOL
from tickwire.runtime.audit import audit

REASON = LOST_IN_SPOOL.removeprefix(LOST)
Report = Callable[[object], None]

SECONDS = 3.0
LOSING_S = 20.0
"""So long ticks are lost, in the long form, after the half minute in which the feed is left unread."""
PATIENCE_S = 90.0
NO_FILE_GROWS = 4096


@contextmanager
def full_disk(drill: Drill) -> Iterator[str]:
    """Yields how it is brought about."""
    if drill.servers.relay_disk.mounted:
        fill_relay(drill.servers)
        try:
            yield "a small file system, full"
        finally:
            empty_relay(drill.servers)
        return
    pid = drill.app.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (NO_FILE_GROWS, resource.RLIM_INFINITY))
    try:
        yield "no file grows (RLIMIT_FSIZE)"
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def detail(drill: Drill) -> str:
    """What `/readyz` says of the feed."""
    (feed,) = drill.app.get("/readyz")["feeds"].values()
    return str(feed["detail"])


def lost(drill: Drill) -> int:
    """As the metrics have it: what an alarm is made of."""
    (line,) = [line for line in drill.app.text("/metrics").splitlines() if line.startswith("tickwire_ticks_lost ")]
    return int(float(line.split()[1]))


def ready(drill: Drill) -> bool:
    return bool(drill.app.get("/readyz")["ready"])


class Account:
    """What the ledger says of all assets together. It must balance."""

    def __init__(self, drill: Drill) -> None:
        found = audit(drill.data_dir)
        assert found.balanced, found.as_dict()
        self.received = sum(each.total("received") for each in found.accounts)
        self.settled = sum(each.total("stored") + each.total("lost") for each in found.accounts)
        self.lost = sum(each.reasons("lost").get(REASON, 0) for each in found.accounts)
        self.pending = sum(each.pending for each in found.accounts)

    def __sub__(self, before: "Account") -> tuple[int, int, int]:
        """(received, stored or lost, pending) since then."""
        return self.received - before.received, self.settled - before.settled, self.pending


def test_a_disk_that_is_full_for_seconds_pauses_the_feed_and_loses_nothing(drill: Drill, report: Report) -> None:
    drill.settle()
    drill.servers.feed.run()
    with full_disk(drill) as how:
        eventually(lambda: "the spool" in detail(drill), "the feed is left unread, and it is said why", PATIENCE_S)
        time.sleep(SECONDS)  # the fault's length is what is tested
        shown = detail(drill)
        assert "takes nothing" in shown
        assert "lost" not in shown
    eventually(lambda: ready(drill), "the relay is ready again by itself", PATIENCE_S)
    drill.stream(500)
    drill.settle()
    assert lost(drill) == 0
    report(f"the relay's disk full for {SECONDS:.0f} s: {how}; shown as {shown!r}; nothing lost")


def test_a_disk_that_stays_full_has_the_newest_ticks_counted_as_lost_and_no_other(
    drill: Drill, long_form: bool, report: Report
) -> None:
    if not long_form:
        pytest.skip(f"takes a minute: {LOSING_S:.0f} s after the first thirty; with --long")
    drill.settle()
    first, id_before = drill.servers.feed.sent, drill.servers.newest_id()
    began = Account(drill)
    drill.servers.feed.run()
    with full_disk(drill) as how:
        eventually(lambda: "the spool" in detail(drill), "the feed is left unread, and it is said why", PATIENCE_S)
        full_at = time.monotonic()
        eventually(lambda: "ticks are lost" in detail(drill), "that ticks are lost is said", PATIENCE_S)
        unread_s = time.monotonic() - full_at
        eventually(lambda: lost(drill) > 0, "an alarm has its figure")
        time.sleep(LOSING_S)  # the fault's length is what is tested
        assert drill.app.process.poll() is None
        assert not ready(drill)
    eventually(lambda: ready(drill), "the relay is ready again by itself", PATIENCE_S)
    drill.stream(2_000)
    sent = drill.servers.feed.pause()
    wanted = [tick.row for tick in drill.servers.feed.ticks(first, sent)]
    eventually(lambda: Account(drill) - began == (len(wanted), len(wanted), 0), "every tick has its fate", PATIENCE_S)
    gone = Account(drill).lost - began.lost
    rows = drill.servers.rows_after(id_before)
    stored = Counter((pair, ts_us, price.normalize()) for _, _, pair, ts_us, price in rows)
    assert len({uid for _, uid, *_ in rows}) == len(rows) == len(wanted) - gone
    assert not stored - Counter(wanted)
    kept = start_of_run(wanted, Counter(wanted) - stored)
    assert 0 < kept < kept + gone < len(wanted)
    assert lost(drill) == gone
    report(
        f"{how}: left unread for {unread_s:.0f} s, then for {LOSING_S:.0f} s {gone} of {len(wanted)} ticks counted as"
        f" lost, one run of them; the {kept} before and all after stored once; audit balanced"
    )
