"""Bitstamp's `live_trades_*` channels, as recorded in January 2022 (`BITSTAMP.ws.*`).

{"event":"trade","channel":"live_trades_ethusd","data":{"id":216000477,"price_str":"3805.44",
 "microtimestamp":"1641343699596000",…}}
"""

from collections.abc import Sequence
from typing import Any

from tickwire.market.wire.trades import Trade

CHANNEL = "live_trades_"


def trades(message: Any) -> Sequence[Trade] | str:
    """A `trades.Reader`; stamps are microseconds."""
    event = message.get("event") if type(message) is dict else None
    if event != "trade":
        return event if type(event) is str else "unnamed"
    channel, data = message.get("channel"), message.get("data")
    values = data if type(data) is dict else {}
    asset = channel.removeprefix(CHANNEL) if type(channel) is str else None
    return (Trade(asset, values.get("microtimestamp"), values.get("price_str"), values.get("id")),)
