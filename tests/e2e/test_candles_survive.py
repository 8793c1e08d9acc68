"""Candles in the store, as users run it: those of a recording, and those that were under way at a restart."""

import shutil
from pathlib import Path

import pytest
from support.pocketoption_oracle import candles_of
from support.postgres import PostgresServer
from support.recordings import recording
from support.store_engines import PostgresEngine, SqliteEngine, SupabaseEngine
from support.supabase_server import SupabaseServer
from support.tickwire_process import eventually, tickwire

from tickwire.actors.ports import Store
from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle

pytestmark = pytest.mark.timeout(120)

NAME = "EURUSD_otc_20251015.csv"
ASSET = "EURUSD_otc"
MIDNIGHT = 1_760_486_400
"""Of the recording's day."""
EVER_S = 2**40


def seconds_of(line: str) -> int:
    hours, minutes, seconds = line.split("Z")[0].split(":")
    return MIDNIGHT + int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def lines() -> list[str]:
    """The recording's rows, without its headers."""
    return [line for line in recording(f"ticks/{NAME}").read_text().splitlines() if line[:1].isdigit()]


def ticks() -> list[tuple[int, float]]:
    return [(seconds_of(line) * 1_000_000, float(line.split(",")[-1])) for line in lines()]


def ohlc(candles: list[Candle]) -> dict[int, tuple[float, float, float, float]]:
    return {c.timestamp: (c.open, c.high, c.low, c.close) for c in candles}


def demand_recording(store: Store) -> None:
    """Every closed candle of every timeframe, each once."""
    came = ticks()
    for timeframe, seconds in SECONDS.items():
        kept = list(store.candles(ASSET, timeframe, 0, EVER_S, 10_000))
        over = came[-1][0] // 1_000_000
        expected = {at: bar for at, bar in candles_of(came, seconds).items() if at + seconds <= over}
        assert ohlc(kept) == expected, timeframe
        assert {candle.quality for candle in kept[1:]} <= {"live"}


def test_a_recordings_candles_are_in_sqlite_when_it_has_ended(tmp_path: Path) -> None:
    with tickwire("replay", f"{recording(f'ticks/{NAME}')}?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    engine = SqliteEngine(tmp_path / "data")
    demand_recording(engine.store())
    engine.close()


def test_a_recordings_candles_are_in_postgres_when_it_has_ended(postgres: PostgresServer, tmp_path: Path) -> None:
    engine = PostgresEngine(postgres)
    dsn = postgres.dsn(engine.dsn.rpartition("/")[2], user="writer")
    with tickwire("replay", f"{recording(f'ticks/{NAME}')}?speed=max", "--store", dsn, folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    demand_recording(engine.store())
    engine.close()


def test_a_recordings_candles_are_in_supabase_when_it_has_ended(
    postgres: PostgresServer, supabase: SupabaseServer, tmp_path: Path
) -> None:
    engine = SupabaseEngine(postgres, supabase)
    arguments = ("replay", f"{recording(f'ticks/{NAME}')}?speed=max", "--store", f"supabase+{engine.url}")
    environment = {"SUPABASE_SERVICE_ROLE_KEY": "key-of-service"}
    with tickwire(*arguments, folder=tmp_path, environment=environment) as app:
        assert app.wait() == 0, app.logged()
    demand_recording(engine.store())
    engine.close()


def test_a_half_hour_that_was_under_way_at_a_restart_is_whole_though_redis_forgot_it(tmp_path: Path) -> None:
    """Stopped in the middle of its 15 seconds: the store has the candles before, and the ticks of that bucket."""
    split = MIDNIGHT + 16 * 3600 + 20 * 60 + 7
    for half, first in (("first", True), ("second", False)):
        rows = [line for line in lines() if (seconds_of(line) < split) is first]
        (tmp_path / half).mkdir()
        (tmp_path / half / NAME).write_text("\n".join(["timestamp,asset,price", *rows, ""]))
    with tickwire("replay", f"{tmp_path / 'first' / NAME}?speed=max", folder=tmp_path) as app:
        assert app.wait() == 0, app.logged()
    shutil.rmtree(tmp_path / "data" / "redis")

    start = MIDNIGHT + 16 * 3600
    bar = candles_of(ticks(), 1800)[start]
    count = sum(start <= us // 1_000_000 < start + 1800 for us, _ in ticks())
    engine = SqliteEngine(tmp_path / "data")
    store = engine.store()
    feed = f"replay:{tmp_path / 'second' / NAME}?speed=max"
    with tickwire("run", "--feed", feed, "--batch-interval", "1", folder=tmp_path):
        kept = eventually(
            lambda: [c for c in store.candles(ASSET, "30m", start, start + 1, 1) if c.ticks == count],
            "the half hour has the ticks of both runs",
        )
    engine.close()
    assert ohlc(list(kept)) == {start: bar}
