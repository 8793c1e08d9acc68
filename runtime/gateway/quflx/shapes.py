"""The objects that QuFLX's browsers read, field by field. Pure.

Times are seconds UTC; `date` is the same as ISO 8601.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tickwire.market.candle_codec import candle_dict
from tickwire.messages.candles import Candle
from tickwire.messages.clients import AssetState, RedisInfoAnswered, StateAnswered

OHLCV = ("open", "high", "low", "close", "volume")
INFO_NUMBERS = (
    "used_memory",
    "connected_clients",
    "total_commands_processed",
    "keyspace_hits",
    "keyspace_misses",
)


def date_of(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def redis_update(asset: str, seq: int, timestamp: float, price: float, minute: Candle) -> dict[str, Any]:
    """A tick, with the minute that it is part of as it is now."""
    return {
        "data": {
            "asset": asset,
            "timestamp": timestamp,
            **{name: getattr(minute, name) for name in OHLCV},
            "date": date_of(timestamp),
            "price": price,
            "seq": seq,
        }
    }


def candle_update(asset: str, candle: Mapping[str, Any]) -> dict[str, Any]:
    timestamp = candle["timestamp"]
    return {
        "asset": asset,
        "timestamp": timestamp,
        **{name: candle[name] for name in OHLCV},
        "date": date_of(timestamp),
    }


def market_tick(asset: str, timestamp: float, price: float, source: str) -> dict[str, Any]:
    return {"timestamp": timestamp, "asset": asset, "price": price, "source": source}


def market_candle(asset: str, candle: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "timestamp": candle["timestamp"],
        "asset": asset,
        **{name: candle[name] for name in OHLCV},
        "timeframe": candle["timeframe"],
        "is_closed": candle["is_closed"],
    }


def candle_list(candles: Sequence[Candle]) -> list[dict[str, Any]]:
    """Oldest first, with the `date` that v1's chart reads."""
    return [{**candle_dict(candle), "date": date_of(candle.timestamp)} for candle in candles]


def redis_status(
    answer: RedisInfoAnswered, state: StateAnswered, assets: Sequence[AssetState], now: float
) -> dict[str, Any]:
    if answer.error is not None:
        return {"connected": False, "error": answer.error, "timestamp": now}
    numbers = {name: int(answer.info[name]) for name in INFO_NUMBERS if name in answer.info}
    running = any(link.link == "store" and link.state == "up" for link in state.links)
    return {
        "connected": True,
        "redis_info": {"version": answer.info.get("redis_version"), **dict.fromkeys(INFO_NUMBERS), **numbers},
        "batch_status": {
            "is_running": running,
            "active_assets": [each.asset for each in assets],
            "last_processed_times": dict(state.stored_at),
            "buffer_sizes": {each.asset: each.buffered for each in assets},
        },
        "timestamp": now,
    }


def connection_status(state: StateAnswered, now: float) -> dict[str, Any]:
    """`status`: of the socket and what feeds it; `chrome`: whether a Chrome's ticks arrive, where one is a feed."""
    chrome = [feed for feed in state.feeds if feed.feed.startswith("chrome")]
    heard = any(feed.state in ("live", "stale", "ended") for feed in state.feeds)
    seen = any(feed.state in ("live", "stale") for feed in chrome)
    return {
        "status": "connected" if heard else "disconnected",
        "chrome": "connected" if seen else ("not connected" if chrome else "not configured"),
        "timestamp": now,
    }


def system_statuses(ready: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    """One for each feed, for Redis and for the store; `ready` is the answer of /readyz."""
    feeds = {f"feed:{name}": each for name, each in ready["feeds"].items()}
    return [
        {
            "service": service,
            "status": each["state"],
            "timestamp": now,
            "details": {name: value for name, value in each.items() if name != "state"},
        }
        for service, each in {**feeds, "redis": ready["redis"], "store": ready["store"]}.items()
    ]


def backend_status(ready: Mapping[str, Any], status: str, clients: int, now: float) -> dict[str, Any]:
    """v2's `check_status`: `system_state` is the word of /health."""
    return {
        "redis_connected": ready["redis"]["state"] == "up",
        "socket_io_ready": True,
        "store_connected": ready["store"]["state"] == "up",
        "feeds": {name: each["state"] for name, each in ready["feeds"].items()},
        "clients": clients,
        "system_state": status,
        "timestamp": now,
    }
