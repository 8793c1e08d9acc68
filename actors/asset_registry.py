"""The hash of known assets in Redis, as one feed fills it: asset → JSON {feed, source, name, kind, …}."""

from collections.abc import Iterable

import orjson
import structlog

from tickwire.actors.ports import FeedProfile, PortError, RegistryRedis
from tickwire.market.wire import AssetInfo

_log = structlog.get_logger("tickwire.asset_registry")

MAX_ASSETS = 20_000
"""More than any venue has: beyond it a feed is inventing them."""


class AssetRegistry:
    """TickIngestor's, in its thread. What Redis did not take is kept and written when the link is up."""

    def __init__(self, redis: RegistryRedis, profile: FeedProfile) -> None:
        self.redis = redis
        self._profile = profile
        self._known: dict[str, bytes] = {}
        self._unwritten: dict[str, bytes] = {}

    def saw(self, assets: Iterable[str]) -> None:
        """Ticks of these assets came."""
        for asset in assets:
            if asset not in self._known:
                self._note(asset, {"feed": self._profile.name, "source": self._profile.source})

    def listed(self, assets: Iterable[AssetInfo]) -> None:
        """The broker says that it has these."""
        for info in assets:
            about = {
                "feed": self._profile.name,
                "source": self._profile.source,
                "name": info.name,
                "kind": info.kind,
                "otc": info.is_otc,
                "open": info.is_open,
            }
            self._note(info.symbol, about)

    def _note(self, asset: str, about: dict[str, object]) -> None:
        if len(self._known) >= MAX_ASSETS and asset not in self._known:
            return
        value = bytes(memoryview(orjson.dumps(about)))  # kept, and orjson's own result holds 4 KiB
        if self._known.get(asset) != value:
            self._known[asset] = value
            self._unwritten[asset] = value

    def write(self) -> None:
        """Bring Redis up to date, if it can be reached."""
        if not self._unwritten or not self.redis.link.up:
            return
        try:
            self.redis.register(self._unwritten)
        except PortError as error:
            _log.warning("assets_not_registered", error=str(error))
            return
        self._unwritten = {}

    def rewrite(self) -> None:
        """The link is up again, perhaps to an empty server."""
        self._unwritten = dict(self._known)
        self.write()
