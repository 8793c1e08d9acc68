"""What HTTP's routes ask about the past: spellings, ranges, and a problem where an actor has no answer."""

import hashlib
from dataclasses import dataclass

from fastapi import Request, Response

from tickwire.market.moments import US, BadMoment, parse_moment
from tickwire.market.spelling import AmbiguousAsset, UnknownAsset
from tickwire.market.timeframes import UnknownTimeframe, parse_timeframe
from tickwire.market.values import good_asset
from tickwire.messages.clients import AssetUnknown, TicksAnswered, TicksRequested
from tickwire.messages.history import (
    HistoryFailed,
    HistoryRequested,
    HistoryServed,
    StoredTicksRequested,
    StoredTicksServed,
)
from tickwire.runtime.gateway.directory import Directory
from tickwire.runtime.gateway.problems import Problem
from tickwire.runtime.gateway.services import HISTORY_S, Services, ask, expect

JSON = "application/json"
REVALIDATE = "no-cache"
"""Keep it, and ask whether it is still the same."""


@dataclass(frozen=True, slots=True)
class Span:
    """From the first on, before the second, in µs UTC; None is no bound."""

    from_us: int | None = None
    until_us: int | None = None

    @property
    def bounded(self) -> bool:
        return self.from_us is not None or self.until_us is not None


EVER = Span()


def parse_span(since: str | None, until: str | None) -> Span:
    """Of the query's `from` and `to`. Raises Problem."""
    span = Span(_moment("from", since), _moment("to", until))
    if span.from_us is not None and span.until_us is not None and span.from_us >= span.until_us:
        raise Problem(422, "invalid_range", f"from={since} is not before to={until}: from is the earlier one")
    return span


def _moment(name: str, text: str | None) -> int | None:
    try:
        return None if text is None else parse_moment(text)
    except BadMoment as error:
        raise Problem(422, "invalid_range", f"{name}={error}") from error


def canonical(timeframe: str) -> str:
    try:
        return parse_timeframe(timeframe)
    except UnknownTimeframe as error:
        raise Problem(422, "invalid_timeframe", str(error)) from error


class Past:
    def __init__(self, services: Services, directory: Directory) -> None:
        self._services = services
        self._directory = directory

    async def meant(self, asset: str) -> str:
        """The asset in the broker's spelling, whichever of QuFLX's was written; as written where none is known."""
        if not good_asset(asset):
            raise Problem(
                422, "invalid_asset", f"{asset[:40]!r} is no asset: 1 to 20 of A-Z a-z 0-9 # . _ / - (# is %23)"
            )
        try:
            return await self._directory.resolve(asset)
        except UnknownAsset:
            return asset
        except AmbiguousAsset as error:
            raise Problem(422, "ambiguous_asset", str(error)) from error

    async def newest_ticks(self, asset: str, limit: int) -> TicksAnswered:
        """Of its buffer, as they stand there."""
        answer = await ask(
            self._services.gateway, "gateway", lambda to: TicksRequested(asset=asset, limit=limit, reply_to=to)
        )
        if isinstance(answer, AssetUnknown):
            raise Problem(404, "unknown_asset", f"{asset}: no feed has announced it and no tick of it was seen")
        return expect(answer, TicksAnswered)

    async def stored_ticks(self, asset: str, span: Span, limit: int) -> StoredTicksServed:
        answer = await ask(
            self._services.cache,
            "candle cache",
            lambda to: StoredTicksRequested(
                asset=asset, limit=limit, reply_to=to, from_us=span.from_us, until_us=span.until_us
            ),
            timeout_s=HISTORY_S,
        )
        if isinstance(answer, HistoryFailed):
            raise Problem(503, "history_unavailable", f"{asset}: {answer.reason}")
        return expect(answer, StoredTicksServed)

    async def candles(self, asset: str, timeframe: str, limit: int, span: Span = EVER) -> HistoryServed:
        """Those that open in the span. `timeframe` is canonical."""
        from_ts = None if span.from_us is None else -(-span.from_us // US)
        until_ts = None if span.until_us is None else -(-span.until_us // US)
        answer = await ask(
            self._services.cache,
            "candle cache",
            lambda to: HistoryRequested(
                asset=asset, timeframe=timeframe, limit=limit, reply_to=to, from_ts=from_ts, until_ts=until_ts
            ),
            timeout_s=HISTORY_S,
        )
        if isinstance(answer, HistoryFailed):
            raise Problem(503, "history_unavailable", f"{asset} {timeframe}: {answer.reason}")
        return expect(answer, HistoryServed)

    async def known_candles(self, asset: str, timeframe: str, limit: int, span: Span = EVER) -> HistoryServed:
        """As `candles`; nothing of an asset that nobody knows is no answer but an error."""
        served = await self.candles(asset, timeframe, limit, span)
        if not served.candles and not (span.bounded and (await self.candles(asset, timeframe, 1)).candles):
            await self.newest_ticks(asset, 1)
        return served

    async def known_ticks(self, asset: str, span: Span, limit: int) -> StoredTicksServed:
        """As `stored_ticks`, likewise."""
        served = await self.stored_ticks(asset, span, limit)
        if not served.ticks and not (await self.stored_ticks(asset, EVER, 1)).ticks:
            await self.newest_ticks(asset, 1)
        return served


def older_than(served: HistoryServed) -> bytes:
    """The `to` of the page before this one, null where there is none."""
    return b"%d" % served.candles[0].timestamp if served.older and served.candles else b"null"


def revalidated(request: Request, body: bytes, shown: bytes) -> Response:
    """The body with an ETag of what it shows, or 304 where the client has that."""
    tag = f'"{hashlib.blake2b(shown, digest_size=16).hexdigest()}"'
    headers = {"ETag": f"W/{tag}", "Cache-Control": REVALIDATE}
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON)
