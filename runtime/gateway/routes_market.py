"""Routes about the market: assets, ticks, candles."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from tickwire.market.candle_codec import encode_candles
from tickwire.messages.clients import AssetsAnswered, AssetsRequested
from tickwire.messages.history import HistoryServed
from tickwire.runtime.gateway.past import JSON, Past, canonical, older_than, parse_span, revalidated
from tickwire.runtime.gateway.routes_system import json_response
from tickwire.runtime.gateway.services import Services, ask, expect

TICKS_MOST = 1000
CANDLES_MOST = 5000

TicksLimit = Annotated[int, Query(ge=1, le=TICKS_MOST, description="Most ticks, the newest ones.")]
CandlesLimit = Annotated[int, Query(ge=1, le=CANDLES_MOST, description="Most candles, the newest ones.")]
Timeframe = Annotated[str, Query(max_length=10, description="15s 1m 5m 15m 30m 1h 4h 1d, or whole minutes.")]
From = Annotated[str | None, Query(alias="from", max_length=40, description="From here on: seconds UTC or ISO 8601.")]
To = Annotated[str | None, Query(alias="to", max_length=40, description="Before this: seconds UTC or ISO 8601.")]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The same as If-None-Match names."}}


@dataclass(frozen=True, slots=True)
class _CandlesQuery:
    """What is asked of an asset's candles."""

    asset: str
    timeframe: str
    limit: int
    since: str | None
    until: str | None

    async def of(self, past: Past) -> tuple[HistoryServed, bytes, bytes]:
        """The answer, and in JSON its `older` and its candles. Raises Problem."""
        name, span = await past.meant(self.asset), parse_span(self.since, self.until)
        served = await past.known_candles(name, canonical(self.timeframe), self.limit, span)
        return served, older_than(served), encode_candles(served.candles)


async def _candles_query(
    asset: str, timeframe: Timeframe = "1m", limit: CandlesLimit = 200, since: From = None, until: To = None
) -> _CandlesQuery:
    """A coroutine, though it waits for nothing: FastAPI calls anything else in a thread of a pool."""
    return _CandlesQuery(asset, timeframe, limit, since, until)


CandlesAsked = Annotated[_CandlesQuery, Depends(_candles_query)]


def market_routes(services: Services, past: Past) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["market"])

    @routes.get("/assets")
    async def assets(
        announced: Annotated[bool, Query(description="Also those a feed listed that have no tick yet.")] = False,
    ) -> Response:
        """All assets with a tick, by name."""
        answer = await ask(services.gateway, "gateway", lambda to: AssetsRequested(announced=announced, reply_to=to))
        return json_response({"assets": [asdict(asset) for asset in expect(answer, AssetsAnswered).assets]})

    @routes.get("/ticks/{asset:path}", responses=NOT_MODIFIED)
    async def ticks(
        request: Request, asset: str, limit: TicksLimit = 100, since: From = None, until: To = None
    ) -> Response:
        """An asset's newest ticks, oldest first, as in its buffer; with `from` or `to` those in the store."""
        span, name = parse_span(since, until), await past.meant(asset)
        if span.bounded:
            stored = await past.known_ticks(name, span, limit)
            rows = b",".join(stored_ticks(name, stored.ticks))
            older = seconds(stored.ticks[0][0]) if stored.older else b"null"
            body = b'{"asset":"%b","count":%d,"older":%b,"ticks":[%b]}' % (
                name.encode(), len(stored.ticks), older, rows,
            )  # fmt: skip
            return revalidated(request, body, body)
        answer = await past.newest_ticks(name, limit)
        body = b'{"asset":"%b","count":%d,"ticks":[%b]}' % (
            name.encode(), len(answer.ticks), b",".join(answer.ticks),
        )  # fmt: skip
        return Response(body, media_type=JSON)

    @routes.get("/candles/{asset:path}", responses=NOT_MODIFIED)
    async def candles(request: Request, asked: CandlesAsked) -> Response:
        """An asset's candles, oldest first; the forming one, if any, is the last. `older` is the next page's `to`."""
        served, older, shown = await asked.of(past)
        stale = b"true" if served.stale else b"false"
        body = b'{"asset":"%b","timeframe":"%b","count":%d,"source":"%b","stale":%b,"older":%b,"candles":%b}' % (
            served.asset.encode(), served.timeframe.encode(), len(served.candles), served.source.encode(), stale,
            older, shown,
        )  # fmt: skip
        return revalidated(request, body, stale + older + shown)  # where they are from makes no other answer

    @routes.get("/history/{asset:path}", responses=NOT_MODIFIED)
    async def history(request: Request, asked: CandlesAsked) -> Response:
        """The same in QuFLX's shape: `data` repeats `candles`."""
        served, older, shown = await asked.of(past)
        body = b'{"ok":true,"asset":"%b","timeframe":"%b","count":%d,"older":%b,"candles":%b,"data":%b}' % (
            served.asset.encode(), served.timeframe.encode(), len(served.candles), older, shown, shown,
        )  # fmt: skip
        return revalidated(request, body, older + shown)

    return routes


def seconds(us: int) -> bytes:
    """A stamp as JSON's number."""
    return repr(us / 1e6).encode()


def stored_ticks(asset: str, ticks: Iterable[tuple[int, str]]) -> list[bytes]:
    """Each as JSON: the part of a tick that the store keeps by itself."""
    name = asset.encode()
    return [b'{"asset":"%b","price":%b,"timestamp":%b}' % (name, price.encode(), seconds(us)) for us, price in ticks]
