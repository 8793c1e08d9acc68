"""Recorded ticks of six assets as one endless tape, and what the store must hold of it.

Each recording spreads evenly over a lap; at the lap's end all begin again, days later, so that no stamp comes twice.
Read by means of its own, not by the relay's.
"""

import csv
import sys
import time as clock
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from support.recordings import recording

FILES = {
    "AEDCNY_otc": "AEDCNY_otc_20251013.csv",
    "AUDCAD_otc": "AUDCAD_otc_20251020.csv",
    "CADJPY_otc": "CADJPY_otc_20251013.csv",
    "DOGE_otc": "DOGE_otc_20251011.csv",
    "EURUSD_otc": "EURUSD_otc_20251015.csv",
    "EURUSD": "EURUSD_otc_subsecond.csv",
}
LAP_DAYS = 7
HALF_DAY = timedelta(hours=12)

Expected = tuple[str, int, Decimal]
"""(pair, ts_us, price) of a row."""


@dataclass(frozen=True, slots=True)
class Tick:
    asset: str
    stamp: str
    """Seconds since 1970 as the wire has them."""
    price: str

    @property
    def frame(self) -> bytes:
        return f'["{self.asset}",{self.stamp},{self.price}]'.encode()

    @property
    def row(self) -> Expected:
        return self.asset, int(Decimal(self.stamp) * 1_000_000), Decimal(self.price).normalize()


class Tape:
    """`ticks(0, n)` are the first n; longer than the recordings it goes on with another lap."""

    def __init__(self, laps: int) -> None:
        """At most so many laps: the last one has the recorded stamps, those before it earlier ones."""
        self._laps = laps
        placed = []
        for asset, file in FILES.items():
            ticks = list(_read(recording(f"ticks/{file}"), asset))
            placed += [((number + 0.5) / len(ticks), tick) for number, tick in enumerate(ticks)]
        placed.sort(key=lambda each: each[0])
        self._lap = [tick for _, tick in placed]

    def __len__(self) -> int:
        return len(self._lap) * self._laps

    def ticks(self, start: int, stop: int) -> Sequence[Tick]:
        return [self[number] for number in range(start, stop)]

    def __getitem__(self, number: int) -> Tick:
        lap, place = divmod(number, len(self._lap))
        assert lap < self._laps, f"the tape ends after {len(self)} ticks"
        tick = self._lap[place]
        whole, point, fraction = tick.stamp.partition(".")
        earlier_s = (self._laps - 1 - lap) * LAP_DAYS * 86_400
        return Tick(tick.asset, f"{int(whole) - earlier_s}{point}{fraction}", tick.price)


class Rounds(Tape):
    """Every asset in turn, so many ticks a second, without end; no stamp of an asset comes twice."""

    def __init__(self, assets: Sequence[str], a_second: int) -> None:
        self._assets = assets
        self._a_second = a_second
        self._begun = int(clock.time())

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, number: int) -> Tick:
        stamp = f"{self._begun + number / self._a_second:.6f}"
        return Tick(self._assets[number % len(self._assets)], stamp, f"1.{number * 7919 % 100_000:05}")


def _read(path: Path, asset: str) -> Iterator[Tick]:
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if row and row[0] not in ("timestamp", "time")]
    day = datetime.strptime(path.stem[-8:], "%Y%m%d").replace(tzinfo=UTC) if path.stem[-8:].isdigit() else None
    before: datetime | None = None
    for row in rows:
        stamp, price = row[0], row[-1]
        if stamp.endswith("Z"):
            assert day is not None
            at = datetime.combine(day, time.fromisoformat(stamp), UTC)
            if before is not None and before - at > HALF_DAY:
                day += timedelta(days=1)
                at += timedelta(days=1)
            before = at
            stamp = str(int(at.timestamp()))
        elif " " in stamp:
            stamp = str(int(datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()))
        yield Tick(asset, stamp, price)
