"""Which of several equal ticks is which: the ordinal, or the duplicate where the feed's stamps are unique.

The table outlives its actor's incarnations. Within a step it is only read; what the step assigned is *staged* and
taken over by `commit`, after the step's messages were put: a step that crashes and is repeated assigns the same.
"""

from collections.abc import Sequence
from operator import lt

REMEMBERED_STAMPS = 64


class _Asset:
    """The last stamps of one asset: stamp → {price text: how many}; and what this step adds."""

    __slots__ = ("counts", "newest", "staged", "staged_counts", "staged_newest")

    def __init__(self) -> None:
        self.counts: dict[int, dict[str, int]] = {}
        self.newest = 0
        self.staged: list[tuple[Sequence[int], Sequence[str]]] = []
        self.staged_newest = 0
        self.staged_counts: tuple[int, dict[tuple[int, str], int]] = (0, {})
        """How many of `staged` have been counted, and their ticks: a step looks at each but once."""

    def forget_staged(self) -> None:
        self.staged = []
        self.staged_newest = 0
        self.staged_counts = (0, {})

    def seen(self, us: int, price: str) -> int:
        at = self.counts.get(us)
        return at.get(price, 0) if at else 0

    def add(self, us: int, price: str) -> None:
        at = self.counts.get(us)
        if at is None:
            at = self.counts[us] = {}
            if len(self.counts) > REMEMBERED_STAMPS:
                del self.counts[next(iter(self.counts))]
        at[price] = at.get(price, 0) + 1


class Ordinals:
    """Ordinals of one feed's live ticks, per asset, remembered for the last 64 distinct stamps of each."""

    def __init__(self) -> None:
        self._assets: dict[str, _Asset] = {}
        self._touched: set[str] = set()

    def assign(self, asset: str, us: Sequence[int], prices: Sequence[str]) -> list[int]:
        """How many ticks of `asset` with equal (stamp, price) came before each of these."""
        state = self._assets.get(asset)
        if state is None:
            state = self._assets[asset] = _Asset()
        self._touched.add(asset)
        ascending = us[0] > max(state.newest, state.staged_newest) and (len(us) == 1 or all(map(lt, us, us[1:])))
        ordinals = [0] * len(us) if ascending else self._look_up(state, us, prices)
        state.staged.append((us, prices))
        state.staged_newest = max(state.staged_newest, us[-1] if ascending else max(us))
        return ordinals

    @staticmethod
    def _look_up(state: _Asset, us: Sequence[int], prices: Sequence[str]) -> list[int]:
        counted, staged = state.staged_counts
        for staged_us, staged_prices in state.staged[counted:]:
            for key in zip(staged_us, staged_prices, strict=True):
                staged[key] = staged.get(key, 0) + 1
        state.staged_counts = len(state.staged) + 1, staged  # these ticks are the next to be staged
        ordinals = []
        for key in zip(us, prices, strict=True):
            before = staged.get(key, 0)
            ordinals.append(before + state.seen(*key))
            staged[key] = before + 1
        return ordinals

    def commit(self) -> None:
        """Take over what was assigned since the last commit."""
        for asset in self._touched:
            state = self._assets[asset]
            for us, prices in state.staged:
                tail = slice(-REMEMBERED_STAMPS, None) if us[0] > state.newest and _ascending(us) else slice(None)
                for stamp, price in zip(us[tail], prices[tail], strict=True):
                    state.add(stamp, price)
                state.newest = max(state.newest, *us) if len(us) > 1 else max(state.newest, us[0])
            state.forget_staged()
        self._touched.clear()

    def forget_staged(self) -> None:
        """Drop what a crashed step assigned."""
        for asset in self._touched:
            self._assets[asset].forget_staged()
        self._touched.clear()


def _ascending(us: Sequence[int]) -> bool:
    return len(us) == 1 or all(map(lt, us, us[1:]))


def ordinals_of_history(us: Sequence[int], prices: Sequence[str]) -> list[int]:
    """A history message counts from 0 by itself."""
    seen: dict[tuple[int, str], int] = {}
    ordinals = []
    for key in zip(us, prices, strict=True):
        before = seen.get(key, 0)
        ordinals.append(before)
        seen[key] = before + 1
    return ordinals
