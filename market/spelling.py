"""Which asset a client means: QuFLX's second generation spells `EURUSDOTC` what the broker calls `EURUSD_otc`. Pure.

A spelling is never rebuilt by a rule (`#` and `-` are lost in the short ones): what a client says is compared with the
assets that are known.
"""

from collections.abc import Iterable


class UnknownAsset(ValueError):
    """No known asset is spelled like this."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:40]}: no feed has announced it and no tick of it was seen")


class AmbiguousAsset(ValueError):
    """Several known assets are, in the short spelling."""

    def __init__(self, name: str, meant: Iterable[str]) -> None:
        super().__init__(f"{name[:40]} may be {' or '.join(sorted(meant))}: write the one that is meant")


class Spellings:
    """Of a set of known assets, in the broker's spelling."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._short: dict[str, set[str]] = {}
        for asset in self._known:
            self._short.setdefault(_short(asset), set()).add(asset)

    def __contains__(self, name: str) -> bool:
        """Whether this is the broker's own spelling."""
        return name in self._known

    def resolve(self, name: str) -> str:
        """The asset in the broker's spelling. Raises UnknownAsset or AmbiguousAsset."""
        if name in self._known:
            return name
        meant = self._short.get(_short(name), set())
        if not meant:
            raise UnknownAsset(name)
        if len(meant) > 1:
            raise AmbiguousAsset(name, meant)
        return next(iter(meant))


def _short(name: str) -> str:
    return "".join(filter(str.isalnum, name)).upper()
