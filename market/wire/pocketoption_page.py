"""What PocketOption's own page asks of the broker, as seen in the frames that it sends.

42["changeSymbol",{"asset":"EURUSD_otc","period":60}]    the chart shows it
42["subfor","GBPUSD_otc"]                                its ticks too
42["unsubfor","GBPUSD_otc"]                              no more of them
"""

from typing import Final, Literal

from tickwire.market.wire import PageAsked
from tickwire.market.wire.jsontext import read_json

WISHES: Final[dict[str, Literal["show", "add", "drop"]]] = {"changeSymbol": "show", "subfor": "add", "unsubfor": "drop"}
LONGEST_WISH = 1000
"""Bytes; what a page says at more length is no wish for an asset."""


def asked_by_page(payload: bytes) -> PageAsked | None:
    """The wish in this frame of a page; None where it is about no asset's ticks."""
    if not payload.startswith(b'42["') or len(payload) > LONGEST_WISH:
        return None
    try:
        event = read_json(payload[2:])
    except ValueError:
        return None
    if type(event) is not list or len(event) != 2:
        return None
    name, value = event
    how = WISHES.get(name) if type(name) is str else None
    if how is None:
        return None
    asset = value.get("asset") if how == "show" and type(value) is dict else value
    return PageAsked(asset, how) if type(asset) is str else None
