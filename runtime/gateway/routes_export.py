"""The route that streams an asset's whole past."""

from collections.abc import AsyncGenerator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from tickwire.runtime.gateway.export import Pieces, candle_lines, candle_pieces, tick_lines, tick_pieces
from tickwire.runtime.gateway.past import EVER, Past, canonical, parse_span
from tickwire.runtime.gateway.problems import Problem
from tickwire.runtime.gateway.routes_market import From, Timeframe, To
from tickwire.runtime.gateway.services import Services

MOST_EXPORTS = 4
"""At once: each keeps the store's reader busy."""
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}

What = Annotated[Literal["candles", "ticks"], Query(description="Closed candles, or ticks as the store has them.")]
Form = Annotated[Literal["csv", "jsonl"], Query(alias="format", description="Comma separated, or a JSON a line.")]


class _Places:
    def __init__(self, most: int) -> None:
        self._free = most

    async def hold(self, pieces: Pieces) -> AsyncGenerator[bytes, None]:
        """The pieces; a place is taken from the first one to the last."""
        if self._free <= 0:
            raise Problem(503, "too_many_exports", f"{MOST_EXPORTS} exports are under way; try again when one is done")
        self._free -= 1
        try:
            async for piece in pieces:
                yield piece
        finally:
            self._free += 1
            await pieces.aclose()


def export_routes(services: Services, past: Past) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["market"])
    places = _Places(MOST_EXPORTS)

    @routes.get("/export/{asset:path}", response_class=StreamingResponse)
    async def export(
        asset: str, what: What = "candles", form: Form = "csv", timeframe: Timeframe = "1m", since: From = None,
        until: To = None,
    ) -> Response:  # fmt: skip
        """All closed candles or stored ticks of a span, oldest first, as a file. It may be as long as the store is."""
        name, span, now_us = await past.meant(asset), parse_span(since, until), services.clock.now_us()
        if what == "candles":
            canon = canonical(timeframe)
            await past.known_candles(name, canon, 1)
            lines = candle_lines(candle_pieces(past, name, canon, span, now_us), form)
        else:
            canon = what
            await past.known_ticks(name, EVER, 1)
            lines = tick_lines(name, tick_pieces(past, name, span, now_us), form)
        body = places.hold(lines)
        first = await anext(body, b"")  # what goes wrong at once is an error, not a file that breaks off
        plain = "".join(char if char.isalnum() or char in "_-." else "_" for char in name)
        headers = {"Content-Disposition": f'attachment; filename="{plain}-{canon}.{form}"'}
        return StreamingResponse(_after(first, body), headers=headers, media_type=TYPES[form])

    return routes


async def _after(first: bytes, rest: Pieces) -> Pieces:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()
