"""The past of an asset that only the store knows, as users get at it: pages over HTTP, tables and files."""

import csv
import json
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.pocketoption_oracle import candles_of
from support.tickwire_process import Tickwire, clean_environment, eventually, tickwire

from tickwire.market.rows import Row
from tickwire.runtime.stores.sqlite import SqliteStore

pytestmark = pytest.mark.timeout(90)

ASSET = "OLD_otc"
BEGIN = 1_756_866_600
US = 1_000_000
TICKS = [(BEGIN * US + i * 480_000, (100_000 + i * 7919 % 9_000) / 100_000) for i in range(9000)]
LATER = [((BEGIN + 40 * 86_400 + i) * US, 1.5) for i in range(60)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("relay")


@pytest.fixture(scope="module")
def app(folder: Path) -> Iterator[Tickwire]:
    """A relay whose feed brings another asset, on a store of two spans of ticks 40 days apart."""
    (folder / "data").mkdir()
    store = SqliteStore(folder / "data" / "ticks.db")
    store.open()
    store.write(
        [
            Row(uid=str(uuid.uuid4()), pair=ASSET, price=f"{price:.5f}", ts_us=us, recv_us=us, source="pocketoption")
            for us, price in [*TICKS, *LATER]
        ]
    )
    store.close()
    with tickwire("run", "--feed", "simulated:?assets=NEW_otc&rate=20", folder=folder) as running:
        eventually(lambda: running.get("/readyz").get("ready"), "ready")
        yield running


def run(*arguments: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tickwire.runtime.cli", *arguments],
        cwd=folder, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_pages_go_back_through_all_of_the_store_and_end(app: Tickwire) -> None:
    got: list[dict[str, float]] = []
    query = "limit=17"
    for _ in range(50):
        answer = app.get(f"/api/v1/candles/{ASSET}?timeframe=1m&{query}")
        got = answer["candles"] + got
        if answer["older"] is None:
            break
        query = f"limit=17&to={answer['older']}"
    expected = candles_of([*TICKS, *LATER], 60)
    assert [candle["timestamp"] for candle in got] == sorted(expected)
    shown = {int(c["timestamp"]): (c["open"], c["high"], c["low"], c["close"]) for c in got}
    assert shown == expected


def test_candles_are_saved_as_a_file_that_says_by_its_name_what_it_is(app: Tickwire, folder: Path) -> None:
    done = run("history", ASSET, "-t", "5m", "-o", "old.csv", "--data-dir", "data", folder=folder)
    rows = list(csv.DictReader((folder / "old.csv").read_text().splitlines()))
    expected = candles_of([*TICKS, *LATER], 300)
    assert [int(row["timestamp"]) for row in rows] == sorted(expected)
    assert float(rows[3]["close"]) == expected[int(rows[3]["timestamp"])][3]
    assert done.stderr == f"{len(expected)} candles in old.csv\n"
    assert list(folder.glob("*.part")) == []


def test_every_stored_tick_is_exported_once_and_in_order(app: Tickwire, folder: Path) -> None:
    done = run("history", ASSET, "--ticks", "--format", "jsonl", "--url", app.http, folder=folder)
    ticks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(round(tick["timestamp"] * US), tick["price"]) for tick in ticks] == [*TICKS, *LATER]
    some = run(
        "history", ASSET, "--ticks", "--format", "csv", "--from", "2025-09-03T02:30:30Z", "--to", str(BEGIN + 60),
        "--url", app.http, folder=folder,
    )  # fmt: skip
    rows = some.stdout.splitlines()[1:]
    within = [tick for tick in TICKS if BEGIN + 30 <= tick[0] / US < BEGIN + 60]
    assert [(round(float(row.split(",")[0]) * US), float(row.split(",")[2])) for row in rows] == within


def test_an_exported_file_can_be_replayed(app: Tickwire, folder: Path, tmp_path: Path) -> None:
    run("history", ASSET, "--ticks", "-o", str(tmp_path / "ticks.csv"), "--to", str(BEGIN + 600), "--url", app.http,
        folder=folder)  # fmt: skip
    with tickwire("replay", "ticks.csv?speed=max", folder=tmp_path) as replay:
        assert replay.wait() == 0, replay.logged()
    store = SqliteStore(tmp_path / "data" / "ticks.db")
    store.open()
    stored = store.ticks(ASSET, 0, (BEGIN + 600) * US, 100_000)
    store.close()
    assert [(us, float(price)) for us, price in stored] == [tick for tick in TICKS if tick[0] < (BEGIN + 600) * US]


def test_a_table_shows_the_newest_of_a_span(app: Tickwire, folder: Path) -> None:
    shown = run(
        "history", ASSET, "--from", "2025-09-03T02:35", "--to", "2025-09-03T02:40", "-n", "3", "--url", app.http,
        folder=folder,
    ).stdout  # fmt: skip
    assert [line[:19] for line in shown.splitlines()[2:]] == [f"2025-09-03 02:{minute}:00" for minute in (37, 38, 39)]
    ticks = run("history", ASSET, "--ticks", "-n", "2", "--url", app.http, folder=folder).stdout
    assert len(ticks.splitlines()) == 4
    assert ticks.splitlines()[-1].endswith("1.5")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-o", "file.txt"), 2, ".csv or .jsonl"),
        (("-o", "file.csv", "-n", "5"), 2, "--limit"),
        (("--format", "jsonl", "--json"), 2, "--json"),
        (("-o", "nowhere/file.csv"), 1, "nowhere/file.csv"),
        (("--from", "yesterday"), 1, "2025-09-03T02:32:54Z"),
        (("--format", "csv", "--from", "20", "--to", "10"), 1, "not before"),
    ],
)
def test_what_does_not_go_together_is_one_line_that_says_what_to_write(
    arguments: tuple[str, ...], code: int, said: str, app: Tickwire, folder: Path
) -> None:
    done = run("history", ASSET, *arguments, "--url", app.http, folder=folder, code=code)
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_an_export_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("of yesterday")
    half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\ntimestamp,price\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            client.recv(65_536)
            client.sendall(half)
            client.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = run("history", "A", "-o", "old.csv", "--url", url, folder=tmp_path, code=1)
        thread.join(20)
    assert "broke off" in done.stderr
    assert (tmp_path / "old.csv").read_text() == "of yesterday"
    assert list(tmp_path.glob("*.part")) == []
