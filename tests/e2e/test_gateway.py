"""The gateway of the whole relay, as its users meet it: ticks, restarts, ports."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.recordings import recording
from support.tickwire_process import clean_environment, eventually, tickwire
from support.ws_client import WsClient

ASSET = "EURUSD_otc"
ROWS = 5_582


@pytest.mark.timeout(120)
def test_after_a_restart_clients_go_on_where_they_were(tmp_path: Path) -> None:
    path = recording("ticks/EURUSD_otc_20251015.csv")
    with tickwire("run", "--feed", f"replay:{path}?speed=max", folder=tmp_path) as app:
        eventually(lambda: app.get("/readyz").get("ready"), "the recording has ended")
        eventually(
            lambda: [asset["seq"] for asset in app.get("/api/v1/assets")["assets"]] == [ROWS], "all of it is seen"
        )
        with WsClient(app.http) as client:
            before = client.subscribe(ASSET)
            app.signal(signal.SIGTERM)
            assert client.closed().code == 1001
        assert app.wait() == 0, app.logged()
    with (
        tickwire("run", "--feed", f"replay:{path}?speed=max&delay=600", folder=tmp_path) as app,
        WsClient(app.http) as client,
    ):

        def known() -> bool:
            return any(asset["asset"] == ASSET for asset in app.get("/api/v1/assets")["assets"])

        eventually(known, "the buffer of the run before has been read")
        again = client.subscribe(ASSET)
        assert (again["epoch"], again["seq"]) == (before["epoch"], ROWS)
        assert again["snapshot"] == before["snapshot"]
        assert [row[0] for row in again["snapshot"]] == list(range(ROWS - 999, ROWS + 1))
        missed = client.subscribe(ASSET, since={"epoch": before["epoch"], "seq": ROWS - 3})
        assert (missed["recovered"], missed["snapshot"]) == (True, before["snapshot"][-3:])


@pytest.mark.timeout(90)
def test_live_ticks_reach_a_browser_and_a_second_relay_on_its_port_says_so(tmp_path: Path) -> None:
    with tickwire("run", folder=tmp_path) as app:
        with WsClient(app.http, origin=app.http) as client:
            eventually(lambda: app.get("/api/v1/assets")["assets"], "the first ticks")
            answer = client.subscribe(ASSET)
            seen = [row[0] for row in answer["snapshot"]] + [row[0] for row in client.ticks(4)]
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        other = subprocess.run(
            [sys.executable, "-m", "tickwire.runtime.cli", "run", "--http", app.http.removeprefix("http://"),
             "--data-dir", str(tmp_path / "other")],
            capture_output=True, text=True, timeout=60, cwd=tmp_path, env=clean_environment(), check=False,
        )  # fmt: skip
    assert other.returncode == 1
    assert other.stdout == ""
    (line,) = other.stderr.splitlines()
    assert app.http.removeprefix("http://") in line
    assert "another address" in line
