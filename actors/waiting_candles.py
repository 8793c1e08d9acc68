"""Candles on their way into the spool: BufferKeeper commits them a few times a second, apart from ticks.

So that they cost the ticks' commits nothing. While the spool takes nothing they wait here, each in its best known
state; beyond a bound the oldest are let go, for they can be made of the stored ticks again.
"""

from collections.abc import Sequence
from itertools import islice

import structlog

from tickwire.actors.ports import Spool
from tickwire.market.candle_rows import CandleRow, Key, keep
from tickwire.market.packing import pack_candles
from tickwire.messages.candles import Candle

_log = structlog.get_logger("tickwire.buffer_keeper")

ENTRY_CANDLES = 1000
"""Most candles of one spool row."""
MOST_WAITING = 50_000


class WaitingCandles:
    """It outlives incarnations of its owner."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._rows: dict[Key, CandleRow] = {}
        self._lets_go = False

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, candles: Sequence[tuple[str, Candle]]) -> None:
        keep(self._rows, (CandleRow(asset, candle) for asset, candle in candles))
        over = len(self._rows) - self._most
        if over > 0:
            for key in list(islice(self._rows, over)):
                del self._rows[key]
            if not self._lets_go:
                _log.warning("candles_not_stored", reason="the spool takes nothing", candles=over)
            self._lets_go = True

    def commit(self, spool: Spool) -> list[tuple[int, bytes]]:
        """Put those that wait the longest into the spool, as one row: it returns that. Raises SpoolFailed."""
        rows = list(islice(self._rows.values(), ENTRY_CANDLES))
        payload = pack_candles(rows)
        (placed,) = spool.commit([payload], {})
        for row in rows:
            del self._rows[row.key]
        self._lets_go = False
        return [(placed, payload)]
