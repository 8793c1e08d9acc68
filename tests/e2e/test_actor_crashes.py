"""Actors that crash in mid-replay cost no stored tick and repeat none."""

from pathlib import Path

import pytest
from support.recordings import recording
from support.tickwire_process import count_stored, eventually

from tickwire import Relay, Settings
from tickwire.config.settings import BatchSettings, HttpSettings

ROWS = 9_699
CRASHED = ("buffer_keeper", "batch_writer", "publisher", "cache_manager", "metrics_collector", "gateway")


@pytest.mark.timeout(120)
def test_each_actor_behind_the_feed_crashes_in_mid_replay_and_every_row_is_stored_once(tmp_path: Path) -> None:
    path = recording("ticks/AUDCAD_otc_20251020.csv")
    settings = Settings(
        data_dir=tmp_path / "data",
        feeds=(f"replay:{path}?speed=1000",),
        http=HttpSettings(address="127.0.0.1:0"),
        batch=BatchSettings(interval_s=0.5),
    )
    database = tmp_path / "data" / "ticks.db"
    with Relay(settings) as relay:
        eventually(lambda: count_stored(database) > 100, "some rows stored")
        for actor in CRASHED:
            relay.supervisor.crash(actor)
            eventually(lambda actor=actor: _restarts(relay, actor) == ("running", 1), f"{actor} runs again")  # type: ignore[misc]  # bound now
        assert not relay.ended
        eventually(lambda: relay.ended, "the recording's end")
        assert relay.stop(patient=lambda: True)
        assert not {reason for _, reason in relay.supervisor.dead_letter_weights()} - {"stopped"}
    assert count_stored(database) == ROWS


def _restarts(relay: Relay, actor: str) -> tuple[str, int]:
    return next((state.state, state.restarts) for state in relay.states() if state.id == actor)
