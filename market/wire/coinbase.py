"""Coinbase's `matches` channel, as recorded in April 2021 (`COINBASE.ws.*`).

    {"type":"match","trade_id":280232,"price":"0.00001305","product_id":"SKL-BTC","time":"2021-04-17T16:43:37.089723Z",…}

`last_match` is the same: the newest trade before the subscription.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tickwire.market.wire.trades import Trade

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trades(message: Any) -> Sequence[Trade] | str:
    """A `trades.Reader`."""
    kind = message.get("type") if type(message) is dict else None
    if kind not in ("match", "last_match"):
        return kind if type(kind) is str else "unnamed"
    stamp = _seconds(message.get("time"))
    return (Trade(message.get("product_id"), stamp, message.get("price"), message.get("trade_id")),)


def _seconds(time: Any) -> Any:
    """ISO 8601 with its zone as decimal seconds since 1970; anything else as it is, to be refused."""
    try:
        since = datetime.fromisoformat(time) - _EPOCH
    except (TypeError, ValueError):  # no text, no time, or no zone
        return time
    return f"{since.days * 86_400 + since.seconds}.{since.microseconds:06}"
