"""Which assets have fallen silent, by monotonic arrival."""


class Staleness:
    def __init__(self, *, otc_s: float = 5.0, shortest_s: float = 10.0) -> None:
        self._otc_s = otc_s
        self._shortest_s = shortest_s
        self._last: dict[str, float] = {}
        self._gap: dict[str, float] = {}

    def observe(self, asset: str, now: float, count: int) -> None:
        last = self._last.get(asset)
        if last is not None:
            gap = self._gap.get(asset, now - last)
            self._gap[asset] = gap + ((now - last) / max(1, count) - gap) / 16
        self._last[asset] = now

    def stale(self, now: float) -> tuple[str, ...]:
        return tuple(asset for asset, last in self._last.items() if now - last > self._limit(asset))

    def _limit(self, asset: str) -> float:
        if asset.endswith("_otc"):
            return self._otc_s
        return max(self._shortest_s, 20 * self._gap.get(asset, 60.0))
