"""An asset's past as one long answer, oldest first: asked for in pieces, so that it is nowhere held as a whole.

A piece is a span of time. One that holds more than a piece may is halved, an empty one is followed by a longer one: so
years without a candle cost a few questions, not one for each hour.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

import orjson

from tickwire.market.moments import US
from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle
from tickwire.runtime.gateway.past import Past, Span
from tickwire.runtime.gateway.problems import Problem
from tickwire.runtime.gateway.routes_market import stored_ticks
from tickwire.runtime.gateway.services import Unanswered

PIECE = 1000
"""Candles or ticks: a millisecond of the event loop's."""
HOUR_US = 3600 * US
ATTEMPTS = 4
RETRY_S = 1.0
"""An actor that restarts, or a store that is away for a moment, does not end an answer of an hour."""

T = TypeVar("T")
Pieces = AsyncGenerator[bytes, None]


async def candle_pieces(past: Past, asset: str, timeframe: str, span: Span, now_us: int) -> AsyncGenerator[
    Sequence[Candle], None
]:  # fmt: skip
    """Closed candles that open in the span; a client's offered ones are not of the market's record."""
    length = SECONDS[timeframe] * US
    at = -(-(span.from_us or 0) // length) * length
    end = now_us if span.until_us is None else min(span.until_us, now_us)
    width = PIECE
    while at < end:
        stop = min(at + width * length, end)
        probe = stop - at > PIECE * length
        piece = Span(at, stop)
        served = await _patiently(lambda piece=piece, probe=probe: past.candles(  # type: ignore[misc]
            asset, timeframe, 1 if probe else PIECE, piece
        ))  # fmt: skip
        candles = () if served.source == "client" else served.candles
        if width > 1 and ((probe and candles) or served.older):
            width //= 2
            continue
        closed = [candle for candle in candles if candle.is_closed]
        if closed:
            yield closed
        at = stop
        width = min(2 * width, PIECE) if candles else 2 * width


async def tick_pieces(past: Past, asset: str, span: Span, now_us: int) -> AsyncGenerator[
    Sequence[tuple[int, str]], None
]:  # fmt: skip
    at, end = span.from_us or 0, now_us if span.until_us is None else span.until_us
    width = HOUR_US
    while at < end:
        stop = min(at + width, end)
        piece = Span(at, stop)
        served = await _patiently(lambda piece=piece: past.stored_ticks(asset, piece, PIECE))  # type: ignore[misc]
        if served.older and width > 1:
            width //= 2
            continue
        if served.ticks:
            yield served.ticks
        at = stop
        if len(served.ticks) < PIECE // 2:
            width *= 2


async def _patiently(question: Callable[[], Awaitable[T]]) -> T:
    for _ in range(ATTEMPTS - 1):
        try:
            return await question()
        except Unanswered:
            await asyncio.sleep(RETRY_S)
        except Problem as problem:
            if problem.status != 503:
                raise
            await asyncio.sleep(RETRY_S)
    return await question()


async def candle_lines(pieces: AsyncGenerator[Sequence[Candle], None], form: str) -> Pieces:
    if form == "csv":
        yield b"timestamp,open,high,low,close,volume,ticks,quality\n"
    async for candles in pieces:
        yield b"".join([_candle_csv(c) if form == "csv" else orjson.dumps(c) + b"\n" for c in candles])


def _candle_csv(c: Candle) -> bytes:
    return f"{c.timestamp},{c.open},{c.high},{c.low},{c.close},{c.volume},{c.ticks},{c.quality}\n".encode()


async def tick_lines(asset: str, pieces: AsyncGenerator[Sequence[tuple[int, str]], None], form: str) -> Pieces:
    if form == "csv":
        yield b"timestamp,asset,price\n"
    async for ticks in pieces:
        if form == "csv":
            yield "".join([f"{us / 1e6},{asset},{price}\n" for us, price in ticks]).encode()
        else:
            yield b"".join([line + b"\n" for line in stored_ticks(asset, ticks)])
