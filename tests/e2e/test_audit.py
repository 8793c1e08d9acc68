"""The ledger of real runs: balanced after a replay, a kill and a restart; what a kill may have cost is on record."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.recordings import recording
from support.tickwire_process import clean_environment, count_stored, eventually, tickwire


def audit(data_dir: Path, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "tickwire.runtime.cli", "audit", "--data-dir", str(data_dir), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=clean_environment())
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if "--json" in arguments else done.stdout + done.stderr


def figures(audited: Any, asset: str) -> dict[str, Any]:
    return next(account for account in audited["accounts"] if account["asset"] == asset)


@pytest.mark.timeout(90)
def test_a_replayed_session_is_accounted_for_tick_by_tick(tmp_path: Path) -> None:
    session = recording("pocketoption.frames.jsonl")
    for _ in range(2):  # the second run merges every tick, and receives it all the same
        with tickwire("replay", f"{session}?speed=max", folder=tmp_path) as app:
            assert app.wait() == 0, app.logged()
    code, audited = audit(tmp_path / "data", "--json")
    assert (code, audited["balanced"], audited["holes"]) == (0, True, [])
    total = {name: sum(account[name] for account in audited["accounts"]) for name in ("received", "parsed", "stored")}
    # 148 live ticks and 1659 of history a run; 4 are in both, and each is received and confirmed in both.
    assert total == {"received": 2 * 1807, "parsed": 2 * 1807, "stored": 2 * 1807}
    code, text = audit(tmp_path / "data")
    assert code == 0
    assert text.rstrip().endswith("balanced")


@pytest.mark.timeout(90)
def test_repeats_of_a_feed_with_unique_stamps_are_duplicates_on_the_ledger(tmp_path: Path) -> None:
    path = recording("ticks/EURUSD_otc_subsecond.csv")
    with tickwire("replay", f"{path}?speed=max&unique=1", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    _, audited = audit(tmp_path / "data", "--json", "--asset", "EURUSD_otc")
    mine = figures(audited, "EURUSD_otc")
    assert (mine["received"], mine["stored"]) == (25_297, count_stored(tmp_path / "data" / "ticks.db"))
    assert mine["duplicates"] == mine["received"] - mine["parsed"]
    assert audited["balanced"]


@pytest.mark.timeout(90)
def test_a_killed_run_leaves_a_hole_on_record_and_an_account_that_balances(tmp_path: Path) -> None:
    path = recording("ticks/AUDCAD_otc_20251020.csv")
    with tickwire("replay", f"{path}?speed=1000", "--batch-interval", "1", folder=tmp_path) as app:
        eventually(lambda: count_stored(app.database) > 500, "some rows stored")
        running = app.get("/api/v1/audit")
        assert running["balanced"]
        app.process.kill()
        app.process.wait()
    code, audited = audit(tmp_path / "data", "--json")
    killed = figures(audited, "AUDCAD_otc")
    assert (code, audited["balanced"]) == (0, True)
    assert killed["parsed"] == killed["stored"] + killed["pending"]
    with tickwire("replay", f"{path}?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
        assert "last_run_was_killed" in app.logged()
    _, audited = audit(tmp_path / "data", "--json")
    assert audited["balanced"]
    (hole,) = audited["holes"]
    assert (hole["asset"], hole["reason"]) == ("AUDCAD_otc", "the process was killed")
    assert hole["from_us"] < hole["to_us"]
    after = figures(audited, "AUDCAD_otc")
    assert after["pending"] == 0
    assert after["parsed"] == killed["parsed"] + 9_699


def test_an_audit_of_no_data_directory_names_the_remedy(tmp_path: Path) -> None:
    code, text = audit(tmp_path / "nowhere")
    assert code == 1
    assert "no relay has run here" in text
    assert "--data-dir" in text
    code, text = audit(tmp_path, "--since", "yesterday")
    assert code == 2
    assert "--since yesterday" in text
