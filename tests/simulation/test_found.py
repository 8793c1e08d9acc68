"""Seeds that found real bugs, and stay: each is named by what it showed."""

import pytest
from simulation.world import World

FOUND = {
    4: "a keeper that crashed gave an asset to a second feed",
    22: "a feed that came back went on with the epoch that it had given up",
    64: "an acknowledgement cut half way filled the window for good",
    91: "a new keeper overfilled the outbox before it had looked at it",
    282: "a clean stop on a full disk let seqs be given out twice",
    398: "the floor was not read while the stream was empty and the window full",
    415: "rows were appended behind a hole after a failover",
    765: "what a full disk had refused was accepted twice after a crash",
    807: "an epoch went on though another had been used since",
    820: "a request for an asset was forgotten by a keeper that crashed",
    1242: "a message said that ticks of the next one were received, and the process was killed between the two",
    4725: "a candle that silence had made whole stayed live in the store after the doubt",
    9513: "an outbox that was emptied without an acknowledgement filled the window for good",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", FOUND, ids=FOUND.get)
def test_a_seed_that_found_a_bug_finds_none_now(seed: int) -> None:
    world = World(seed).run()
    assert world.table.rows
