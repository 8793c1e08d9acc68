"""Routes about the market: assets, ticks, candles."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tickwire.market.candle_codec import encode_candles
from tickwire.market.spelling import AmbiguousAsset, UnknownAsset
from tickwire.market.timeframes import UnknownTimeframe, parse_timeframe
from tickwire.market.values import good_asset
from tickwire.messages.clients import AssetsAnswered, AssetsRequested, AssetUnknown, TicksAnswered, TicksRequested
from tickwire.messages.history import HistoryFailed, HistoryRequested, HistoryServed
from tickwire.runtime.gateway.directory import Directory
from tickwire.runtime.gateway.problems import Problem
from tickwire.runtime.gateway.routes_system import json_response
from tickwire.runtime.gateway.services import HISTORY_S, Services, ask, expect

TICKS_MOST = 1000
CANDLES_MOST = 5000

TicksLimit = Annotated[int, Query(ge=1, le=TICKS_MOST, description="Most ticks, the newest ones.")]
CandlesLimit = Annotated[int, Query(ge=1, le=CANDLES_MOST, description="Most candles, the newest ones.")]
Timeframe = Annotated[str, Query(max_length=10, description="15s 1m 5m 15m 30m 1h 4h 1d, or whole minutes.")]
JSON = "application/json"


def market_routes(services: Services, directory: Directory) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["market"])

    @routes.get("/assets")
    async def assets(
        announced: Annotated[bool, Query(description="Also those a feed listed that have no tick yet.")] = False,
    ) -> Response:
        """All assets with a tick, by name."""
        answer = await ask(services.gateway, "gateway", lambda to: AssetsRequested(announced=announced, reply_to=to))
        return json_response({"assets": [asdict(asset) for asset in expect(answer, AssetsAnswered).assets]})

    @routes.get("/ticks/{asset:path}")
    async def ticks(asset: str, limit: TicksLimit = 100) -> Response:
        """An asset's newest ticks, oldest first, as in its buffer."""
        answer = await _ticks(services, await _meant(directory, asset), limit)
        body = b'{"asset":"%b","count":%d,"ticks":[%b]}' % (
            asset.encode(),
            len(answer.ticks),
            b",".join(answer.ticks),
        )
        return Response(body, media_type=JSON)

    @routes.get("/candles/{asset:path}")
    async def candles(asset: str, timeframe: Timeframe = "1m", limit: CandlesLimit = 200) -> Response:
        """An asset's last candles, oldest first; the forming one, if any, is the last."""
        served = await _history(services, await _meant(directory, asset), timeframe, limit)
        body = b'{"asset":"%b","timeframe":"%b","count":%d,"source":"%b","candles":%b}' % (
            asset.encode(),
            served.timeframe.encode(),
            len(served.candles),
            served.source.encode(),
            encode_candles(served.candles),
        )
        return Response(body, media_type=JSON)

    @routes.get("/history/{asset:path}")
    async def history(asset: str, timeframe: Timeframe = "1m", limit: CandlesLimit = 200) -> Response:
        """The same in QuFLX's shape: `data` repeats `candles`."""
        served = await _history(services, await _meant(directory, asset), timeframe, limit)
        encoded = encode_candles(served.candles)
        body = b'{"ok":true,"asset":"%b","timeframe":"%b","count":%d,"candles":%b,"data":%b}' % (
            asset.encode(),
            served.timeframe.encode(),
            len(served.candles),
            encoded,
            encoded,
        )
        return Response(body, media_type=JSON)

    return routes


def _checked(asset: str) -> str:
    if not good_asset(asset):
        raise Problem(422, "invalid_asset", f"{asset[:40]!r} is no asset: 1 to 20 of A-Z a-z 0-9 # . _ / - (# is %23)")
    return asset


async def _meant(directory: Directory, asset: str) -> str:
    """The asset in the broker's spelling, whichever of QuFLX's was written; as written where none is known."""
    try:
        return await directory.resolve(_checked(asset))
    except UnknownAsset:
        return asset
    except AmbiguousAsset as error:
        raise Problem(422, "ambiguous_asset", str(error)) from error


async def _ticks(services: Services, asset: str, limit: int) -> TicksAnswered:
    answer = await ask(
        services.gateway,
        "gateway",
        lambda to: TicksRequested(asset=asset, limit=limit, reply_to=to),
    )
    if isinstance(answer, AssetUnknown):
        raise Problem(404, "unknown_asset", f"{asset}: no feed has announced it and no tick of it was seen")
    return expect(answer, TicksAnswered)


async def _history(services: Services, asset: str, timeframe: str, limit: int) -> HistoryServed:
    try:
        canonical = parse_timeframe(timeframe)
    except UnknownTimeframe as error:
        raise Problem(422, "invalid_timeframe", str(error)) from error
    answer = await ask(
        services.cache,
        "candle cache",
        lambda to: HistoryRequested(asset=asset, timeframe=canonical, limit=limit, reply_to=to),
        timeout_s=HISTORY_S,
    )
    if isinstance(answer, HistoryFailed):
        raise Problem(503, "history_unavailable", f"{asset} {canonical}: {answer.reason}")
    served = expect(answer, HistoryServed)
    if not served.candles:
        await _ticks(services, asset, 1)  # nothing of an asset that nobody knows is no answer but an error
    return served
