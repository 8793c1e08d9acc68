"""How the relay is, in the words of each reader: `/readyz`, `/health` and `/api/v1/status`. Pure."""

from collections.abc import Sequence
from typing import Any

from tickwire.messages.clients import StateAnswered
from tickwire.messages.lifecycle import LinkChanged

HEARD = ("live", "stale", "ended")
GOOD = ("live", "ended")


def readiness(state: StateAnswered) -> dict[str, Any]:
    """`/readyz`: ready when every feed is live or ended, and Redis and the store are up for everyone."""
    feeds = {
        change.feed: {"state": change.state, "detail": change.detail, "stale_assets": list(change.stale_assets)}
        for change in state.feeds
    }
    redis, store = _link(state.links, "redis"), _link(state.links, "store")
    heard = bool(feeds) and all(change.state in GOOD for change in state.feeds)
    return {
        "ready": heard and redis["state"] == "up" and store["state"] == "up",
        "feeds": feeds,
        "redis": redis,
        "store": store,
    }


def _link(links: Sequence[LinkChanged], kind: str) -> dict[str, Any]:
    """The worst of all actors' connections of a kind, with whose they are."""
    mine = [change for change in links if change.link == kind]
    bad = [change for change in mine if change.state != "up"]
    if not mine:
        return {"state": "connecting", "detail": "", "owners": {}}
    return {
        "state": bad[0].state if bad else "up",
        "detail": bad[0].detail if bad else "",
        "owners": {change.owner: change.state for change in mine},
    }


def health_status(state: StateAnswered) -> str:
    """`/health`: healthy, degraded (ticks are relayed, something is not as it should be) or unhealthy (no feed)."""
    if readiness(state)["ready"]:
        return "healthy"
    return "degraded" if any(change.state in HEARD for change in state.feeds) else "unhealthy"


def system(state: StateAnswered) -> dict[str, Any]:
    """`system` of `/api/v1/status`, as QuFLX reads it."""
    feeds = [change.state for change in state.feeds]
    return {
        "collector": "running" if any(feed in HEARD for feed in feeds) else "stopped",
        "stream": "live" if "live" in feeds else ("stale" if "stale" in feeds else (feeds[0] if feeds else "down")),
        "last_tick_ts": None if state.last_ts_us is None else state.last_ts_us / 1e6,
        "last_tick_asset": state.last_asset,
    }
