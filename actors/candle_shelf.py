"""BatchWriter's part that writes candles: behind the ticks of the same entries, before these are acknowledged.

Candles never hold ticks up for good: what the store refuses is left out, and where only its table of candles is wrongly
set up they are let go, with the remedy in the log. They can be made of the stored ticks again.
"""

from collections.abc import Callable, Iterable
from itertools import islice

import structlog

from tickwire.actors.ports import StoreMisconfigured, StoreRefusedRows
from tickwire.actors.store_link import StoreLink
from tickwire.market.candle_rows import CandleRow, Key, keep
from tickwire.messages.telemetry import CandlesStored

_log = structlog.get_logger("tickwire.batch_writer")


class CandleShelf:
    """Read and not yet stored, each in its best known state. What it raises is for its owner's `StoreLink.failed`."""

    def __init__(self, tell: Callable[[CandlesStored], object]) -> None:
        self._tell = tell
        self._rows: dict[Key, CandleRow] = {}
        self._most: int | None = None
        """Of the next write, after a refusal."""
        self._trouble = ""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: Iterable[CandleRow]) -> None:
        keep(self._rows, rows)

    def clear(self) -> None:
        """They will be read again."""
        self._rows.clear()
        self._most = None

    def write(self, store: StoreLink, most: int) -> int:
        """Write the next; how many are dealt with. Raises StoreUnavailable, or StoreMisconfigured of all the store."""
        rows = list(islice(self._rows.values(), most if self._most is None else min(most, self._most)))
        if not rows:
            return 0
        try:
            changed = store.write_candles(rows)
        except StoreRefusedRows as error:
            return self._refused(rows, error)
        except StoreMisconfigured as error:
            store.look()
            if not store.up:
                raise
            return self._let_go(error)
        self._done(rows)
        self._most = None if self._most is None or self._most >= most else self._most * 2
        self._trouble = ""
        self._tell(CandlesStored(rows=len(rows), changed=changed))
        return len(rows)

    def _refused(self, rows: list[CandleRow], error: StoreRefusedRows) -> int:
        """Halves, until the one is found that is to be left out."""
        if len(rows) > 1:
            self._most = len(rows) // 2
            return 0
        candle = rows[0].candle
        _log.warning(
            "candle_refused",
            asset=rows[0].asset,
            timeframe=candle.timeframe,
            timestamp=candle.timestamp,
            reason=str(error),
        )
        self._done(rows)
        self._tell(CandlesStored(rows=0, changed=0, refused=1))
        return 1

    def _let_go(self, error: StoreMisconfigured) -> int:
        count = len(self._rows)
        if str(error) != self._trouble:
            self._trouble = str(error)
            _log.warning("candles_not_stored", reason=self._trouble, candles=count)
        self.clear()
        self._tell(CandlesStored(rows=0, changed=0, refused=count))
        return count

    def _done(self, rows: Iterable[CandleRow]) -> None:
        for row in rows:
            del self._rows[row.key]
