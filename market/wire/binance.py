"""Binance's `aggTrade` streams, combined, as recorded in October 2021 (`BINANCE.ws.*`).

{"stream":"nknusdt@aggTrade","data":{"e":"aggTrade","s":"NKNUSDT","a":15683430,"p":"0.35280000","T":1633998523963,…}}
"""

from collections.abc import Sequence
from typing import Any

from tickwire.market.wire.trades import Trade


def trades(message: Any) -> Sequence[Trade] | str:
    """A `trades.Reader`; stamps are milliseconds."""
    data = message.get("data") if type(message) is dict else None
    if type(data) is not dict:
        return "unnamed"
    event = data.get("e")
    if event != "aggTrade":
        return event if type(event) is str else "unnamed"
    return (Trade(data.get("s"), data.get("T"), data.get("p"), data.get("a")),)
