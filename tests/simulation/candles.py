"""What the stored candles must be, worked out from ticks accepted and ticks traded; and the restorer's far end."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from simulation.oracle import Identity, Violation
from simulation.stores import Table
from simulation.venues import AHEAD_S

from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle, CandlesRestored, TicksRestored

EVER_S = 2**40
Ohlc = tuple[float, float, float, float, int]


def candles_of(ticks: Iterable[Identity], seconds: int) -> dict[tuple[str, int], Ohlc]:
    """(asset, opening second) → open, high, low, close, ticks; of equal stamps the order given counts."""
    members: dict[tuple[str, int], list[tuple[float, int, float]]] = defaultdict(list)
    for place, tick in enumerate(ticks):
        at = float(tick.stamp) - (AHEAD_S if tick.source == "pocketoption" else 0.0)
        members[tick.asset, int(round(at * 1000) // 1000 // seconds * seconds)].append((at, place, float(tick.price)))
    found = {}
    for key, bucket in members.items():
        prices = [price for _, _, price in sorted(bucket)]
        found[key] = (prices[0], max(prices), min(prices), prices[-1], len(prices))
    return found


def mixed_buckets(ticks: Iterable[Identity]) -> set[tuple[str, str, int]]:
    """(asset, timeframe, opening second) of those that hold ticks of two venues."""
    sources: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for tick in ticks:
        for timeframe, seconds in SECONDS.items():
            for _, start in candles_of([tick], seconds):
                sources[tick.asset, timeframe, start].add(tick.source)
    return {key for key, names in sources.items() if len(names) > 1}


def demand_candles(accepted: Iterable[Identity], stored: Mapping[tuple[str, str, int], Candle]) -> int:
    """Every candle of quality live is what the accepted ticks of its bucket come to. How many there were.

    But where two venues had the asset in turn: the history of the second knows ticks of when it was the first's.
    """
    ticks = list(accepted)
    expected = {timeframe: candles_of(ticks, seconds) for timeframe, seconds in SECONDS.items()}
    mixed = mixed_buckets(ticks)
    live = 0
    for (asset, timeframe, start), candle in stored.items():
        if not candle.is_closed:
            raise Violation(f"{candle} is stored and not closed")
        wanted = expected[timeframe].get((asset, start))
        if wanted is None:
            raise Violation(f"{asset} {candle} is stored, and no tick was accepted for it")
        shown = (candle.open, candle.high, candle.low, candle.close, candle.ticks)
        if candle.quality == "live" and (asset, timeframe, start) not in mixed:
            live += 1
            if shown != wanted:
                raise Violation(
                    f"{asset} {timeframe} {start} is stored as {shown}, its accepted ticks come to {wanted}"
                )
    return live


def demand_whole(traded: Iterable[Identity], stored: Mapping[tuple[str, str, int], Candle]) -> None:
    """No candle of quality live lacks a tick that its venue had, were we connected or not.

    But for those stamped with the very second in which a bucket opens: who begins to listen among several of one stamp
    can't know how many were before.
    """
    ticks = [tick for tick in traded if float(tick.stamp) % 15]
    for timeframe, seconds in SECONDS.items():
        for (asset, start), (*_, count) in candles_of(ticks, seconds).items():
            candle = stored.get((asset, timeframe, start))
            if candle is not None and candle.quality == "live" and candle.ticks < count:
                raise Violation(f"{asset} {candle} is stored as live, and its venue had {count} ticks then")


class SimSource:
    """`ports.CandleSource` on the table: answers at once, or not while the store is not up."""

    def __init__(self, table: Table, tell: Callable[[object], object]) -> None:
        self._table = table
        self._tell = tell

    def candles(self, asset: str, timeframe: str, limit: int) -> None:
        keys = sorted(key for key in self._table.candles if key[:2] == (asset, timeframe))[-limit:]
        if keys and self._table.state == "up":
            found = [self._table.candles[key] for key in keys]
            self._tell(CandlesRestored(asset=asset, timeframe=timeframe, candles=found))

    def ticks(self, asset: str, from_us: int, until_us: int) -> None:
        found = [
            (row.ts_us, row.price) for row in self._table.rows if row.pair == asset and from_us <= row.ts_us < until_us
        ]
        if found and self._table.state == "up":
            found.sort(key=lambda tick: tick[0])
            self._tell(TicksRestored(asset=asset, from_us=from_us, found=found))

    def close(self) -> None:
        """Nothing is open."""
