"""Every command, as its users run it, against a real relay where it needs one."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import orjson
import pytest
import websocket
from support.tickwire_process import Tickwire, clean_environment, count_stored, eventually, tickwire

pytestmark = pytest.mark.timeout(90)

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.frames.jsonl"


def run(*arguments: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Its output; it has to succeed and to say nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "tickwire.runtime.cli", *arguments],
        cwd=folder, env=clean_environment() | (environment or {}), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=40, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("relay")


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[Tickwire]:
    """A relay at the end of the demo recording: three assets, a minute of ticks, history of one."""
    with tickwire("run", "--feed", f"replay:{DEMO}?speed=max", "--batch-interval", "0.5", folder=folder) as running:
        eventually(lambda: running.get("/readyz").get("ready"), "ready, its feed ended")
        yield running


def test_status_shows_feed_assets_and_actors(app: Tickwire, folder: Path) -> None:
    shown = run("status", "--data-dir", "data", folder=folder)
    assert f"{app.http} is ready" in shown
    for word in ("ended", "EURUSD_otc", "GBPUSD_otc", "#AAPL_otc", "tick_ingestor", "buffer_keeper", "running"):
        assert word in shown


def test_status_as_json_is_found_by_directory_and_by_address(app: Tickwire, folder: Path, tmp_path: Path) -> None:
    by_directory = json.loads(run("status", "--data-dir", "data", "--json", folder=folder))
    by_address = json.loads(run("status", "--url", app.http, "--json", folder=tmp_path))
    assert by_directory["url"] == by_address["url"] == app.http
    prices = [{row["asset"]: row["price"] for row in answer["assets"]} for answer in (by_directory, by_address)]
    assert prices[0] == prices[1]
    assert set(prices[0]) == {"EURUSD_otc", "GBPUSD_otc", "#AAPL_otc"}
    assert {row["id"] for row in by_address["actors"]} >= {"tick_ingestor", "publisher", "gateway"}


@pytest.mark.parametrize("asset", ["EURUSD_otc", "#AAPL_otc"])
def test_history_shows_candles_oldest_first(asset: str, app: Tickwire, folder: Path) -> None:
    def candles() -> list[dict[str, object]]:
        answer = run(
            "history", asset, "--timeframe", "15s", "--limit", "3", "--data-dir", "data", "--json", folder=folder
        )
        found: list[dict[str, object]] = json.loads(answer)
        return found

    found = eventually(candles, "candles")
    assert 1 <= len(found) <= 3
    stamps = [int(str(candle["timestamp"])) for candle in found]
    assert stamps == sorted(stamps)
    assert all(stamp % 15 == 0 for stamp in stamps)
    shown = run("history", asset, "-t", "15s", "-n", "3", "--url", app.http, folder=folder)
    assert "opened (UTC)" in shown
    assert len(shown.splitlines()) == 2 + len(found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("NOSUCH",), ("NOSUCH",)),
        (("EURUSD_otc", "--timeframe", "7m"), ("'7m'", "15s 1m 5m")),
        (("bad asset",), ("'bad asset'", "is no asset")),
    ],
)
def test_history_that_there_cannot_be_is_one_line(
    arguments: tuple[str, ...], words: tuple[str, ...], app: Tickwire, folder: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tickwire.runtime.cli", "history", *arguments, "--url", app.http],
        cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr


def test_replay_stores_the_demo_recording_and_exits(tmp_path: Path) -> None:
    with tickwire("replay", f"{DEMO}?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
        assert not (app.data_dir / "run.json").exists()
    assert count_stored(app.database) > 300


def test_a_run_with_a_duration_ends_by_itself(tmp_path: Path) -> None:
    with tickwire("run", "--duration", "1", "--feed", "simulated:?rate=20", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    assert count_stored(app.database) > 10


def test_a_simulated_broker_can_be_recorded_and_the_recording_replayed(tmp_path: Path) -> None:
    broker = subprocess.Popen(
        [sys.executable, "-m", "tickwire.runtime.cli", "simulate", "--assets", "EURUSD_otc", "--rate", "50"],
        cwd=tmp_path, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert broker.stdout is not None
        url = broker.stdout.readline().strip()
        assert url.startswith("ws://127.0.0.1:")
        client = websocket.create_connection(url, timeout=10)
        assert str(client.recv()).startswith("0{")
        client.close()
        said = run(
            "record", f"pocketoption+{url}?assets=EURUSD_otc", "--output", "session.frames.jsonl", "--duration", "3",
            folder=tmp_path, environment={"TICKWIRE_POCKETOPTION_SESSION": "c4nary-session"},
        )  # fmt: skip
        broker.send_signal(signal.SIGTERM)
        assert broker.wait(10) == 0
    finally:
        broker.kill()
        broker.wait()
        assert broker.stdout is not None
        broker.stdout.close()
    frames = (tmp_path / "session.frames.jsonl").read_text()
    assert said == f"{len(frames.splitlines())} frames in session.frames.jsonl\n"
    assert "c4nary-session" not in frames
    assert {orjson.loads(line)["type"] for line in frames.splitlines()} == {"text", "binary"}
    with tickwire("replay", "session.frames.jsonl?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    assert count_stored(app.database) > 10


def test_version_is_the_packages(tmp_path: Path) -> None:
    assert run("version", folder=tmp_path) == f"tickwire {version('tickwire')}\n"
    assert json.loads(run("version", "--json", folder=tmp_path))["tickwire"] == version("tickwire")


def test_config_show_says_where_each_value_comes_from_and_hides_secrets(tmp_path: Path) -> None:
    (tmp_path / "tickwire.toml").write_text("[batch]\ninterval_s = 7\n")
    environment = {"REDIS_URL": "redis://:c4nary-password@127.0.0.1:6379/0", "SUPABASE_SERVICE_ROLE_KEY": "c4nary-key"}
    shown = run("config", "show", folder=tmp_path, environment=environment)
    values = json.loads(run("config", "show", "--json", folder=tmp_path, environment=environment))
    assert values["batch.interval_s"]["value"] == "7.0"
    assert "tickwire.toml" in values["batch.interval_s"]["origin"]
    assert values["redis.url"]["origin"] == "environment REDIS_URL"
    assert values["http.address"]["origin"] == "default"
    assert "redis://:***@127.0.0.1:6379/0" in shown
    assert "c4nary" not in shown + json.dumps(values)


def test_config_check_finds_good_settings_good(tmp_path: Path) -> None:
    (tmp_path / "tickwire.toml").write_text('log_format = "json"\n')
    assert run("config", "check", folder=tmp_path) == "settings are good (tickwire.toml)\n"


def test_a_short_bench_measures_both_relays(tmp_path: Path) -> None:
    measured = json.loads(run("bench", "--rates", "200", "--seconds", "1", "--runs", "1", "--json", folder=tmp_path))
    assert {(line["relay"], line["what"]) for line in measured["lines"]} == {
        (relay, what) for relay in ("tickwire", "baseline") for what in ("most, 1 a frame", "200/s")
    }
    assert all(line["per_second"] > 0 for line in measured["lines"])
    assert measured["ratio"] > 0
