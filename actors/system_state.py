"""How the whole is, from the changes that actors report: what `system_status` says. MetricsCollector's own."""

from typing import Any, Literal

from tickwire.messages.lifecycle import FeedChanged, LinkChanged

SystemStatus = Literal["up", "degraded", "down"]


class SystemState:
    """Feeds by name, links by owner. It outlives the actor's incarnations: changes are told once."""

    def __init__(self) -> None:
        self._feeds: dict[str, FeedChanged] = {}
        self._links: dict[tuple[str, str], LinkChanged] = {}

    def feed_changed(self, change: FeedChanged) -> None:
        self._feeds[change.feed] = change

    def link_changed(self, change: LinkChanged) -> None:
        self._links[change.link, change.owner] = change

    @property
    def status(self) -> SystemStatus:
        """`down`: no feed is heard. `degraded`: one of several is not, or is stale, or Redis or the store is not up."""
        feeds = [change.state for change in self._feeds.values()]
        if not any(state in ("live", "stale", "ended") for state in feeds):
            return "down"
        all_heard = all(state in ("live", "ended") for state in feeds)
        return "up" if all_heard and all(link.state == "up" for link in self._links.values()) else "degraded"

    def details(self) -> dict[str, Any]:
        """JSON's shape: feeds, and the links by kind and owner, each with its state and why."""
        details: dict[str, Any] = {
            "feeds": {
                name: {"state": change.state, "detail": change.detail, "stale_assets": list(change.stale_assets)}
                for name, change in self._feeds.items()
            },
            "redis": {},
            "store": {},
        }
        for (link, owner), change in self._links.items():
            details[link][owner] = {"state": change.state, "detail": change.detail}
        return details
