"""kill -9 at random moments: what was accepted is stored once, and the rest is the end of what was sent, and short."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from statistics import median

from faults.oracle import Accepted, accepted_rows
from faults.servers import Servers
from support.tickwire_process import Tickwire, eventually, tickwire

from tickwire.runtime.audit import audit

SEED = 9
SHORT, LONG = 8, 100


def test_a_killed_process_loses_only_what_it_had_not_accepted(
    servers: Servers, tmp_path: Path, long_form: bool, report: Callable[[object], None]
) -> None:
    random = Random(SEED)
    accepted = Accepted()
    holes: list[tuple[int, float]] = []
    for number in range(1, (LONG if long_form else SHORT) + 1):
        first = servers.feed.sent
        killed_at = live_and_die(servers, tmp_path, ticks=random.randrange(1, 1500))
        sent = servers.feed.pause()
        assert audit(tmp_path / "data").balanced
        rows = accepted_rows(servers, tmp_path / "data" / "spool.db")
        lost = accepted.take_run(servers.feed.ticks(first, sent), rows)
        # What was sent in the moment of the kill, until the socket broke, counts too: at an age of 0.
        hole_ms = max(0.0, killed_at - servers.feed.sent_at(first + lost[0])) * 1e3 if lost else 0.0
        holes.append((len(lost), hole_ms))
        report(
            f"kill -9 {number}: {sent - first} ticks sent, {len(lost)} not accepted, the oldest {hole_ms:.1f} ms old"
        )
    with relay(servers, tmp_path) as app:
        eventually(lambda: servers.count() >= accepted.total, f"{accepted.total} rows are stored")
        app.process.terminate()
        assert app.wait(15.0) == 0, app.logged()
    audited = audit(tmp_path / "data")
    assert audited.balanced
    # Of the repeats at the very end of a run nobody can tell whether they were accepted.
    confirmed = sum(account.total("stored") for account in audited.accounts)
    assert accepted.total <= confirmed <= accepted.total + accepted.merged
    stored = Counter((pair, ts_us, price.normalize()) for _, _, pair, ts_us, price in servers.rows_after(0))
    assert stored == accepted.rows
    report(
        f"seed {SEED}, {summary(holes)}; {accepted.total} rows stored, {accepted.merged} repeats merged over restarts"
    )


def live_and_die(servers: Servers, folder: Path, *, ticks: int) -> float:
    """A relay that is killed after so many ticks; returns when."""
    goal = servers.feed.sent + ticks
    with relay(servers, folder) as app:
        servers.feed.run()
        eventually(lambda: servers.feed.sent >= goal, f"{ticks} ticks are sent")
        killed_at = time.monotonic()
        app.process.kill()
        app.process.wait()
    return killed_at


def relay(servers: Servers, folder: Path) -> AbstractContextManager[Tickwire]:
    return tickwire("run", *servers.arguments, folder=folder, data_dir=folder / "data")


def summary(holes: Sequence[tuple[int, float]]) -> str:
    ticks, ms = [lost for lost, _ in holes], [hole for _, hole in holes]
    return (
        f"{len(holes)} kills: hole from sending to acceptance median {median(ticks):.0f} ticks, {median(ms):.1f} ms,"
        f" largest {max(ticks)} ticks, {max(ms):.1f} ms"
    )
