"""QuFLX's Socket.IO events: what each does and what answers it. In the event loop.

A handler takes the session and the event's argument. A refused request is answered by `error` and by `redis_error`,
one that an outage keeps from its answer by `redis_error` alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import socketio

from tickwire.market.candle_codec import BadCandles, offered_candles
from tickwire.market.spelling import AmbiguousAsset, UnknownAsset
from tickwire.market.timeframes import UnknownTimeframe, parse_timeframe
from tickwire.market.values import good_asset
from tickwire.messages.clients import AssetsAnswered, AssetsRequested, RedisInfoAnswered, RedisInfoRequested
from tickwire.messages.history import (
    CandlesCleared,
    CandlesOffered,
    CandlesTaken,
    HistoryFailed,
    HistoryRequested,
    HistoryServed,
)
from tickwire.runtime.gateway.directory import Directory
from tickwire.runtime.gateway.health import health_status, readiness
from tickwire.runtime.gateway.quflx import shapes
from tickwire.runtime.gateway.quflx.bridge import Kind
from tickwire.runtime.gateway.quflx.refusals import Refusal
from tickwire.runtime.gateway.quflx.sessions import Session, Sessions
from tickwire.runtime.gateway.services import HISTORY_S, Services, Unanswered, ask, expect

CACHED = 200
MONITOR = "monitor"

Handler = Callable[[Session, Any], Awaitable[None]]


class Events:
    def __init__(
        self, server: socketio.AsyncServer, services: Services, sessions: Sessions, directory: Directory
    ) -> None:
        self._server = server
        self._services = services
        self._sessions = sessions
        self._directory = directory
        self._handlers: Mapping[str, Handler] = {
            "subscribe_redis_updates": self.subscribe_redis_updates,
            "unsubscribe_redis_updates": self.unsubscribe_redis_updates,
            "get_cached_historical_data": self.get_cached_historical_data,
            "cache_historical_data": self.cache_historical_data,
            "clear_cached_historical_data": self.clear_cached_historical_data,
            "get_redis_status": self.get_redis_status,
            "start_stream": self.start_stream,
            "stop_stream": self.stop_stream,
            "change_asset": self.change_asset,
            "detect_asset": self.detect_asset,
            "subscribe_asset": self.subscribe_asset,
            "unsubscribe_asset": self.unsubscribe_asset,
            "subscribe_monitor": self.subscribe_monitor,
            "unsubscribe_monitor": self.unsubscribe_monitor,
            "check_status": self.check_status,
        }

    def handler(self, event: str) -> Handler:
        """Raises Refusal."""
        if event not in self._handlers:
            raise Refusal(f"{event!r:.60} is no event that is answered here")
        return self._handlers[event]

    # -- v1: updates

    async def subscribe_redis_updates(self, session: Session, said: Any) -> None:
        name = asset_in(said)
        await self._sessions.hold(session, "updates", await self._resolve(name), name)
        await self._say(session, "redis_subscribed", {"asset": name})

    async def unsubscribe_redis_updates(self, session: Session, said: Any) -> None:
        name = asset_in(said)
        await self._release(session, "updates", name)
        await self._say(session, "redis_unsubscribed", {"asset": name})

    # -- v1: the candle cache

    async def get_cached_historical_data(self, session: Session, said: Any) -> None:
        name, timeframe = asset_in(said), timeframe_in(said)
        served = await self._history(await self._cached_name(name), parse(timeframe), CACHED)
        answer = {
            "asset": name,
            "timeframe": timeframe,
            "data": shapes.candle_list(served.candles) or None,
            "source": "redis_cache" if served.candles else "cache_miss",
        }
        await self._say(session, "cached_historical_data", answer)

    async def cache_historical_data(self, session: Session, said: Any) -> None:
        name, timeframe = asset_in(said), timeframe_in(said)
        asset, canonical = await self._cached_name(name), parse(timeframe)
        try:
            candles = offered_candles(said.get("data"), canonical)
        except BadCandles as error:
            raise Refusal(f"data of {name} {timeframe}: {error}") from error
        answer = await ask(
            self._services.cache,
            "candle cache",
            lambda to: CandlesOffered(asset=asset, timeframe=canonical, candles=candles, reply_to=to),
        )
        taken = expect(answer, CandlesTaken)
        await self._say(
            session, "historical_data_cached", {"asset": name, "timeframe": timeframe, "count": taken.count}
        )

    async def clear_cached_historical_data(self, session: Session, said: Any) -> None:
        name, timeframe = asset_in(said), timeframe_in(said)
        asset, canonical = await self._cached_name(name), parse(timeframe)
        await ask(
            self._services.cache,
            "candle cache",
            lambda to: CandlesCleared(asset=asset, timeframe=canonical, reply_to=to),
        )
        await self._say(session, "historical_data_cache_cleared", {"asset": name, "timeframe": timeframe})

    # -- v1: status and streams

    async def get_redis_status(self, session: Session, _said: Any) -> None:
        info = await self._redis_info()
        assets = expect(
            await ask(self._services.gateway, "gateway", lambda to: AssetsRequested(announced=False, reply_to=to)),
            AssetsAnswered,
        ).assets
        status = shapes.redis_status(info, await self._services.state(), assets, self._now())
        await self._say(session, "redis_status", status)

    async def _redis_info(self) -> RedisInfoAnswered:
        """A Redis that hangs holds up whoever reads from it, too."""
        try:
            answer = await ask(self._services.monitor, "metrics collector", lambda to: RedisInfoRequested(reply_to=to))
            return expect(answer, RedisInfoAnswered)
        except Unanswered as error:
            return RedisInfoAnswered(info={}, error=str(error))

    async def start_stream(self, session: Session, said: Any) -> None:
        try:
            name = asset_in(said)
            asset = await self._switch_stream(session, name)
            await self._say(session, "stream_started", {"asset": name, "timestamp": self._now()})
            await self._say_history(session, asset, name)
        except (Refusal, UnknownAsset, AmbiguousAsset, Unanswered) as error:
            await self._say(session, "stream_error", {"error": str(error), "timestamp": self._now()})
            raise

    async def stop_stream(self, session: Session, _said: Any) -> None:
        await self._sessions.release(session, [hold for hold in session.holds if hold[0] == "stream"])
        await self._say(session, "stream_stopped", {"timestamp": self._now()})

    async def change_asset(self, session: Session, said: Any) -> None:
        name = asset_in(said)
        asset = await self._resolve(name)
        if any(hold[0] == "stream" for hold in session.holds):
            await self._switch_stream(session, name)
        await self._say(session, "asset_changed", {"asset": name})
        if ("stream", asset, name) in session.holds:
            await self._say_history(session, asset, name)

    async def detect_asset(self, session: Session, _said: Any) -> None:
        """The asset on the trader's own page, where a feed sees one."""
        state = await self._services.state()
        if state.selected:
            await self._say(session, "asset_detected", {"asset": list(state.selected.values())[-1]})
        else:
            why = "no feed sees a trader's page, or no asset was chosen on it since; see chrome+ws:// in the docs"
            await self._say(session, "asset_detection_failed", {"error": why})

    async def _switch_stream(self, session: Session, name: str) -> str:
        asset = await self._resolve(name)
        await self._sessions.hold(session, "stream", asset, name)
        others = [hold for hold in session.holds if hold[0] == "stream" and hold != ("stream", asset, name)]
        await self._sessions.release(session, others)
        return asset

    async def _say_history(self, session: Session, asset: str, name: str) -> None:
        served = await self._history(asset, "1m", CACHED)
        loaded = {
            "asset": name,
            "candles": shapes.candle_list(served.candles),
            "count": len(served.candles),
            "source": served.source,
            "timestamp": self._now(),
        }
        await self._say(session, "historical_candles_loaded", loaded)

    # -- v2

    async def subscribe_asset(self, session: Session, said: Any) -> None:
        name = asset_in(said)
        await self._sessions.hold(session, "market", await self._resolve(name), name)

    async def unsubscribe_asset(self, session: Session, said: Any) -> None:
        await self._release(session, "market", asset_in(said))

    async def subscribe_monitor(self, session: Session, _said: Any) -> None:
        await self._server.enter_room(session.sid, MONITOR)
        for status in shapes.system_statuses(readiness(await self._services.state()), self._now()):
            await self._say(session, "system_status", status)

    async def unsubscribe_monitor(self, session: Session, _said: Any) -> None:
        await self._server.leave_room(session.sid, MONITOR)

    async def check_status(self, session: Session, _said: Any) -> None:
        state = await self._services.state()
        status = shapes.backend_status(readiness(state), health_status(state), len(self._sessions), self._now())
        await self._say(session, "backend_status", status)

    # --

    async def _release(self, session: Session, kind: Kind, name: str) -> None:
        """What it holds under this name, else under another name of the same asset."""
        holds = [hold for hold in session.holds if hold[0] == kind]
        same = [hold for hold in holds if hold[2] == name]
        if holds and not same:
            asset = await self._cached_name(name)
            same = [hold for hold in holds if hold[1] == asset]
        await self._sessions.release(session, same)

    async def _resolve(self, name: str) -> str:
        return await self._directory.resolve(name)

    async def _cached_name(self, name: str) -> str:
        """The cache may hold what a client offered of an asset that no feed knows."""
        try:
            return await self._resolve(name)
        except UnknownAsset:
            return name

    async def _history(self, asset: str, timeframe: str, limit: int) -> HistoryServed:
        answer = await ask(
            self._services.cache,
            "candle cache",
            lambda to: HistoryRequested(asset=asset, timeframe=timeframe, limit=limit, reply_to=to),
            timeout_s=HISTORY_S,
        )
        if isinstance(answer, HistoryFailed):
            raise Unanswered(f"{asset} {timeframe}: {answer.reason}")
        return expect(answer, HistoryServed)

    async def _say(self, session: Session, event: str, data: object) -> None:
        await self._server.emit(event, data, to=session.sid)

    def _now(self) -> float:
        return self._services.clock.now_us() / 1e6


def asset_in(said: Any) -> str:
    """The asset that a request names: the argument itself (v2) or its `asset` (v1). Raises Refusal."""
    name = said.get("asset") if type(said) is dict else said
    if not good_asset(name):
        raise Refusal(f"{name!r:.60} is no asset: 1 to 20 of A-Z a-z 0-9 # . _ / -")
    return str(name)


def timeframe_in(said: Any) -> str:
    """As the client spells it."""
    given = said.get("timeframe", "1M") if type(said) is dict else "1M"
    if type(given) not in (str, int):
        raise Refusal(f"timeframe {given!r:.60} is neither text nor whole minutes")
    return str(given)[:10]


def parse(timeframe: str) -> str:
    try:
        return parse_timeframe(timeframe)
    except UnknownTimeframe as error:
        raise Refusal(str(error)) from error
