"""The venues that tickwire speaks with. A new one is a file with its decoder, a line here, and a recording."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tickwire.market.wire import Decoder, binance, bitstamp, coinbase, kraken
from tickwire.market.wire.generic import JsonDecoder
from tickwire.market.wire.pocketoption import PocketOptionDecoder
from tickwire.market.wire.trades import Reader, TradesDecoder


class UnknownVenue(ValueError):
    """No venue has this scheme."""

    def __init__(self, scheme: str) -> None:
        super().__init__(f"no venue {scheme!r}; known are {', '.join(VENUES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderOptions:
    """What a feed's URL and secrets may say to a decoder; each venue takes what it knows."""

    recorded: bool = False
    """A replay: no session is to be opened."""
    session: str | None = field(default=None, repr=False)
    demo: bool = False
    asset_field: str | None = None
    price_field: str | None = None
    time_field: str | None = None
    id_field: str | None = None
    subscribe: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    name: str
    """What people call it."""
    source: str
    """In each tick, and an ingredient of its uid: never to be changed."""
    unique_stamps: bool
    """No two ticks of an asset have the same stamp: an exact repeat is a duplicate."""
    estimates_offset: bool
    """Its clock is off by whole quarter hours, which is found from arrival times."""
    make_decoder: Callable[[DecoderOptions], Decoder]
    """A new decoder, for one connection."""
    unit: str = "s"
    """Of its stamps: s, ms, us or ns."""


def _pocketoption(options: DecoderOptions) -> Decoder:
    return PocketOptionDecoder(options.session, demo=options.demo, recorded=options.recorded)


def _json(options: DecoderOptions) -> Decoder:
    return JsonDecoder(
        asset_field=options.asset_field,
        price_field=options.price_field,
        time_field=options.time_field,
        id_field=options.id_field,
        subscribe=None if options.recorded else options.subscribe,
    )


def _exchange(source: str, name: str, read: Reader, *, with_ids: bool = True, unit: str = "s") -> Venue:
    """An exchange whose trades are read from its public WebSocket."""

    def make(options: DecoderOptions) -> Decoder:
        return TradesDecoder(read, with_ids=with_ids, subscribe=None if options.recorded else options.subscribe)

    return Venue(name=name, source=source, unique_stamps=False, estimates_offset=False, make_decoder=make, unit=unit)


VENUES: Mapping[str, Venue] = MappingProxyType(
    {
        "pocketoption": Venue(
            name="PocketOption",
            source="pocketoption",
            unique_stamps=True,
            estimates_offset=True,
            make_decoder=_pocketoption,
        ),
        "json": Venue(
            name="JSON over WebSocket",
            source="json",
            unique_stamps=False,
            estimates_offset=False,
            make_decoder=_json,
        ),
        "coinbase": _exchange("coinbase", "Coinbase", coinbase.trades),
        "bitstamp": _exchange("bitstamp", "Bitstamp", bitstamp.trades, unit="us"),
        "binance": _exchange("binance", "Binance", binance.trades, unit="ms"),
        "kraken": _exchange("kraken", "Kraken", kraken.trades, with_ids=False),
    }
)
"""Scheme → venue; `pocketoption` is the one of `pocketoption+wss://…`."""


def venue(scheme: str) -> Venue:
    """The venue of a feed URL's scheme, with or without its transport (`json`, `json+wss`). Raises UnknownVenue."""
    found = VENUES.get(scheme.partition("+")[0])
    if found is None:
        raise UnknownVenue(scheme)
    return found
