"""The main job on real input, as its users run it: one command, real Redis, real store, real signals."""

import csv
import gzip
import signal
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import redis
from support.pocketoption_oracle import OFFSET_S, candles_of, read_session
from support.recordings import CSV_ROWS as CSVS
from support.recordings import recording
from support.tickwire_process import Tickwire, count_stored, eventually, stored, tickwire

POCKETOPTION = "pocketoption.frames.jsonl"


class Updates:
    """A subscriber of `updates:*` on a plain redis-py client."""

    def __init__(self, port: int) -> None:
        self.client = redis.Redis(port=port, socket_timeout=5)
        self.pubsub = self.client.pubsub()  # type: ignore[no-untyped-call]  # redis-py
        self.pubsub.psubscribe("updates:*")
        assert self.pubsub.get_message(timeout=5) is not None
        self.messages: list[tuple[str, bytes]] = []

    def collect(self, count: int) -> list[dict[str, object]]:
        def probe() -> bool:
            message = self.pubsub.get_message(timeout=0.2)
            while message is not None:
                self.messages.append((message["channel"].decode(), message["data"]))
                message = self.pubsub.get_message(timeout=0)
            return len(self.messages) >= count

        eventually(probe, f"{count} updates (have {len(self.messages)})")
        return [orjson.loads(data) for _, data in self.messages]

    def close(self) -> None:
        self.pubsub.close()
        self.client.close()


@pytest.fixture
def session_path() -> Path:
    return recording(POCKETOPTION)


