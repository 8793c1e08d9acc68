"""What people get wrong: each mistake ends in a line that names it and the remedy, with its exit code, no traceback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import redis
from support.redis_server import RedisServer
from support.servers import free_port
from support.tickwire_process import clean_environment, count_stored, eventually, tickwire

PATIENCE_S = 40.0

USAGE = [
    (("run", "--stoer", "sqlite:x"), ("--stoer", "--store", "--help")),
    (("run", "extra"), ("extra", "--help")),
    (("runn",), ("runn", "--help")),
    (("run", "--feed", "EURUSD.csv"), ("EURUSD.csv", "--feed", "replay:PATH")),
    (("run", "--feed", "ftp://x/y"), ("ftp:", "simulated:")),
    (("run", "--feed", "simulated:?speed=2"), ("speed", "assets, rate")),
    (("run", "--feed", "simulated:?rate=0"), ("rate=0", "above 0")),
    (("run", "--redis", "localhost:6379"), ("localhost:6379", "redis://HOST:PORT/DB")),
    (("run", "--redis", "redis://u:s3cretpw@h:99999/0"), ("host or port", "redis")),
    (("run", "--store", "mysql://h/d"), ("mysql:", "postgresql://HOST/DB")),
    (("run", "--http", "3001"), ("http.address=3001", "HOST:PORT")),
    (("run", "--http", "127.0.0.1:70000"), ("70000", "HOST:PORT")),
    (("run", "--batch-interval", "0"), ("batch.interval_s=0", "more than 0")),
    (("run", "--duration", "soon"), ("--duration", "number")),
    (("run", "--duration", "-1"), ("--duration", "above 0")),
    (("run", "--assets", "EUR USD"), ("'EUR USD'", "commas between")),
    (("run", "--log-format", "xml"), ("log_format=xml", "json")),
    (("run", "--config", "none.toml"), ("none.toml", "name a readable file")),
    (("run", "--feed", "pocketoption+wss://broker.example/"), ("TICKWIRE_POCKETOPTION_SESSION",)),
    (("run", "--store", "supabase+https://project.example"), ("SUPABASE_SERVICE_ROLE_KEY",)),
    (("replay",), ("PATH", "--help")),
    (("replay", "x.csv?speed=0"), ("speed=0", "above 0")),
    (("replay", "x.csv?loop=1"), ("loop=1", "tickwire run --feed")),
    (("record", "simulated:"), ("--output",)),
    (("simulate", "--rate", "fast"), ("rate=fast",)),
    (("simulate", "--listen", "here"), ("--listen here", "HOST:PORT")),
    (("history",), ("ASSET", "--help")),
    (("history", "EURUSD_otc", "--limit", "0"), ("--limit", "--help")),
    (("status", "--url", "localhost:3001"), ("--url localhost:3001", "http://HOST:PORT")),
]


def command(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tickwire.runtime.cli", *arguments],
        cwd=folder, env=clean_environment() | dict(environment or {}), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def said(done: "subprocess.CompletedProcess[str]", *, code: int) -> str:
    """The one line that the command told its user, its log aside."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("tickwire: ")]
    assert len(lines) == 1, done.stderr
    assert done.stderr.endswith(f"{lines[0]}\n"), "the last word is the reason"
    return lines[0]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("arguments", "words"), USAGE, ids=[" ".join(arguments) for arguments, _ in USAGE])
def test_a_wrong_command_line_is_named_with_its_remedy(
    arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    done = command(*arguments, folder=tmp_path)
    line = said(done, code=2)
    for word in words:
        assert word in line
    assert "s3cretpw" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(60)
def test_every_bad_setting_is_said_at_once(tmp_path: Path) -> None:
    environment = {"TICKWIRE_BATCH__INTERVAL_S": "-3", "TICKWIRE_FEDES": "x"}
    done = command("config", "check", folder=tmp_path, environment=environment)
    assert done.returncode == 2
    assert "environment TICKWIRE_BATCH__INTERVAL_S" in done.stderr
    assert "did you mean TICKWIRE_FEEDS" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["none.csv", "none.frames.jsonl", "none.csv.gz"])
def test_a_missing_recording_is_named_with_the_folder_it_was_looked_for_in(name: str, tmp_path: Path) -> None:
    line = said(command("replay", name, "--http", "127.0.0.1:0", folder=tmp_path), code=1)
    assert name in line
    assert str(tmp_path) in line


@pytest.mark.timeout(60)
def test_an_unknown_kind_of_recording_is_refused_with_those_known(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("buy low\n")
    line = said(command("replay", "notes.txt", "--http", "127.0.0.1:0", folder=tmp_path), code=1)
    assert "notes.txt" in line
    assert "*.frames.jsonl" in line


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("in_the_way", "is_folder"), [("data", False), ("data/redis", False), ("data/run.json", True), ("data/lock", True)]
)
def test_a_data_directory_that_cannot_be_used_is_named(in_the_way: str, is_folder: bool, tmp_path: Path) -> None:
    """Something in its way stops every user, root included, whom no permission would."""
    obstacle = tmp_path / in_the_way
    obstacle.parent.mkdir(exist_ok=True)
    if is_folder:
        obstacle.mkdir()
    else:
        obstacle.touch()
    line = said(command("run", "--data-dir", "data", "--http", "127.0.0.1:0", folder=tmp_path), code=1)
    assert "data" in line
    assert "--data-dir" in line


