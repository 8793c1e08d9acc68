"""The promises of delivery, on the real actors, over thousands of seeds with faults at every step."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from simulation.campaign import Figures, run, run_spread
from simulation.candles import demand_candles, demand_whole
from simulation.chance import Rates
from simulation.oracle import Identity, Violation
from simulation.world import World

TESTS = Path(__file__).parent.parent
EVERY_KIND = {
    "actor crashed",
    "clean stop",
    "disk full",
    "feed cut",
    "feed is late",
    "feed repeats a tick",
    "feed sends rubbish",
    "process killed",
    "redis call half done",
    "redis call reply lost",
    "redis call unsent",
    "redis copied",
    "redis cut",
    "redis dies",
    "redis fails over",
    "redis flushed",
    "redis freezes",
    "redis group destroyed",
    "redis key deleted",
    "redis refuses",
    "store call failed",
    "store down",
    "store misconfigured",
    "store reply lost",
    "store slow",
}


@pytest.mark.timeout(1800)
def test_every_promise_holds_over_all_seeds(seeds: range, report: Callable[[object], None]) -> None:
    figures = run_spread(seeds)
    report(figures)
    assert not figures.failed, "\n\n".join(figures.failed.values())
    assert figures.seeds == len(seeds)
    assert set(figures.faults) == EVERY_KIND


@pytest.mark.timeout(60)
def test_without_faults_all_that_was_read_is_stored() -> None:
    world = World(1, Rates()).run()
    assert not world.chance.faults
    assert len(world.table.rows) > 100
    assert {row.source for row in world.table.rows} == {"pocketoption", "json"}


@pytest.mark.timeout(60)
def test_a_seed_gives_the_same_run_in_any_process() -> None:
    program = (
        "from simulation.campaign import quiet\nfrom simulation.world import World\nquiet()\n"
        "worlds = [World(seed).run() for seed in range(1, 6)]\n"
        "print([(w.turns, w.clock.seconds, [r.uid for r in w.table.rows]) for w in worlds])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=TESTS,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(TESTS)},
            check=True,
            capture_output=True,
            timeout=50,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 1000


def test_figures_add_up() -> None:
    both = run([1, 2])
    one, other = run([1]), run([2])
    summed = Figures()
    summed.add(one)
    summed.add(other)
    assert (summed.seeds, summed.turns, summed.faults) == (both.seeds, both.turns, both.faults)


@pytest.mark.timeout(60)
def test_stored_candles_are_what_accepted_ticks_come_to_while_redis_and_store_come_and_go() -> None:
    """Longer runs without crashes, in which buckets end that were seen whole."""
    rates = Rates(redis_call=0.01, redis_event=0.005, store_call=0.05, store_event=0.004, feed=0.002)
    worlds = [World(seed, rates).run(turns=6000) for seed in range(1, 7)]
    assert sum(world.live_candles for world in worlds) > 50
    assert all({key[1] for key in world.table.candles} >= {"15s", "1m"} for world in worlds)


@pytest.mark.timeout(60)
def test_a_stored_candle_that_lacks_a_tick_is_found() -> None:
    world = World(1, Rates()).run(turns=3000)
    key, candle = next(item for item in world.table.candles.items() if item[1].quality == "live")
    world.table.candles[key] = replace(candle, ticks=candle.ticks - 1)
    with pytest.raises(Violation, match="its accepted ticks come to"):
        demand_candles(world.durable.accepted.values(), world.table.candles)


@pytest.mark.timeout(60)
def test_a_stored_candle_that_lacks_what_a_cut_left_out_is_found() -> None:
    world = World(1, Rates()).run(turns=3000)
    key, candle = next(item for item in world.table.candles.items() if item[1].quality == "live")
    missed = Identity("json", key[0], repr(candle.timestamp + 1.0), "1.1", 0)
    with pytest.raises(Violation, match="its venue had"):
        demand_whole([missed] * (candle.ticks + 1), world.table.candles)
