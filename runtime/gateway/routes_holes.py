"""Routes about what lacks: the holes that outages and restarts have left in an asset's candles."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from tickwire.messages.candles import HolesAnswered, HolesRequested
from tickwire.runtime.gateway.past import Past
from tickwire.runtime.gateway.problems import Problem
from tickwire.runtime.gateway.routes_system import json_response
from tickwire.runtime.gateway.services import Services, ask, expect


def hole_routes(services: Services, past: Past) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["market"])

    @routes.get("/holes/{asset:path}")
    async def holes(asset: str) -> Response:
        """Where an asset's ticks are not known, oldest first: between the last tick before and the first one after."""
        name = await past.meant(asset)
        told = await ask(services.cache, "candle cache", lambda to: HolesRequested(asset=name, reply_to=to))
        answer = expect(told, HolesAnswered)
        if not answer.known:
            raise Problem(404, "unknown_asset", f"{name}: there are no candles of it")
        found = [_hole(begin, end) for begin, end in answer.holes]
        return json_response({"asset": name, "count": len(found), "holes": found})

    return routes


def _hole(begin_us: int, end_us: int) -> dict[str, Any]:
    return {
        "from": begin_us / 1e6,
        "to": end_us / 1e6,
        "seconds": (end_us - begin_us) / 1e6,
        "from_utc": _utc(begin_us),
        "to_utc": _utc(end_us),
    }


def _utc(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
