"""From a feed's URL to all that a TickIngestor and its app need: profile, connector, decoder, and a server of ours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tickwire.actors.ports import Clock, FeedConnector, FeedProfile
from tickwire.config.urls import ChromeFeed, FeedUrl, JsonFeed, PocketOptionFeed, PushFeed, ReplayFeed, SimulatedFeed
from tickwire.market.wire import Decoder
from tickwire.market.wire.chrome import ChromeDecoder
from tickwire.market.wire.pocketoption_page import asked_by_page
from tickwire.market.wire.registry import DecoderOptions, UnknownVenue, Venue, venue
from tickwire.runtime.feeds.chrome import ChromeConnector
from tickwire.runtime.feeds.dialler import ThreadDialler
from tickwire.runtime.feeds.recordings import FeedError, RecordingError
from tickwire.runtime.feeds.replay import ReplayServer
from tickwire.runtime.feeds.simulated import SimulatedBroker
from tickwire.runtime.feeds.websocket import CONNECT_TIMEOUT_S, WebSocketConnector

POCKETOPTION_ORIGIN = "https://pocketoption.com"
SIMULATED_SESSION = "simulated"


class FeedServer(Protocol):
    """The server behind `replay:` and `simulated:`; any thread may call it."""

    @property
    def url(self) -> str: ...

    def start(self) -> None: ...

    def ready(self) -> None: ...

    def stop(self) -> None: ...

    def drop_clients(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One inbound source. Start it before its ingestor, call `ready` when all is up, stop it after its ingestor."""

    profile: FeedProfile
    connector: FeedConnector | None
    """None where the host pushes."""
    make_decoder: Callable[[], Decoder]
    """A new one for each connection."""
    server: FeedServer | None = None
    frames_are_private: bool = False
    """They tell more than ticks, such as logins: not to be written down."""

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def dialler(self) -> ThreadDialler | None:
        """Connects off the ingestor's thread; None where the host pushes."""
        return ThreadDialler(self.connector) if self.connector is not None else None

    def start(self) -> None:
        """Start the server of ours, if there is one. Raises FeedError."""
        if self.server is not None:
            try:
                self.server.start()
            except OSError as error:
                raise FeedError(f"feed {self.name}: its server can't listen on loopback: {error.strerror}") from error

    def ready(self) -> None:
        """All is up: a replay may begin."""
        if self.server is not None:
            self.server.ready()

    def stop(self) -> None:
        """Idempotent."""
        if self.server is not None:
            self.server.stop()


def open_feed(
    url: FeedUrl, *, clock: Clock, session: str | None = None, connect_timeout_s: float = CONNECT_TIMEOUT_S
) -> Feed:
    """Make the feed of a URL; opens a recording to know its kind, connects to nothing. Raises FeedError.

    `session` is PocketOption's: its id, or the whole `42["auth",…]` text.
    """
    match url:
        case SimulatedFeed():
            return _simulated(url, clock, connect_timeout_s)
        case ReplayFeed():
            return _replay(url, clock, connect_timeout_s)
        case PocketOptionFeed():
            return _pocketoption(url, session, connect_timeout_s)
        case JsonFeed():
            return _json(url, connect_timeout_s)
        case ChromeFeed():
            return _chrome(url, connect_timeout_s)
        case PushFeed():
            profile = FeedProfile(name=url.name, source="push")
            return Feed(
                profile=profile, connector=None, make_decoder=lambda: venue("json").make_decoder(DecoderOptions())
            )


def _profile(name: str, speaks: Venue, *, source: str | None = None, assets: Sequence[str] = ()) -> FeedProfile:
    """Of a live feed that speaks as this venue does."""
    return FeedProfile(
        name=name,
        source=source or speaks.source,
        unique_stamps=speaks.unique_stamps,
        estimates_offset=speaks.estimates_offset,
        assets=assets,
    )


def _simulated(url: SimulatedFeed, clock: Clock, timeout_s: float) -> Feed:
    speaks = venue("pocketoption")
    broker = SimulatedBroker(url.assets, url.rate, clock=clock)
    return Feed(
        profile=_profile(url.name, speaks, source="simulated", assets=url.assets),  # made-up prices never pass for real
        connector=WebSocketConnector(lambda: broker.url, timeout_s=timeout_s),
        make_decoder=lambda: speaks.make_decoder(DecoderOptions(session=SIMULATED_SESSION, demo=True)),
        server=broker,
    )


def _replay(url: ReplayFeed, clock: Clock, timeout_s: float) -> Feed:
    server = ReplayServer(url, clock)
    recording = server.recording
    try:
        speaks = venue(recording.decoder)
    except UnknownVenue as error:
        raise RecordingError(f"{url.path}: nothing here reads its frames: {error}") from error
    profile = FeedProfile(
        name=url.name,
        source=url.source or recording.source,
        unit=speaks.unit,
        unique_stamps=recording.unique_stamps if url.unique is None else url.unique,
        estimates_offset=speaks.estimates_offset,
        arrivals_from_pings=recording.has_arrivals,
        reconnects_after_end=False,
    )
    return Feed(
        profile=profile,
        connector=WebSocketConnector(lambda: server.url, timeout_s=timeout_s),
        make_decoder=lambda: speaks.make_decoder(DecoderOptions(recorded=True)),
        server=server,
    )


def _pocketoption(url: PocketOptionFeed, session: str | None, timeout_s: float) -> Feed:
    if not session:
        raise FeedError(f"feed {url.name}: has no session; set TICKWIRE_POCKETOPTION_SESSION or its file")
    speaks = venue("pocketoption")
    return Feed(
        profile=_profile(url.name, speaks, assets=url.assets),
        connector=WebSocketConnector(lambda: url.websocket_url, origin=POCKETOPTION_ORIGIN, timeout_s=timeout_s),
        make_decoder=lambda: speaks.make_decoder(DecoderOptions(session=session, demo=url.demo)),
    )


def _json(url: JsonFeed, timeout_s: float) -> Feed:
    speaks = venue("json")
    profile = FeedProfile(name=url.name, source=speaks.source, unit=url.unit, unique_stamps=url.unique)
    return Feed(
        profile=profile,
        connector=WebSocketConnector(lambda: url.websocket_url, timeout_s=timeout_s),
        make_decoder=lambda: speaks.make_decoder(
            DecoderOptions(
                asset_field=url.asset_field,
                price_field=url.price_field,
                time_field=url.time_field,
                subscribe=url.subscribe,
            )
        ),
    )


def _chrome(url: ChromeFeed, timeout_s: float) -> Feed:
    speaks = venue("pocketoption")
    return Feed(
        profile=_profile(url.name, speaks),
        connector=ChromeConnector(url.host, url.port, timeout_s=timeout_s),
        frames_are_private=True,
        make_decoder=lambda: ChromeDecoder(
            lambda: speaks.make_decoder(DecoderOptions(recorded=True)), asked_by_page, match=url.match
        ),
    )
