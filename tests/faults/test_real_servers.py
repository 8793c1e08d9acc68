"""Real servers killed, stopped, filled and cut off from a relay at 1000 ticks a second: each tick is stored once.

The relay and its servers live through all of the faults, so that each also meets what the ones before left behind.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

import pytest
from faults.drill import Drill
from faults.faults import OWN, REDIS, STORE, Fault
from support.tape import Expected, Tick

SEED = 20261125
SHORT, LONG = 5, 200

Report = Callable[[object], None]


@pytest.mark.parametrize("fault", REDIS + STORE + OWN, ids=lambda fault: fault.name)
def test_each_tick_is_stored_once(fault: Fault, drill: Drill, report: Report) -> None:
    if fault in OWN and not drill.servers.relay_disk.mounted:
        pytest.skip("no small file system can be mounted here")
    outcome = drill.suffer(fault)
    report(f"{outcome} ({drill.servers.disk.kind})" if fault.name == "postgres' disk full" else outcome)


def test_exactly_the_rows_that_the_store_refuses_are_quarantined(drill: Drill, report: Report) -> None:
    feed = drill.servers.feed
    drill.settle()
    coming = feed.ticks(feed.sent + 200, feed.sent + 700)
    counts = Counter(tick.row for tick in feed.ticks(feed.sent, feed.sent + 20_000))
    bad = [tick for tick in coming if counts[tick.row] == 1][:5]
    refused = " or ".join(f"(pair, ts_us, price) = ('{pair}', {ts_us}, {price:f})" for pair, ts_us, price in rows(bad))
    drill.servers.sql(f"alter table historical_ticks add constraint bad check (not ({refused})) not valid")
    try:
        feed.run()
        drill.stream(1500)
        drill.settle(refused=bad)
    finally:
        drill.servers.sql("alter table historical_ticks drop constraint bad")
    with sqlite3.connect(drill.data_dir / "quarantine.db") as db:
        kept = db.execute("select pair, ts_us, price from quarantine").fetchall()
    db.close()
    assert Counter((pair, ts_us, Decimal(price).normalize()) for pair, ts_us, price in kept) == Counter(rows(bad))
    report(f"five bad rows: quarantined {len(kept)}, the rest stored")


def rows(ticks: Sequence[Tick]) -> list[Expected]:
    return [tick.row for tick in ticks]


def test_each_tick_is_stored_once_whatever_strikes_next(drill: Drill, long_form: bool, report: Report) -> None:
    random = Random(SEED)
    count = LONG if long_form else SHORT
    for number in range(1, count + 1):
        struck = random.choice(
            [(random.choice(REDIS),), (random.choice(STORE),), (random.choice(REDIS), random.choice(STORE))]
        )
        outcome = drill.suffer(*struck, ticks=random.randrange(100, 1500))
        report(f"{number}/{count} seed {SEED}: {outcome}")
    drill.end()
