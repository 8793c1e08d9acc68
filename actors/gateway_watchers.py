"""Who watches what: clients by asset and timeframe (None: its ticks). Gateway's, in its thread."""

Channel = tuple[str, str | None]


class Watchers:
    """Clients are numbers that the server gives."""

    def __init__(self) -> None:
        self._channels: dict[Channel, set[int]] = {}
        self._clients: dict[int, set[Channel]] = {}
        self._assets: dict[str, int] = {}
        """Asset → how many of its channels somebody watches."""

    def any(self, asset: str) -> bool:
        return asset in self._assets

    def ticks(self, asset: str) -> bool:
        return (asset, None) in self._channels

    def candles(self, asset: str, timeframe: str) -> bool:
        return (asset, timeframe) in self._channels

    def add(self, client: int, asset: str, timeframe: str | None) -> None:
        channel = (asset, timeframe)
        if channel not in self._channels:
            self._channels[channel] = set()
            self._assets[asset] = self._assets.get(asset, 0) + 1
        self._channels[channel].add(client)
        self._clients.setdefault(client, set()).add(channel)

    def leave(self, client: int, asset: str | None) -> list[Channel]:
        """Take a client off an asset (None: off all); returns the channels that nobody watches any more."""
        mine = self._clients.get(client, set())
        ended = []
        for channel in [channel for channel in mine if asset is None or channel[0] == asset]:
            mine.discard(channel)
            watching = self._channels[channel]
            watching.discard(client)
            if not watching:
                del self._channels[channel]
                self._assets[channel[0]] -= 1
                if not self._assets[channel[0]]:
                    del self._assets[channel[0]]
                ended.append(channel)
        if not mine:
            self._clients.pop(client, None)
        return ended
