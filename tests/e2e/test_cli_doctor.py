"""`tickwire doctor` beside a relay, and before the first one."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from support.commands import command, succeed
from support.redis_server import RedisServer
from support.servers import free_port
from support.tickwire_process import eventually, tickwire

pytestmark = pytest.mark.timeout(90)


def examined(folder: Path, *arguments: str, code: int = 0, environment: dict[str, str] | None = None) -> dict[str, Any]:
    done = command("doctor", "--json", *arguments, folder=folder, environment=environment)
    assert done.returncode == code, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] == (code == 0)
    return {each["check"]: each for each in found["findings"]}


def test_before_the_first_run_everything_is_in_order_and_nothing_is_made(tmp_path: Path) -> None:
    found = examined(tmp_path)
    assert {each["state"] for each in found.values()} == {"ok"}
    assert "not running" in found["redis"]["seen"]
    assert list(tmp_path.iterdir()) == []
    shown = succeed("doctor", "--feeds", folder=tmp_path)
    assert "0 failed" in shown
    for title in ("check", "state", "seen", "remedy"):
        assert title in shown.splitlines()[0]


def test_beside_a_relay_its_embedded_redis_is_found_and_watched(tmp_path: Path) -> None:
    with tickwire("run", "--feed", "simulated:?rate=30", "--batch-interval", "0.5", folder=tmp_path) as app:
        eventually(lambda: app.get("/readyz").get("ready"), "ready")
        found = examined(tmp_path, "--data-dir", "data")
        assert {each["state"] for each in found.values()} == {"ok"}, found
        assert app.redis in found["redis"]["seen"]
        assert f"process {app.process.pid} runs on it" in found["data directory"]["seen"]
        assert "nobody took any of the" in found["redis buffers"]["seen"]
        assert app.get("/readyz")["ready"]


def test_a_batch_job_that_empties_the_buffers_of_a_relay_is_caught(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "redis", append_only=True) as server,
        tickwire("run", "--feed", "simulated:?rate=30", "--redis", server.url, folder=tmp_path) as app,
        server.client() as job,
    ):
        eventually(lambda: job.llen("ticks:EURUSD_otc") > 10, "ticks in the buffer")
        ended = threading.Event()

        def empty() -> None:
            while not ended.wait(0.05):
                job.delete("ticks:EURUSD_otc")

        thread = threading.Thread(target=empty)
        thread.start()
        try:
            found = examined(tmp_path, "--data-dir", "data", "--redis", server.url, code=1)
        finally:
            ended.set()
            thread.join()
        assert found["redis buffers"]["state"] == "failed"
        assert "ticks:EURUSD_otc" in found["redis buffers"]["seen"]
        assert [each["check"] for each in found.values() if each["state"] == "failed"] == ["redis buffers"]
        assert app.process.poll() is None


def test_what_fails_is_shown_with_its_remedy_and_without_secrets(tmp_path: Path) -> None:
    nobody = free_port()
    environment = {
        "REDIS_URL": f"redis://:c4nary-password@127.0.0.1:{nobody}/0",
        "SUPABASE_URL": f"http://127.0.0.1:{nobody}",
        "SUPABASE_ANON_KEY": "c4nary-key",
    }
    done = command("doctor", folder=tmp_path, environment=environment)
    assert done.returncode == 1
    assert "2 failed" in done.stdout
    assert "--redis" in done.stdout
    assert "c4nary" not in done.stdout + done.stderr
    reached = examined(tmp_path, "--feeds", "--feed", f"json+ws://127.0.0.1:{nobody}/x", code=1)
    assert reached["feed 127.0.0.1"]["state"] == "failed"


def test_a_relay_that_uses_other_servers_than_were_named_is_pointed_out(tmp_path: Path) -> None:
    with tickwire("run", "--store", "sqlite:other.db", folder=tmp_path):
        found = command("doctor", "--json", "--data-dir", "data", folder=tmp_path)
    warned = [each for each in json.loads(found.stdout)["findings"] if each["state"] == "warning"]
    assert [each["remedy"] for each in warned if "other.db" in each["seen"]] == ["give the relay's --store"]
