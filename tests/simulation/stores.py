"""The store: a table with a unique key, a server that fails in the ways of stores."""

from collections.abc import Callable, Sequence

from simulation.chance import Chance
from simulation.clock import SimClock

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.market.candle_rows import CandleRow, worth
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle


class Table:
    """What is committed; it outlives every process of ours."""

    def __init__(self, refuses: Callable[[Row], bool]) -> None:
        self.refuses = refuses
        """The rows that are bad data here."""
        self.rows: list[Row] = []
        self.uids: set[str] = set()
        self.candles: dict[tuple[str, str, int], Candle] = {}
        self.state = "up"
        """up, down, slow (times out) or misconfigured."""
        self.inserting: Callable[[Row], None] = lambda _row: None


class SimStore:
    """`ports.Store` on the table."""

    def __init__(
        self,
        table: Table,
        chance: Chance,
        clock: SimClock,
        point: Callable[[str], None],
        *,
        slice_rows: int,
        batch_rows: int,
    ) -> None:
        self.slice_rows = slice_rows
        self.batch_rows = batch_rows
        self._table = table
        self._chance = chance
        self._clock = clock
        self._point = point
        self._limit_s = 9.0

    def open(self) -> None:
        self._point("before the store is opened")
        self._raise_state()

    def write(self, rows: Sequence[Row]) -> int | None:
        self._point("before a store's write")
        self._raise_state()
        lost = self._chance.strikes(self._chance.rates.store_call)
        if lost and self._chance.random.random() < 0.5:
            self._chance.fault("store call failed")
            raise self._chance.choose(
                [StoreUnavailable("40001"), StoreUnavailable("429", retry_after_s=1.5), self._time_out()]
            )
        if any(map(self._table.refuses, rows)):
            raise StoreRefusedRows("22003", "out of range")
        new = [row for row in rows if row.uid not in self._table.uids]
        for row in new:
            if row.uid not in self._table.uids:
                self._table.inserting(row)
                self._table.rows.append(row)
                self._table.uids.add(row.uid)
        if lost:
            self._chance.fault("store reply lost", f"{len(new)} rows are in")
            raise self._time_out()
        self._point("after a store's write")
        return len(new)

    def _raise_state(self) -> None:
        error: StoreError
        match self._table.state:
            case "up":
                return
            case "down":
                error = StoreUnavailable("connection refused")
            case "slow":
                error = self._time_out()
            case _:
                error = StoreMisconfigured("42P01: run `tickwire migrate`")
        raise error

    def _time_out(self) -> StoreUnavailable:
        self._clock.seconds += self._limit_s
        return StoreUnavailable("no answer in time", timed_out=True)

    def ticks(self, pair: str, from_us: int, to_us: int, limit: int) -> Sequence[tuple[int, str]]:
        found = [
            (row.ts_us, row.price) for row in self._table.rows if row.pair == pair and from_us <= row.ts_us < to_us
        ]
        return sorted(found, key=lambda tick: tick[0])[-limit:]

    def newest_ts_us(self, pair: str) -> int | None:
        return max((row.ts_us for row in self._table.rows if row.pair == pair), default=None)

    def write_candles(self, rows: Sequence[CandleRow]) -> int | None:
        self._point("before a store's write of candles")
        self._raise_state()
        lost = self._chance.strikes(self._chance.rates.store_call)
        if lost and self._chance.random.random() < 0.5:
            self._chance.fault("store call failed")
            raise StoreUnavailable("40001")
        kept = self._table.candles
        better = [row for row in rows if row.key not in kept or worth(row.candle) > worth(kept[row.key])]
        kept.update({row.key: row.candle for row in better})
        if lost:
            self._chance.fault("store reply lost", f"{len(better)} candles are in")
            raise self._time_out()
        return len(better)

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        kept = self._table.candles
        found = sorted(key for key in kept if key[:2] == (asset, timeframe) and from_ts <= key[2] < until_ts)
        return [kept[key] for key in found][-limit:]

    def hurry(self, hurried: bool) -> None:
        self._limit_s = 3.5 if hurried else 9.0

    def close(self) -> None:
        """Nothing is open."""
