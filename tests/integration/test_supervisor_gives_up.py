"""When restarts don't help: what was accepted is put in safety, a host is told, the command exits with 70."""

import subprocess
import sys
from pathlib import Path

import pytest
import redis
from support.tickwire_process import clean_environment, count_stored, eventually

from tickwire import Relay, Settings
from tickwire.actors.kernel import SupervisorSpec, TooManyRestarts
from tickwire.config.settings import HttpSettings

pytestmark = pytest.mark.timeout(90)

BASE_S = 1_767_614_400
DOOMED = Path(__file__).parent.parent / "support" / "doomed_tickwire.py"


def test_a_hosts_relay_says_why_it_gave_up_and_what_it_accepted_is_stored_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path / "data", feeds=("push:",), http=HttpSettings(address="127.0.0.1:0"))
    with monkeypatch.context() as strict:
        strict.setattr("tickwire.runtime.relay.ROOT", SupervisorSpec(intensity=0))
        relay = Relay(settings)
        relay.start()
    relay.push_many([("EURUSD", BASE_S + second, "1.5") for second in range(100)])
    with redis.Redis.from_url(relay.redis_url, socket_timeout=5) as client:
        eventually(lambda: client.llen("ticks:EURUSD") == 100, "accepted ticks", 30)
    relay.supervisor.crash("publisher")
    eventually(lambda: relay.wait(0.05) and relay.failure is not None, "the host is told", 30)
    assert isinstance(relay.failure, TooManyRestarts)
    assert {state.state for state in relay.states()} == {"stopped"}
    assert relay.stop() is False

    with Relay(settings):
        eventually(lambda: count_stored(tmp_path / "data" / "ticks.db") == 100, "all that was accepted", 30)


def test_the_command_exits_with_70_and_says_why(tmp_path: Path) -> None:
    arguments = ["run", "--feed", "push:", "--http", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, str(DOOMED), *arguments], env=clean_environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 70
    assert "the supervisor gave up: root: more than 0 restarts within 60 s" in done.stderr
    assert done.stdout.startswith("tickwire ready ")
