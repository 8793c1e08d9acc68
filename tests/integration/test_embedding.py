"""The public API in a host's process: several relays side by side, each with its own Redis, spool and store."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
from support.tickwire_process import clean_environment, count_stored, eventually, stored

from tickwire import Relay, Settings, StartError
from tickwire.config.settings import BatchSettings, HttpSettings
from tickwire.market.packing import pack
from tickwire.messages.ticks import TicksReceived
from tickwire.runtime.audit import audit

pytestmark = pytest.mark.timeout(90)

BASE_S = 1_767_614_400


def settings(folder: Path, *feeds: str) -> Settings:
    return Settings(
        data_dir=folder,
        feeds=feeds or ("push:",),
        http=HttpSettings(address="127.0.0.1:0"),
        batch=BatchSettings(interval_s=0.2),
    )


def buffered(relay: Relay, asset: str) -> int:
    client = redis.Redis.from_url(relay.redis_url, socket_timeout=5)
    try:
        return len(client.lrange(f"ticks:{asset}", 0, -1))
    finally:
        client.close()


def test_several_relays_run_in_one_process_and_share_nothing(tmp_path: Path) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    relays = [Relay(settings(tmp_path / name)) for name in ("one", "two", "three")]
    for relay in relays:
        relay.start()
    try:
        for number, relay in enumerate(relays, 1):
            relay.push_many([("EURUSD", BASE_S + second, f"1.{number}") for second in range(10 * number)])
        for number, relay in enumerate(relays, 1):
            eventually(lambda relay=relay, n=number: buffered(relay, "EURUSD") == 10 * n, "its own ticks", 30)  # type: ignore[misc]  # bound now
        addresses = {relay.redis_url for relay in relays} | {relay.http_url for relay in relays}
        assert len(addresses) == 6
        relays[0].stop()
        relays[1].push("GBPUSD", BASE_S, "1.25")
        eventually(lambda: buffered(relays[1], "GBPUSD") == 1, "a tick, with its neighbour stopped", 30)
    finally:
        for relay in relays:
            relay.stop()
    for number, name in enumerate(("one", "two", "three"), 1):
        rows = [row for row in stored(tmp_path / name / "ticks.db") if row[1] == "EURUSD"]
        assert len(rows) == 10 * number
        assert {price for _, _, price, *_ in rows} == {f"1.{number}"}
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_stopped_relay_leaves_no_thread_of_its_own(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Relay(settings(tmp_path / "data", "simulated:?rate=20")) as relay:
        eventually(lambda: buffered(relay, "EURUSD_otc") > 5, "ticks", 30)
    eventually(lambda: set(threading.enumerate()) <= before, "the end of its threads", 15)


def test_what_was_accepted_is_stored_by_the_next_relay_on_the_directory(tmp_path: Path) -> None:
    nowhere = Settings(
        data_dir=tmp_path / "data",
        feeds=("push:",),
        http=HttpSettings(address="127.0.0.1:0"),
        store={"url": "postgresql://nobody@127.0.0.1:9/none"},  # type: ignore[arg-type]  # as a host may write it
    )
    with Relay(nowhere) as relay:
        relay.push_many([("EURUSD", BASE_S + second, "1.5") for second in range(25)])
        eventually(lambda: buffered(relay, "EURUSD") == 25, "accepted ticks", 30)
    with Relay(settings(tmp_path / "data")) as relay:
        database = tmp_path / "data" / "ticks.db"
        eventually(lambda: count_stored(database) == 25, "the first relay's ticks, stored by the second", 30)
    assert len({uid for uid, *_ in stored(database)}) == 25


def test_a_relay_that_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    before = set(threading.enumerate())
    with pytest.raises(StartError, match=r"data: there is a file in its way; name another"):
        Relay(settings(tmp_path / "data")).start()
    assert set(threading.enumerate()) <= before


def test_importing_the_package_is_light() -> None:
    """A host that only imports it, and `tickwire --help`, load none of what the relay needs."""
    code = (
        "import sys, tickwire; print(sorted({'redis', 'pydantic', 'pykka', 'supabase', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.timeout(60)
def test_ticks_that_crash_their_keeper_are_on_the_ledger_as_lost_and_the_rest_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def poisoned(messages: list[TicksReceived]) -> bytes:
        if any(column.asset == "POISON" for message in messages for column in message.columns):
            raise RuntimeError("a bug")
        return pack(messages)

    monkeypatch.setattr("tickwire.actors.buffer_keeper.pack", poisoned)
    folder = tmp_path / "data"
    with Relay(settings(folder)) as relay:
        relay.push("GOOD", 1767614400.0, "1.5")
        relay.push("POISON", 1767614400.0, "1.5")
        eventually(lambda: [a for a in audit(folder).accounts if a.asset == "POISON"], "the loss on record")
        relay.push("GOOD", 1767614401.0, "1.6")
    found = {account.asset: account for account in audit(folder).accounts}
    assert found["POISON"].reasons("lost") == {"mailbox: poison": 1}
    assert (found["GOOD"].total("stored"), found["GOOD"].total("lost")) == (2, 0)
    assert all(account.balanced for account in found.values())
