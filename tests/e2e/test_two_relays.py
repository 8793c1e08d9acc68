"""Two relays on one Redis: each has an outbox of its own, and what both are sent is one row in the store they share."""

import json
from pathlib import Path

import pytest
from support.commands import succeed
from support.redis_server import RedisServer
from support.tickwire_process import eventually, stored, tickwire

pytestmark = pytest.mark.timeout(120)

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.frames.jsonl"


def outboxes(redis: RedisServer) -> dict[str, int]:
    """Each outbox' name and length."""
    with redis.client() as client:
        return {key.decode(): client.xlen(key) for key in client.scan_iter("tickwire:outbox:*")}


def settled(folder: Path) -> int:
    """Ticks that the relay's ledger calls stored, once none is pending; it balances."""
    found = json.loads(succeed("audit", "--data-dir", "data", "--json", folder=folder))
    assert found["balanced"]
    pending = sum(each["pending"] for each in found["accounts"])
    return 0 if pending else sum(each["stored"] for each in found["accounts"])


def test_each_forwards_and_acknowledges_its_own_and_equal_ticks_become_one_row(tmp_path: Path) -> None:
    first, second, alone = (tmp_path / name for name in ("first", "second", "alone"))
    for folder in (first, second, alone):
        folder.mkdir()
    with tickwire("replay", f"{DEMO}?speed=max", folder=alone) as app:
        assert app.wait() == 0, app.logged()
    expected = sorted(stored(alone / "data" / "ticks.db"))
    shared = tmp_path / "shared.db"

    with RedisServer(tmp_path / "redis") as redis:
        arguments = ("run", "--feed", f"replay:{DEMO}?speed=max", "--redis", redis.url, "--store", f"sqlite:{shared}")
        options = ("--batch-interval", "0.3")
        with tickwire(*arguments, *options, folder=first), tickwire(*arguments, *options, folder=second):
            eventually(lambda: settled(first) == settled(second) == len(expected), "both say that all is stored")
            eventually(lambda: set(outboxes(redis).values()) == {0}, "both outboxes are empty")
            assert len(outboxes(redis)) == 2
    same = [row[:-1] for row in sorted(stored(shared))]
    assert same == [row[:-1] for row in expected]
