"""The venues, by the scheme of their feed URLs. A new one is one file beside this, one line here, one recording."""

from collections.abc import Callable
from dataclasses import dataclass

from tickwire.market.wire import Decoder
from tickwire.market.wire.generic import GenericDecoder
from tickwire.market.wire.pocketoption import PocketOptionDecoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """What is the same for all connections to a venue."""

    source: str
    """Part of each tick's uid: never changes."""
    make_decoder: Callable[..., Decoder]
    """Made anew for each connection; its keywords are the feed's options."""
    unique_stamps: bool
    """Whether an exact repeat of (stamp, price) is a duplicate."""
    estimates_offset: bool
    """Whether its clock is off by whole quarter hours."""


_VENUES = {
    "json": Venue(source="json", make_decoder=GenericDecoder, unique_stamps=False, estimates_offset=False),
    "pocketoption": Venue(
        source="pocketoption", make_decoder=PocketOptionDecoder, unique_stamps=True, estimates_offset=True
    ),
}


def venue(name: str) -> Venue:
    """Raises KeyError, naming those there are."""
    try:
        return _VENUES[name]
    except KeyError:
        raise KeyError(f"no venue {name!r}; there are {', '.join(_VENUES)}") from None
