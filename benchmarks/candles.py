"""Prints how many ticks a second the candle builder takes: `python benchmarks/candles.py`."""

import time

from tickwire.market.candles import AssetCandles
from tickwire.messages.ticks import TickColumns

START_US = 1_756_866_780_000_000
TICKS = 200_000


def rate(size: int, step_us: int) -> float:
    """Ticks a second through one asset, `size` a column, `step_us` apart."""
    columns = [
        TickColumns(
            asset="A", epoch="e", first_seq=first + 1, offset_us=0,
            ts_us=[START_US + (first + i) * step_us for i in range(size)], stamps=[""] * size,
            prices=[f"1.{100_000 + (first + i) * 7 % 900_000}" for i in range(size)], ordinals=[0] * size,
            encoded=[b""] * size,
        )
        for first in range(0, TICKS, size)
    ]  # fmt: skip
    candles = AssetCandles(200)
    began = time.perf_counter()
    for column in columns:
        candles.live(column, 0.0)
    return len(columns) * size / (time.perf_counter() - began)


def main() -> None:
    for size in (1, 10, 100, 1000):
        for name, step_us in (("5000 ticks/s", 200), ("2.1 ticks/s", 480_000)):
            print(f"{size:>5} a column, as of {name:<13} {rate(size, step_us):>12,.0f} ticks/s")


if __name__ == "__main__":
    main()
