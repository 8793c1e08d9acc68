"""What a host pushes into its relay: whether it is taken, when it can be read, when it is stored."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis
from support.tickwire_process import count_stored, eventually

from tickwire import Relay, Settings
from tickwire.config.settings import BatchSettings, HttpSettings
from tickwire.market.packing import pack
from tickwire.messages.ticks import BackfillReceived, TicksReceived

pytestmark = pytest.mark.timeout(90)

BASE_S = 1_767_614_400
MANY = 5_000


def relay_on(folder: Path, *feeds: str) -> Relay:
    return Relay(
        Settings(
            data_dir=folder,
            feeds=feeds or ("push:",),
            http=HttpSettings(address="127.0.0.1:0"),
            batch=BatchSettings(interval_s=3600),
        )
    )


def test_what_settled_can_be_read_and_what_was_flushed_is_stored(tmp_path: Path) -> None:
    with relay_on(tmp_path / "data") as relay:
        client = redis.Redis.from_url(relay.redis_url, socket_timeout=10)
        for round_ in range(1, 6):
            assert relay.push_many([("EURUSD", BASE_S + 10 * round_ + second, "1.5") for second in range(10)])
            assert relay.settle(within_s=20)
            assert client.llen("ticks:EURUSD") == 10 * round_
            assert relay.flush(within_s=20)
            assert count_stored(tmp_path / "data" / "ticks.db") == 10 * round_
        client.close()


def test_a_flush_says_that_the_store_has_not_all(tmp_path: Path) -> None:
    nowhere = Settings(
        data_dir=tmp_path / "data",
        feeds=("push:",),
        http=HttpSettings(address="127.0.0.1:0"),
        store={"url": "postgresql://nobody@127.0.0.1:9/none"},  # type: ignore[arg-type]  # as a host may write it
    )
    with Relay(nowhere) as relay:
        assert relay.push("EURUSD", BASE_S, "1.5")
        assert not relay.flush(within_s=1)


def test_a_relay_without_such_a_feed_says_so(tmp_path: Path) -> None:
    with relay_on(tmp_path / "data", "simulated:?rate=1") as relay, pytest.raises(LookupError, match="push:"):
        relay.push("EURUSD", BASE_S, "1.5")


def test_ticks_are_refused_while_the_spool_is_far_behind_and_all_that_were_taken_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def held(messages: Sequence[TicksReceived | BackfillReceived]) -> bytes:
        go_on.wait(25)
        return pack(messages)

    monkeypatch.setattr("tickwire.actors.buffer_keeper.pack", held)
    taken = 0

    def refused() -> bool:
        nonlocal taken
        if not relay.push_many([("EURUSD", BASE_S + taken + second, "1.5") for second in range(MANY)]):
            return True
        taken += MANY
        return False

    with relay_on(tmp_path / "data") as relay:
        eventually(refused, "a refusal", 20)
        go_on.set()
        assert taken > 0
        eventually(lambda: not refused(), "it takes ticks again", 30)
        assert relay.flush(within_s=40)
        assert count_stored(tmp_path / "data" / "ticks.db") == taken
