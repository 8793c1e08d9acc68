"""`RedisIntegration` with QuFLX v1's methods: what a host adds goes the relay's way into spool, Redis and store."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog

from tickwire.config.settings import Settings
from tickwire.market.candle_codec import BadCandles, candle_dict, offered_candles
from tickwire.market.timeframes import TIMEFRAMES, parse_timeframe
from tickwire.market.values import DAY_US, EARLIEST_US, good_asset, price_text, stamp_us
from tickwire.messages.clients import RedisInfoAnswered, RedisInfoRequested
from tickwire.messages.history import CandlesOffered, CandlesTaken, HistoryRequested, HistoryServed
from tickwire.runtime.gateway.quflx.shapes import INFO_NUMBERS
from tickwire.runtime.quflx.host import Host, QuflxError
from tickwire.runtime.quflx.listener import Callback, Listener

_log = structlog.get_logger("tickwire.quflx")

CACHED = 200
SETTLE_S = 2.0


class RedisIntegration:
    """Starts a relay in this process at its first use; `close` drains it. Methods may be called from any thread.

    Where QuFLX's returned an empty list or None for "Redis is away", these raise QuflxError, a ConnectionError.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """Without settings: those of the environment (`REDIS_HOST`, `REDIS_PORT`, …, `TICKWIRE_…`)."""
        self.host = Host(settings)
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def __enter__(self) -> "RedisIntegration":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_tick_to_buffer(self, asset: str, tick_data: Mapping[str, Any]) -> bool:
        """Whether the relay took the tick: `{price | close, timestamp}`, seconds UTC; never blocks.

        What it took it stores once, though Redis or the store is away. False: it is no tick (the log says why), or more
        wait already than memory should hold.
        """
        relay = self.host.relay
        price, stamp = tick_data.get("price", tick_data.get("close")), tick_data.get("timestamp")
        wrong = _wrong(asset, price, stamp, relay.clock.now_us())
        if wrong is not None:
            _log.warning("tick_refused", asset=repr(asset)[:60], reason=wrong)
            return False
        assert isinstance(price, float | int | str)
        assert isinstance(stamp, float | int)
        return relay.push(asset, stamp, price)

    def get_ticks_from_buffer(self, asset: str) -> list[dict[str, Any]]:
        """The last ticks, newest first, at most 1000. They stay: reading is not storing. Raises QuflxError."""
        self.host.relay.settle(within_s=SETTLE_S)
        key = self.host.relay.settings.keys.ticks(_checked(asset))
        return [orjson.loads(item) for item in self.host.in_redis(lambda client: client.lrange(key, 0, -1))]

    def get_buffer_size(self, asset: str) -> int:
        """Raises QuflxError."""
        self.host.relay.settle(within_s=SETTLE_S)
        key = self.host.relay.settings.keys.ticks(_checked(asset))
        return self.host.in_redis(lambda client: client.llen(key))

    def cache_historical_candles(self, asset: str, timeframe: str, candles: Sequence[Mapping[str, Any]]) -> bool:
        """Whether they are kept: only where the relay has none of its own of asset and timeframe. Raises QuflxError."""
        canonical = parse_timeframe(timeframe)
        try:
            offered = offered_candles([dict(candle) for candle in candles], canonical)
        except BadCandles as error:
            _log.warning("candles_refused", asset=asset, timeframe=timeframe, reason=str(error))
            return False
        taken = self.host.ask(
            "cache_manager",
            lambda to: CandlesOffered(asset=asset, timeframe=canonical, candles=offered, reply_to=to),
            CandlesTaken,
        )
        return taken.count > 0

    def get_cached_historical_candles(self, asset: str, timeframe: str) -> list[dict[str, Any]] | None:
        """The last 200 candles, oldest first, None where there are none. Raises QuflxError, UnknownTimeframe."""
        canonical = parse_timeframe(timeframe)
        served = self.host.ask(
            "cache_manager",
            lambda to: HistoryRequested(asset=asset, timeframe=canonical, limit=CACHED, reply_to=to),
            HistoryServed,
        )
        return [candle_dict(candle) for candle in served.candles] or None

    def subscribe_to_asset_updates(self, asset: str, callback: Callback) -> bool:
        """Call `callback` with each tick from now on, in a thread of its own, until `close`; whether it is heard."""
        relay = self.host.relay
        if not good_asset(asset):
            return False
        keys = relay.settings.keys
        listener = Listener(self.host.server, keys.updates(asset), keys.heartbeat, callback)
        with self._lock:
            self._listeners.append(listener)
        return listener.start()

    def clear_asset_data(self, asset: str) -> bool:
        """Delete the asset's buffer and candles from Redis; never what is stored, or accepted and not stored yet."""
        keys = self.host.relay.settings.keys
        _checked(asset)
        names = [keys.ticks(asset), *(keys.historical(asset, timeframe) for timeframe in TIMEFRAMES)]
        self.host.relay.settle(within_s=SETTLE_S)
        try:
            for name in names:  # one by one: on a cluster they are in different slots
                self.host.in_redis(lambda client, name=name: client.delete(name))  # type: ignore[misc]  # bound now
        except QuflxError as error:
            _log.warning("asset_not_cleared", asset=asset, reason=str(error))
            return False
        return True

    def get_redis_info(self) -> dict[str, Any]:
        """version, used_memory, connected_clients, total_commands_processed, keyspace_hits, keyspace_misses.

        None for what this server does not tell. Raises QuflxError.
        """
        answer = self.host.ask("metrics_collector", lambda to: RedisInfoRequested(reply_to=to), RedisInfoAnswered)
        if answer.error is not None:
            raise QuflxError(f"Redis {self.host.server.masked}: {answer.error}")
        numbers = {name: int(answer.info[name]) if name in answer.info else None for name in INFO_NUMBERS}
        return {"version": answer.info.get("redis_version"), **numbers}

    def close(self) -> bool:
        """Drain and stop; whether the store has all. What it lacks, the next start stores. Idempotent."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        return self.host.close()


def _checked(asset: str) -> str:
    """The asset, whose name goes into a key. Raises ValueError where it is none."""
    if not good_asset(asset):
        raise ValueError(f"{asset!r:.60} is no asset: 1 to 20 of A-Z a-z 0-9 # . _ / -")
    return asset


def _wrong(asset: object, price: object, stamp: object, now_us: int) -> str | None:
    """Why this is no tick, None if it is: as the relay's own checks would say, but at once."""
    if not good_asset(asset):
        return "bad asset"
    at = stamp_us(stamp, "s") if type(stamp) is not str else None
    if at is None or not EARLIEST_US < at[0] <= now_us + DAY_US:
        return f"bad timestamp {stamp!r:.40}"
    return f"bad price {price!r:.40}" if price_text(price) is None else None
