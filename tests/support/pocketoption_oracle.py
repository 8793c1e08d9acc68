"""What is in the recorded PocketOption session, worked out apart from tickwire's own code."""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

OFFSET_S = 7200


@dataclass
class Session:
    """Raw contents: stamps in the broker's clock."""

    live: list[tuple[str, float, float]] = field(default_factory=list)
    history: list[tuple[str, float, float]] = field(default_factory=list)

    def distinct(self) -> set[tuple[str, float, float]]:
        return set(self.live) | set(self.history)


def read_session(path: Path) -> Session:
    session = Session()
    event = ""
    for line in path.read_text().splitlines():
        frame = json.loads(line)
        if frame["type"] == "text":
            event = frame["data"].split('"')[1] if frame["data"].startswith("451-") else ""
            continue
        body = json.loads(base64.b64decode(frame["data"]))
        if event == "updateStream":
            session.live += [(asset, stamp, price) for asset, stamp, price in body]
        elif event == "updateHistoryNewFast":
            session.history += [(body["asset"], stamp, price) for stamp, price in body["history"]]
    return session


def candles_of(ticks: list[tuple[int, float]], seconds: int) -> dict[int, tuple[float, float, float, float]]:
    """Opening second → (open, high, low, close) of ticks (µs, price) given in arrival order."""
    candles: dict[int, list[tuple[int, int, float]]] = {}
    for arrival, (us, price) in enumerate(ticks):
        start = us // 1_000_000 // seconds * seconds
        candles.setdefault(start, []).append((us, arrival, price))
    out = {}
    for start, members in candles.items():
        members.sort()
        prices = [price for _, _, price in members]
        out[start] = (prices[0], max(prices), min(prices), prices[-1])
    return out
