"""QuFLX's Python calls against a real Redis and real stores: what the methods promise, also while a server is away."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.postgres import PostgresServer
from support.redis_server import RedisServer
from support.store_engines import PostgresEngine, prepare
from support.tickwire_process import clean_environment, count_stored, eventually, stored

from tickwire import Settings
from tickwire.config.settings import BatchSettings, HttpSettings, RedisSettings, StoreSettings
from tickwire.quflx import QuflxError, RedisBatchProcessor, RedisIntegration

pytestmark = pytest.mark.timeout(90)

ASSET = "EURUSD_otc"


def settings(folder: Path, redis: RedisServer, store: str | None = None) -> Settings:
    return Settings(
        data_dir=folder / "data",
        feeds=("push:",),
        redis=RedisSettings(url=f"redis://127.0.0.1:{redis.port}/0"),
        http=HttpSettings(address="127.0.0.1:0"),
        batch=BatchSettings(interval_s=3600),  # only what is forced is stored
        store=StoreSettings(url=store) if store else StoreSettings(),
    )


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def quflx(tmp_path: Path, redis_server: RedisServer) -> Iterator[RedisIntegration]:
    with RedisIntegration(settings(tmp_path, redis_server)) as integration:
        yield integration


def tick(number: int) -> dict[str, Any]:
    return {"price": f"1.{1000 + number}", "timestamp": time.time() // 1 - 1000 + number}


def test_what_is_added_is_in_the_buffer_and_reading_does_not_take_it_away(quflx: RedisIntegration) -> None:
    added = [tick(number) for number in range(25)]
    assert all(quflx.add_tick_to_buffer(ASSET, each) for each in added)
    for _ in range(2):
        ticks = quflx.get_ticks_from_buffer(ASSET)
        assert [each["timestamp"] for each in ticks] == [each["timestamp"] for each in reversed(added)]
        assert [f"{each['price']:.4f}" for each in ticks] == [each["price"] for each in reversed(added)]
    assert quflx.get_buffer_size(ASSET) == 25
    assert (quflx.get_ticks_from_buffer("GBPUSD"), quflx.get_buffer_size("GBPUSD")) == ([], 0)


@pytest.mark.parametrize(
    ("asset", "change"),
    [
        ("EUR USD", {}),
        (ASSET, {"price": None}),
        (ASSET, {"price": -1.0}),
        (ASSET, {"price": float("nan")}),
        (ASSET, {"price": True}),
        (ASSET, {"timestamp": None}),
        (ASSET, {"timestamp": "1767614400"}),
        (ASSET, {"timestamp": time.time() * 1000}),
        (ASSET, {"timestamp": time.time() + 90_000}),
    ],
)
def test_what_is_no_tick_is_refused_at_once_and_kept_nowhere(
    asset: str, change: dict[str, Any], quflx: RedisIntegration
) -> None:
    assert not quflx.add_tick_to_buffer(asset, tick(0) | change)
    assert quflx.get_buffer_size(ASSET) == 0


def test_a_candle_shaped_tick_counts_by_its_close(quflx: RedisIntegration) -> None:
    assert quflx.add_tick_to_buffer(ASSET, {"timestamp": time.time(), "open": 1.1, "close": 1.25})
    assert [each["price"] for each in quflx.get_ticks_from_buffer(ASSET)] == [1.25]


def test_force_stores_once_what_was_added_and_the_status_says_when(quflx: RedisIntegration, tmp_path: Path) -> None:
    batch = RedisBatchProcessor(quflx)
    batch.start_processing()
    batch.register_asset(ASSET)
    begun = time.time()
    for number in range(40):
        assert quflx.add_tick_to_buffer(ASSET, tick(number))
    answer = batch.force_process_asset(ASSET)
    assert (answer["success"], set(answer)) == (True, {"success", "message"})
    database = tmp_path / "data" / "ticks.db"
    assert count_stored(database) == 40
    assert batch.force_process_asset(ASSET)["success"]
    assert len({uid for uid, *_ in stored(database)}) == count_stored(database) == 40
    status = eventually(lambda: _processed(batch), "the status tells when", 15)
    assert status["is_running"]
    assert (status["active_assets"], status["buffer_sizes"]) == ([ASSET], {ASSET: 40})
    assert begun - 1 <= status["last_processed_times"][ASSET] <= time.time() + 1
    batch.unregister_asset(ASSET)
    assert batch.get_processing_status()["active_assets"] == []


def _processed(batch: RedisBatchProcessor) -> dict[str, Any] | None:
    status = batch.get_processing_status()
    return status if status["last_processed_times"] else None


def test_close_stores_what_is_pending_and_ends_the_integration(tmp_path: Path, redis_server: RedisServer) -> None:
    integration = RedisIntegration(settings(tmp_path, redis_server))
    for number in range(30):
        assert integration.add_tick_to_buffer(ASSET, tick(number))
    assert integration.close()
    assert integration.close()
    assert count_stored(tmp_path / "data" / "ticks.db") == 30
    with pytest.raises(QuflxError, match="was closed"):
        integration.get_buffer_size(ASSET)


def test_postgres_gets_what_was_added_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> None:
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        prepare(server)
        engine = PostgresEngine(server)
        store = server.dsn(engine.dsn.rpartition("/")[2], user="writer")
        with RedisIntegration(settings(tmp_path, redis_server, store)) as integration:
            batch = RedisBatchProcessor(integration)
            for number in range(50):
                assert integration.add_tick_to_buffer(ASSET, tick(number))
            assert batch.force_process_asset(ASSET)["success"]
            assert len(engine.rows()) == 50
            server.stop()
            assert integration.add_tick_to_buffer(ASSET, tick(50))
            server.start()
            eventually(lambda: batch.force_process_asset(ASSET)["success"], "the rest is stored", 45)
            assert len({uid for uid, *_ in engine.rows()}) == len(engine.rows()) == 51
        engine.close()


def test_a_subscriber_hears_each_tick_in_a_thread_of_its_own_though_its_callback_raises(
    quflx: RedisIntegration,
) -> None:
    heard: list[dict[str, Any]] = []
    threads = set()
    done = threading.Event()

    def callback(tick: dict[str, Any]) -> None:
        threads.add(threading.current_thread())
        heard.append(tick)
        if len(heard) == 1:
            raise RuntimeError("a bug of the host's")
        if len(heard) == 20:
            done.set()

    assert quflx.subscribe_to_asset_updates(ASSET, callback)
    for number in range(20):
        assert quflx.add_tick_to_buffer(ASSET, tick(number))
        assert quflx.add_tick_to_buffer("GBPUSD", tick(number))
    assert done.wait(20)
    assert [each["asset"] for each in heard] == [ASSET] * 20
    assert [each["seq"] for each in heard] == list(range(1, 21))
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_clearing_takes_the_buffer_and_nothing_that_is_stored_or_to_be_stored(
    quflx: RedisIntegration, tmp_path: Path
) -> None:
    for number in range(10):
        quflx.add_tick_to_buffer(ASSET, tick(number))
        quflx.add_tick_to_buffer("GBPUSD", tick(number))
    assert quflx.clear_asset_data(ASSET)
    assert (quflx.get_buffer_size(ASSET), quflx.get_buffer_size("GBPUSD")) == (0, 10)
    assert RedisBatchProcessor(quflx).force_process_asset(ASSET)["success"]
    assert count_stored(tmp_path / "data" / "ticks.db") == 20


def test_candles_are_kept_where_the_relay_has_none_of_its_own(quflx: RedisIntegration) -> None:
    opening = int(time.time()) // 60 * 60 - 600
    candles = [
        {"timestamp": opening + 60 * n, "open": 1.1, "high": 1.3, "low": 1.0, "close": 1.2, "volume": 0}
        for n in range(3)
    ]
    assert quflx.get_cached_historical_candles("GBPUSD", "1M") is None
    assert quflx.cache_historical_candles("GBPUSD", "1M", candles)
    kept = quflx.get_cached_historical_candles("GBPUSD", "1m")
    assert kept is not None
    assert [(each["timestamp"], each["high"]) for each in kept] == [(each["timestamp"], 1.3) for each in candles]
    assert not quflx.cache_historical_candles("GBPUSD", "1M", [{"timestamp": opening, "open": 1.1}])
    quflx.add_tick_to_buffer(ASSET, {"price": 1.5, "timestamp": time.time()})
    eventually(lambda: quflx.get_cached_historical_candles(ASSET, "1m"), "its own candle", 15)
    assert not quflx.cache_historical_candles(ASSET, "1m", candles)


def test_redis_info_has_quflxs_six_fields(quflx: RedisIntegration) -> None:
    info = quflx.get_redis_info()
    assert set(info) == {
        "version", "used_memory", "connected_clients", "total_commands_processed", "keyspace_hits", "keyspace_misses",
    }  # fmt: skip
    assert info["used_memory"] > 0
    assert info["connected_clients"] > 0


def test_ticks_added_while_redis_is_away_are_kept_and_stored_once_it_is_back(
    quflx: RedisIntegration, redis_server: RedisServer, tmp_path: Path
) -> None:
    assert quflx.add_tick_to_buffer(ASSET, tick(0))
    assert quflx.get_buffer_size(ASSET) == 1
    redis_server.stop()
    for number in range(1, 30):
        assert quflx.add_tick_to_buffer(ASSET, tick(number))
    with pytest.raises(QuflxError, match="Redis redis://"):
        quflx.get_ticks_from_buffer(ASSET)
    assert not quflx.clear_asset_data(ASSET)
    redis_server.start()
    eventually(lambda: RedisBatchProcessor(quflx).force_process_asset(ASSET)["success"], "all is stored", 60)
    assert len({uid for uid, *_ in stored(tmp_path / "data" / "ticks.db")}) == 30
    eventually(lambda: quflx.get_buffer_size(ASSET) == 30, "the buffer is whole again", 30)


HOST = """
import os, time
from tickwire.quflx import RedisIntegration
quflx = RedisIntegration()
for second in range(20):
    assert quflx.add_tick_to_buffer("EURUSD_otc", {"price": 1.5, "timestamp": time.time() - 60 + second})
print(quflx.get_buffer_size("EURUSD_otc"), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_host_configured_by_quflxs_environment_may_be_killed_and_loses_nothing(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    environment = clean_environment() | {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis_server.port)}
    killed = subprocess.run(
        [sys.executable, "-c", HOST], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (killed.returncode, killed.stdout.split()[-1:]) == (-9, ["20"]), killed.stderr[-2000:]
    code = "from tickwire.quflx import RedisIntegration as R; r = R(); r.get_buffer_size('A'); print(r.close())"
    again = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert again.stdout.split()[-1:] == ["True"], again.stderr[-2000:]
    assert len({uid for uid, *_ in stored(tmp_path / "tickwire-quflx" / "ticks.db")}) == 20