@pytest.mark.timeout(60)
def test_a_port_in_use_is_named_with_the_flag_that_picks_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = said(command("run", "--http", address, "--duration", "1", folder=tmp_path), code=1)
    assert address in line
    assert "--http" in line


@pytest.mark.timeout(60)
def test_an_address_of_another_machine_cannot_be_listened_on(tmp_path: Path) -> None:
    refused = command(
        "run", "--http", "192.0.2.1:3001", "--duration", "1", folder=tmp_path,
        environment={"TICKWIRE_HTTP__OPEN": "true"},
    )  # fmt: skip
    line = said(refused, code=1)
    assert "192.0.2.1:3001" in line
    assert "--http" in line


@pytest.mark.timeout(60)
def test_a_simulators_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = said(command("simulate", "--listen", address, folder=tmp_path), code=1)
    assert address in line
    assert "port 0" in line


@pytest.mark.timeout(60)
def test_a_file_that_cannot_be_recorded_to_is_named(tmp_path: Path) -> None:
    done = command("record", "simulated:", "-o", "none/x.frames.jsonl", "--duration", "1", folder=tmp_path)
    assert "none/x.frames.jsonl" in said(done, code=1)


@pytest.mark.timeout(60)
def test_a_browser_is_not_recorded_with_all_that_it_tells(tmp_path: Path) -> None:
    done = command("record", "chrome+ws://127.0.0.1:9222", "-o", "x.frames.jsonl", "--duration", "1", folder=tmp_path)
    assert "logins" in said(done, code=1)
    assert not (tmp_path / "x.frames.jsonl").exists()


@pytest.mark.timeout(60)
def test_commands_that_need_a_relay_say_how_to_find_one(tmp_path: Path) -> None:
    for arguments in (("status",), ("history", "EURUSD_otc"), ("status", "--data-dir", "other")):
        line = said(command(*arguments, folder=tmp_path), code=1)
        assert "no relay runs" in line
        assert "--url" in line
    line = said(command("status", "--url", f"http://127.0.0.1:{free_port()}", folder=tmp_path), code=1)
    assert "is the relay running there" in line


@pytest.mark.timeout(90)
def test_a_file_of_which_no_line_can_be_played_fails_with_its_first_bad_line(tmp_path: Path) -> None:
    (tmp_path / "holiday.frames.jsonl").write_bytes(b"\xff\xd8\xff\xe0 JFIF\n" * 100)
    line = said(command("replay", "holiday.frames.jsonl?speed=max", "--http", "127.0.0.1:0", folder=tmp_path), code=1)
    for word in ("holiday.frames.jsonl", "line 1", "Name another"):
        assert word in line


@pytest.mark.timeout(90)
def test_a_second_run_on_a_data_directory_names_the_first(tmp_path: Path) -> None:
    with tickwire("run", folder=tmp_path) as app:
        line = said(command("run", "--data-dir", "data", "--http", "127.0.0.1:0", folder=tmp_path), code=1)
        assert f"process {app.process.pid}" in line
        assert "--data-dir" in line
        assert app.process.poll() is None


@pytest.mark.timeout(90)
def test_a_wrong_redis_password_is_named_and_never_shown(tmp_path: Path) -> None:
    """A server outside may be mended while the relay runs: it goes on, tries again, and says what is wrong."""
    with RedisServer(tmp_path / "redis", password="the right one") as server:
        url = f"redis://:wr0ngpassw0rd@127.0.0.1:{server.port}/0"
        with tickwire("run", "--redis", url, folder=tmp_path) as app:
            eventually(lambda: 'detail="wrong password"' in app.logged(), "its name for the fault in the log")
            assert app.redis == f"redis://:***@127.0.0.1:{server.port}/0"
            assert not app.get("/readyz")["ready"]
            app.signal(signal.SIGTERM)
            assert app.wait() == 0, app.logged()
    assert "wr0ngpassw0rd" not in app.log.read_text()


@pytest.mark.timeout(90)
def test_two_signals_at_once_are_one_and_nothing_is_left_undrained(tmp_path: Path) -> None:
    """A signal to a process group comes from the system and again from the `make` that hands it on."""
    with tickwire("run", folder=tmp_path) as app:
        eventually(lambda: app.get("/api/v1/assets")["assets"], "ticks")
        app.signal(signal.SIGTERM)
        app.signal(signal.SIGINT)  # of another number: the system never merges the two
        assert app.wait() == 0, app.logged()
    assert "left_in_the_spool" not in app.log.read_text()
    assert count_stored(app.database) > 0


@pytest.mark.timeout(90)
def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    store = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    with tickwire("run", "--store", store, folder=tmp_path) as app:
        client = redis.Redis(port=app.redis_port, socket_timeout=5)
        eventually(lambda: len(client.keys("ticks:*")) > 0, "ticks, which the drain will wait to store")
        client.close()
        deadline = time.monotonic() + PATIENCE_S
        while app.process.poll() is None and time.monotonic() < deadline:
            app.signal(signal.SIGTERM)  # a signal that is still pending swallows the next: so again
            time.sleep(0.02)
        assert app.wait(1.0) == 128 + signal.SIGTERM
        eventually(lambda: not _listens(app.redis_port), "the end of its Redis")


@pytest.mark.timeout(60)
def test_output_that_nobody_reads_is_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as broken:
        done = subprocess.run(
            [sys.executable, "-m", "tickwire.runtime.cli", "config", "show"],
            cwd=tmp_path,
            env=clean_environment(),
            stdout=broken,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
