"""Ticks in CSV files, as QuFLX records them.

Columns `timestamp,asset,price` or `time,price`; the header may repeat and blank lines may occur. A time is seconds
since 1970, `YYYY-MM-DD HH:MM:SS` or `HH:MM:SSZ`, all UTC; the last lacks its date, which the file's name has
(`ASSET_YYYYMMDD.csv`), and a step back of over 12 h is the next day. Numbers keep their spelling.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import orjson

from tickwire.market.values import good_asset

DAY_S = 86_400
HALF_DAY_S = DAY_S // 2

_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_CLOCK = r"(?P<h>[01][0-9]|2[0-3]):(?P<m>[0-5][0-9]):(?P<s>[0-5][0-9])(?P<fraction>\.[0-9]+)?"
_TIME = re.compile(rf"(?:(?P<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[ T])?{_CLOCK}(?:Z|\+00:00)?")
TIME_NAMES = ("timestamp", "time", "ts", "t")
ASSET_NAMES = ("asset", "symbol", "pair")
_PRICE_NAMES = ("price", "last", "p")
_NAMED = re.compile(r"(?P<asset>.+?)_(?:subsecond|(?P<day>[0-9]{8}))(?:_.*)?")


class CsvError(ValueError):
    """The file's columns can't be understood as ticks, or something that it lacks has to be given."""


@dataclass(frozen=True, slots=True)
class CsvTick:
    """One data row: the frame that carries it, and when it happened (None where its time can't be read)."""

    payload: bytes
    at_us: int | None
    usable: bool = False
    """Whether asset, time and price can be read."""


class CsvTicks:
    """What one file's rows mean. `asset` and `day` are what the URL gives."""

    def __init__(self, name: str, header: Sequence[str], asset: str | None, day: date | None) -> None:
        """`name` is the file's, without its folder. Raises CsvError."""
        self._header = list(header)
        self._time = column_of(header, TIME_NAMES, name)
        self._price = column_of(header, _PRICE_NAMES, name)
        named = _NAMED.fullmatch(name.partition(".csv")[0])
        self._asset_column = next((i for i, title in enumerate(header) if title in ASSET_NAMES), None)
        if self._asset_column is not None and asset is not None:
            raise CsvError(f"asset={asset}: {name} has an asset column; leave asset= out")
        found = asset or (named["asset"] if named else None)
        if self._asset_column is None and not good_asset(found):
            raise CsvError(f"{name} names no asset, neither in a column nor as ASSET_YYYYMMDD.csv; give asset=ASSET")
        self._asset = found or ""
        self.day = day or _day(named["day"] if named else None)
        self._name = name

    def check(self, row: Sequence[str]) -> None:
        """Raise CsvError where the first data row shows that the date is needed and unknown."""
        stamp = _TIME.fullmatch(row[self._time]) if len(row) == len(self._header) else None
        if stamp is not None and stamp["day"] is None and self.day is None:
            raise CsvError(f"the times of {self._name} have no date, nor has its name; give date=YYYY-MM-DD")

    def ticks(self, rows: Iterable[Sequence[str]], shift_s: int = 0) -> Iterator[CsvTick]:
        """A tick for each data row, its time moved by `shift_s`.

        What is no tick goes out as it is, for the relay to reject and count.
        """
        times = CsvTimes(self.day, shift_s)
        for row in rows:
            if row == self._header:
                continue
            if len(row) != len(self._header):
                yield CsvTick(orjson.dumps([row]), None)
                continue
            stamp, at_us = times.read(row[self._time])
            asset = self._asset if self._asset_column is None else row[self._asset_column]
            price = row[self._price]
            values = b",".join((orjson.dumps(asset), stamp, _json(price)))
            usable = at_us is not None and _NUMBER.fullmatch(price) is not None and good_asset(asset)
            yield CsvTick(b"[[" + values + b"]]", at_us, usable)


def split_rows(lines: Iterable[bytes]) -> Iterator[list[str]]:
    """The fields of each line that is not blank."""
    for line in lines:
        text = line.decode("utf-8-sig", errors="replace").strip()
        if text:
            yield [part.strip() for part in text.split(",")]


class CsvTimes:
    """Times in file order: the day goes on where the clock steps back by over half a day."""

    def __init__(self, day: date | None, shift_s: int) -> None:
        self._midnight = _epoch_s(day) if day else 0
        self._before = 0
        self._shift_s = shift_s

    def read(self, text: str) -> tuple[bytes, int | None]:
        """A time as JSON, and in µs."""
        if _NUMBER.fullmatch(text):
            whole, _, fraction = text.partition(".")
            seconds, fraction = int(whole), f".{fraction}" if fraction else ""
        else:
            stamp = _TIME.fullmatch(text)
            day = _day((stamp["day"] or "").replace("-", "")) if stamp else None
            if stamp is None or (day is None and stamp["day"] is not None):
                return orjson.dumps(text), None
            fraction = stamp["fraction"] or ""
            clock = int(stamp["h"]) * 3600 + int(stamp["m"]) * 60 + int(stamp["s"])
            seconds = (_epoch_s(day) if day else self._of_day(clock)) + clock
        seconds += self._shift_s
        return f"{seconds}{fraction}".encode(), seconds * 1_000_000 + int(f"{fraction[1:7]:0<6}")

    def _of_day(self, clock: int) -> int:
        if self._before - clock > HALF_DAY_S:
            self._midnight += DAY_S
        self._before = clock
        return self._midnight


def column_of(header: Sequence[str], names: Sequence[str], file: str) -> int:
    """Where the first column with one of these names is. Raises CsvError."""
    for i, title in enumerate(header):
        if title in names:
            return i
    raise CsvError(f"{file} has no column {' or '.join(names[:2])}: its first line is {','.join(header)[:80]!r}")


def _day(digits: str | None) -> date | None:
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date() if digits else None
    except ValueError:
        return None


def _epoch_s(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _json(text: str) -> bytes:
    """A number as it is spelled, anything else as a string."""
    return text.encode() if _NUMBER.fullmatch(text) else orjson.dumps(text)
