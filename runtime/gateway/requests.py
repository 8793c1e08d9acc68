"""What clients of /ws send: checked by hand, since it comes from anywhere."""

from dataclasses import dataclass
from typing import Any

import orjson

from tickwire.market.timeframes import UnknownTimeframe, parse_timeframe
from tickwire.market.values import good_asset
from tickwire.messages.clients import Position

EPOCH_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WantsChannel:
    asset: str
    timeframe: str | None
    since: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavesAsset:
    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRequest:
    """Refused; `code` and `message` are for the client."""

    code: str
    message: str


ClientRequest = WantsChannel | LeavesAsset | BadRequest


def read_request(payload: bytes) -> ClientRequest:
    """One text message of a client."""
    try:
        message: Any = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return BadRequest(code="bad_json", message=f"not JSON: {error}")
    if type(message) is not dict:
        return BadRequest(code="bad_message", message="write a JSON object with type and asset")
    kind, asset = message.get("type"), message.get("asset")
    if kind not in ("subscribe", "unsubscribe"):
        return BadRequest(code="bad_type", message="type must be subscribe or unsubscribe")
    if not isinstance(asset, str) or not good_asset(asset):
        return BadRequest(code="bad_asset", message="asset must be 1 to 20 of A-Z a-z 0-9 # . _ / -")
    if kind == "unsubscribe":
        return LeavesAsset(asset=asset)
    return _subscribe(asset, message)


def _subscribe(asset: str, message: dict[str, Any]) -> ClientRequest:
    mode, timeframe, since = message.get("mode", "ticks"), message.get("timeframe"), message.get("since")
    if mode not in ("ticks", "candles"):
        return BadRequest(code="bad_mode", message="mode must be ticks or candles")
    if mode == "candles":
        try:
            canonical = parse_timeframe("1m" if timeframe is None else timeframe)
        except UnknownTimeframe as error:
            return BadRequest(code="bad_timeframe", message=str(error))
        return WantsChannel(asset=asset, timeframe=canonical, since=None)
    if since is None:
        return WantsChannel(asset=asset, timeframe=None, since=None)
    match since:
        case {"epoch": str(epoch), "seq": int(seq)} if len(epoch) <= EPOCH_MAX and type(seq) is int and seq >= 0:
            return WantsChannel(asset=asset, timeframe=None, since=Position(epoch=epoch, seq=seq))
        case {"epoch": None}:
            return WantsChannel(asset=asset, timeframe=None, since=None)
    return BadRequest(code="bad_since", message='since must be {"epoch": text, "seq": whole number}')
