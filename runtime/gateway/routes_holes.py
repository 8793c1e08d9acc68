"""Routes about what lacks: the holes that outages and restarts have left in an asset's candles."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from tickwire.messages.candles import Hole, HolesAnswered, HolesRequested
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
            raise Problem(404, "unknown_asset", f"{name}: no tick of it has come since the start")
        found = [_hole(hole) for hole in answer.holes]
        return json_response({"asset": name, "count": len(found), "holes": found})

    return routes


def _hole(hole: Hole) -> dict[str, Any]:
    return {
        "from": hole.from_us / 1e6,
        "to": hole.until_us / 1e6,
        "seconds": (hole.until_us - hole.from_us) / 1e6,
        "from_utc": _utc(hole.from_us),
        "to_utc": _utc(hole.until_us),
        "refilled": hole.refilled,
    }


def _utc(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