@pytest.mark.timeout(90)
def test_a_recorded_session_reaches_subscribers_buffer_candles_and_store(session_path: Path, tmp_path: Path) -> None:
    session = read_session(session_path)
    expected_live = len(session.live)
    assert (expected_live, len(session.distinct())) == (148, 1803)
    with tickwire("replay", f"{session_path}?speed=max&delay=3", folder=tmp_path) as app:
        updates = Updates(app.redis_port)
        ticks = updates.collect(expected_live)
        assert app.wait() == 0, app.logged()
        updates.close()
    assert len(ticks) == expected_live
    for (channel, _), tick in zip(updates.messages, ticks, strict=True):
        assert channel == f"updates:{tick['asset']}"
        assert set(tick) == {"asset", "price", "timestamp", "source", "seq", "epoch", "received_at"}
        assert tick["source"] == "pocketoption"
    for asset in {asset for asset, _, _ in session.live}:
        mine = [tick for tick in ticks if tick["asset"] == asset]
        want = [(round((stamp - OFFSET_S) * 1e6), price) for name, stamp, price in session.live if name == asset]
        assert [(round(float(str(tick["timestamp"])) * 1e6), tick["price"]) for tick in mine] == want
        assert [tick["seq"] for tick in mine] == list(range(1, len(want) + 1))
        assert len({tick["epoch"] for tick in mine}) == 1
    rows = stored(app.database)
    assert len(rows) == 1803
    assert len({uid for uid, *_ in rows}) == 1803
    want_rows = {(asset, round((stamp - OFFSET_S) * 1e6), repr(price)) for asset, stamp, price in session.distinct()}
    assert {(pair, ts_us, price) for _, pair, price, ts_us, _, _ in rows} == want_rows
    assert all(timestamp == ts_us // 1_000_000 for *_, ts_us, timestamp, _ in rows)


@pytest.mark.timeout(90)
def test_run_stays_up_when_its_recording_ends_with_buffer_and_candles(session_path: Path, tmp_path: Path) -> None:
    session = read_session(session_path)
    with tickwire("run", "--feed", f"replay:{session_path}?speed=max", folder=tmp_path) as app:
        eventually(lambda: all_ended(app), "the recording's end")
        assert app.get("/readyz")["ready"], "an ended recording is nothing to wait for"
        client = redis.Redis(port=app.redis_port, socket_timeout=5)
        live = [stamp for asset, stamp, _ in session.live if asset == "EURGBP_otc"]
        eventually(lambda: client.llen("ticks:EURGBP_otc") == len(live), "the buffer")
        listed = [orjson.loads(item) for item in client.lrange("ticks:EURGBP_otc", 0, -1)]
        assert [tick["timestamp"] for tick in listed] == [round(stamp - OFFSET_S, 6) for stamp in reversed(live)]
        client.close()
        ours = [(round((stamp - OFFSET_S) * 1e6), price) for asset, stamp, price in
                sorted(session.distinct(), key=lambda tick: tick[1]) if asset == "EURGBP_otc"]  # fmt: skip
        eventually(lambda: "7200" in app.text("/metrics"), "the clock offset found, in the metrics")
        for timeframe, seconds in (("15s", 15), ("1m", 60), ("5m", 300)):
            want = candles_of(ours, seconds)
            path = f"/api/v1/candles/EURGBP_otc?timeframe={timeframe}&limit=200"
            got = {candle["timestamp"]: candle for candle in app.get(path)["candles"]}
            first, last = min(us for us, _ in ours) // 1_000_000, max(us for us, _ in ours) // 1_000_000
            covered = [start for start in want if start >= first and start + seconds <= last]
            assert covered
            for start in covered:
                candle = got[start]
                prices = tuple(candle[name] for name in ("open", "high", "low", "close"))
                assert prices == want[start], (timeframe, start)
        app.signal(signal.SIGTERM)
        assert app.wait() == 0


def all_ended(app: Tickwire) -> bool:
    return {feed["state"] for feed in app.get("/readyz")["feeds"].values()} == {"ended"}


def data_rows(path: Path) -> int:
    with path.open(newline="") as file:
        return sum(1 for row in csv.reader(file) if row and row[0] not in ("timestamp", "time"))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", sorted(CSVS))
def test_every_data_row_of_a_recorded_csv_is_stored(name: str, tmp_path: Path) -> None:
    path = recording(f"ticks/{name}")
    assert data_rows(path) == CSVS[name]
    asset = "EURUSD_otc" if name.startswith("EURUSD") else name.split("_2025")[0]
    with tickwire("run", "--feed", f"replay:{path}?speed=max", folder=tmp_path) as app:
        eventually(lambda: all_ended(app), "the recording's end")
        client = redis.Redis(port=app.redis_port, socket_timeout=5)
        eventually(lambda: client.llen(f"ticks:{asset}") == 1000, "a full buffer")
        client.close()
        app.signal(signal.SIGINT)
        assert app.wait() == 0, app.logged()
    assert count_stored(app.database) == CSVS[name]


@pytest.mark.timeout(120)
def test_exact_repeats_are_duplicates_where_stamps_are_said_to_be_unique(tmp_path: Path) -> None:
    path = recording("ticks/EURUSD_otc_subsecond.csv")
    with tickwire("replay", f"{path}?speed=max&unique=1", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    assert count_stored(app.database) == 8_772


@pytest.mark.timeout(120)
def test_a_second_run_over_the_same_recording_adds_not_one_row(session_path: Path, tmp_path: Path) -> None:
    store = tmp_path / "shared.db"
    csv_path = recording("ticks/EURUSD_otc_20251015.csv")
    for data_dir in ("one", "one", "two"):
        with tickwire("replay", f"{session_path}?speed=max", f"{csv_path}?speed=max", "--store", f"sqlite:{store}",
                      folder=tmp_path, data_dir=tmp_path / data_dir) as app:  # fmt: skip
            assert app.wait() == 0, app.logged()
        assert count_stored(store) == 1803 + 5_582


@pytest.mark.timeout(120)
def test_a_killed_process_leaves_a_store_that_a_second_replay_makes_exact(tmp_path: Path) -> None:
    path = recording("ticks/AUDCAD_otc_20251020.csv")
    with tickwire("replay", f"{path}?speed=1000", "--batch-interval", "1", folder=tmp_path) as app:
        eventually(lambda: count_stored(app.database) > 500, "some rows stored")
        app.process.kill()
        app.process.wait()
        rows = count_stored(app.database)
    assert 500 < rows < 9_699
    with tickwire("replay", f"{path}?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    assert count_stored(app.database) == 9_699


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_mid_replay_stores_everything_that_was_read(number: signal.Signals, tmp_path: Path) -> None:
    path = recording("ticks/AUDCAD_otc_20251020.csv")
    with tickwire("replay", f"{path}?speed=1000&delay=2", folder=tmp_path) as app:
        updates = Updates(app.redis_port)
        updates.collect(500)
        app.signal(number)
        assert app.wait(8.0) == 0, app.logged()
        with suppress(redis.ConnectionError, redis.TimeoutError):
            updates.collect(9_699)  # to the last: the server went with its relay, what it sent can still be read
        updates.close()
    seen = len(updates.messages)
    assert seen >= 500
    assert count_stored(app.database) >= seen


def test_gzipped_recordings_replay_like_plain_ones(session_path: Path, tmp_path: Path) -> None:
    packed = tmp_path / "session.frames.jsonl.gz"
    packed.write_bytes(gzip.compress(session_path.read_bytes()))
    with tickwire("replay", f"{packed}?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    assert count_stored(app.database) == 1803
