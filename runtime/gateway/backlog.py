"""What a client that does not keep up gets once it can: ticks conflated, the latest of each candle. In the loop."""

from copy import copy

from tickwire.messages.clients import CandleOut
from tickwire.runtime.gateway.frames import GapFrame, Summary, TicksFrame

MOST = 4096
"""Summaries of one asset, or candles, kept for a slow client."""

Piece = Summary | bytes


class Backlog:
    """One client's."""

    def __init__(self) -> None:
        self._ticks: dict[str, list[Piece]] = {}
        self._candles: dict[tuple[str, str, int], bytes] = {}

    def add_ticks(self, frame: TicksFrame | GapFrame) -> bool:
        """Keep ticks or a gap; whether that is not too much yet."""
        pieces = self._ticks.setdefault(frame.asset, [])
        if isinstance(frame, GapFrame):
            pieces.append(frame.data)
            return len(pieces) <= MOST
        last = pieces[-1] if pieces else None
        if isinstance(last, Summary) and last.followed_by(frame.summary):
            last.merge(frame.summary)
        else:
            pieces.append(copy(frame.summary))
        return len(pieces) <= MOST

    def add_candle(self, candle: CandleOut, frame: bytes) -> bool:
        """Keep a candle in place of an earlier state of it; whether that is not too much yet."""
        self._candles[candle.asset, candle.timeframe, candle.timestamp] = frame
        return len(self._candles) <= MOST

    def take_asset(self, asset: str) -> list[bytes]:
        """What is kept of an asset's ticks, as frames."""
        return [_frame(piece) for piece in self._ticks.pop(asset, ())]

    def take_all(self) -> list[bytes]:
        frames = [_frame(piece) for pieces in self._ticks.values() for piece in pieces]
        frames += self._candles.values()
        self.clear()
        return frames

    def clear(self) -> None:
        self._ticks.clear()
        self._candles.clear()


def _frame(piece: Piece) -> bytes:
    return piece.frame() if isinstance(piece, Summary) else piece
