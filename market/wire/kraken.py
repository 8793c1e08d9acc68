"""Kraken's `trade` channel, version 1 of its API; its captures (`KRAKEN.ws.*`) hold books and heartbeats only.

[337,[["5541.20000","0.15850568","1534614057.321597","s","l",""],…],"trade","XBT/USD"]
"""

from collections.abc import Sequence
from typing import Any

from tickwire.market.wire.trades import Trade


def trades(message: Any) -> Sequence[Trade] | str:
    """A `trades.Reader`; trades have no ids."""
    if type(message) is dict:
        event = message.get("event")
        return event if type(event) is str else "unnamed"
    if type(message) is not list or len(message) < 4:
        return "unnamed"
    channel, rows = message[-2], message[1]
    if channel != "trade":
        return channel if type(channel) is str else "unnamed"
    return [_trade(message[-1], row) for row in rows] if type(rows) is list else (_trade(message[-1], rows),)


def _trade(asset: Any, row: Any) -> Trade:
    price, _, stamp = row[:3] if type(row) is list and len(row) >= 3 else (None, None, None)
    return Trade(asset, stamp, price)
