"""What `--feed` means. Pure: nothing is opened, looked up or read from the environment."""

import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath, PureWindowsPath
from typing import Literal
from urllib.parse import urlsplit

from tickwire.config.http_settings import is_loopback
from tickwire.config.url_parts import SECRET_OPTION, Convert, Known, UrlError, authority, options, split_url, strange
from tickwire.market.values import good_asset

DEFAULT_ASSETS = ("EURUSD_otc", "GBPUSD_otc")
DEFAULT_FEED = "simulated:?assets=EURUSD_otc,GBPUSD_otc&rate=2"
MAX_SIMULATED_RATE = 1000.0
"""Simulated stamps are whole milliseconds and unique."""
CHROME_PORT = 9222
UNITS = ("s", "ms", "us", "ns")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFeed:
    """`simulated:`: our own PocketOption-like broker; `rate` is ticks a second of each asset."""

    assets: tuple[str, ...] = DEFAULT_ASSETS
    rate: float = 2.0

    @property
    def name(self) -> str:
        return "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFeed:
    """`replay:PATH`: a recording served again."""

    path: str
    speed: float = 1.0
    """Times the recorded pace; `math.inf` is `max`."""
    loop: bool = False
    delay_s: float = 0.0
    """Between ready and the first frame."""
    asset: str | None = None
    day: date | None = None
    """The first day, where the file's times lack one."""
    unique: bool | None = None
    """Whether exact repeats are duplicates; None: as the recording's kind has it."""
    source: str | None = None
    rebase: bool = False

    @property
    def name(self) -> str:
        windows = re.match(r"[A-Za-z]:|.*\\", self.path) is not None
        return f"replay:{(PureWindowsPath if windows else PurePath)(self.path).name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PocketOptionFeed:
    """`pocketoption+wss://HOST/…`: the broker itself."""

    websocket_url: str
    assets: tuple[str, ...] = ()
    demo: bool = False

    @property
    def name(self) -> str:
        return f"pocketoption:{urlsplit(self.websocket_url).hostname}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFeed:
    """`json+wss://…`: ticks as JSON; field names are None where the usual ones are looked for."""

    websocket_url: str
    unit: Literal["s", "ms", "us", "ns"] = "s"
    asset_field: str | None = None
    price_field: str | None = None
    time_field: str | None = None
    subscribe: str | None = None
    """Sent as a text frame on connect."""
    unique: bool = False

    @property
    def name(self) -> str:
        return f"json:{urlsplit(self.websocket_url).hostname}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFeed:
    """`push:`: the host pushes ticks of its own."""

    @property
    def name(self) -> str:
        return "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChromeFeed:
    """`chrome+ws://HOST:PORT`: the pages of a Chrome that was started with --remote-debugging-port=PORT."""

    host: str
    port: int
    match: tuple[str, ...] = ()
    """A page's WebSocket counts if its URL holds one of these; none: if it speaks of the market."""

    @property
    def name(self) -> str:
        return f"chrome:{self.host}:{self.port}"


FeedUrl = SimulatedFeed | ReplayFeed | PocketOptionFeed | JsonFeed | ChromeFeed | PushFeed


def parse_feed(url: str) -> FeedUrl:
    """What a `--feed` means. Raises UrlError."""
    scheme, path, query = split_url(url)
    if scheme in ("json+ws", "json+wss", "pocketoption+ws", "pocketoption+wss"):
        return _remote_feed(scheme, path, query)
    if scheme == "chrome+ws":
        return _chrome_feed(scheme, path, query)
    if scheme == "replay":
        values = options(scheme, query, _REPLAY)
        if not path:
            raise UrlError("replay: names no file; write replay:PATH")
        return ReplayFeed(path=path, **values)
    if scheme in ("simulated", "push"):
        if path:
            raise UrlError(
                f"{scheme}:{path}: nothing comes between {scheme}: and its options; write {scheme}:?name=value"
            )
        if scheme == "push":
            options(scheme, query, {})
            return PushFeed()
        return SimulatedFeed(**options(scheme, query, _SIMULATED))
    known = (
        "simulated:, replay:PATH, pocketoption+wss://, pocketoption+ws://, json+wss://, json+ws://, chrome+ws://, push:"
    )
    raise UrlError(f"feed: {strange(scheme, url)}; known are {known} (a file is replay:PATH)")


def parse_replay(text: str) -> ReplayFeed:
    """`PATH[?options]`, with `replay:` implied, as `tickwire replay` takes it. Raises UrlError."""
    feed = parse_feed(text if text.startswith("replay:") else f"replay:{text}")
    assert isinstance(feed, ReplayFeed)
    return feed


def _remote_feed(scheme: str, path: str, query: str) -> FeedUrl:
    kind, _, transport = scheme.partition("+")
    remedy = (
        "give the session in TICKWIRE_POCKETOPTION_SESSION or a file"
        if kind == "pocketoption"
        else "tickwire takes secrets from the environment or a file only, and json feeds have none"
    )
    parts = authority("feed", scheme, path)
    secret = SECRET_OPTION.search(f"{path}&{query}")
    if secret is not None or parts.username is not None:
        what = f"{secret[1].lstrip('?&')}=***" if secret is not None else "user:password@"
        raise UrlError(f"feed {scheme}: {what} is a secret and never belongs in a URL; {remedy}")
    address = f"{transport}:{path}"
    if kind == "json":
        return JsonFeed(websocket_url=address, **options(scheme, query, _JSON))
    values = options(scheme, query, _POCKETOPTION)
    if parts.path in ("", "/"):
        address = f"{transport}://{parts.netloc}/socket.io/"
    if "?" not in address:
        address += "?EIO=4&transport=websocket"
    return PocketOptionFeed(websocket_url=address, **{k: v for k, v in values.items() if k in ("assets", "demo")})


def _chrome_feed(scheme: str, path: str, query: str) -> ChromeFeed:
    parts = authority("feed", scheme, path)
    host = parts.hostname or ""
    if parts.path not in ("", "/") or parts.username is not None:
        raise UrlError(f"feed {scheme}:{path}: write chrome+ws://HOST:PORT, nothing more before the options")
    values = options(scheme, query, _CHROME)
    if not values.pop("remote", False) and not is_loopback(host):
        raise UrlError(
            f"feed {scheme}: {host} is another machine, and whoever reaches a DevTools port owns that browser; forward "
            f"the port to 127.0.0.1 (ssh -L), or say that it is meant so with remote=1"
        )
    return ChromeFeed(host=host, port=parts.port or CHROME_PORT, **values)


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("write 1 or 0")
    return text == "1"


def _number(text: str) -> float:
    if not re.fullmatch(r"[0-9]{0,9}\.?[0-9]{0,9}", text) or not any(map(str.isdigit, text)):
        raise ValueError("write a plain number such as 2 or 0.5")
    return float(text)


def _speed(text: str) -> float:
    value = math.inf if text == "max" else _number(text)
    if value <= 0:
        raise ValueError("write a factor above 0, or max")
    return value


def _rate(text: str) -> float:
    value = _number(text)
    if not 0 < value <= MAX_SIMULATED_RATE:
        raise ValueError(f"write ticks a second above 0, at most {MAX_SIMULATED_RATE:g}")
    return value


def _asset(text: str) -> str:
    if not good_asset(text):
        raise ValueError("an asset is 1 to 20 of A-Z a-z 0-9 # . _ / -")
    return text


def _assets(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_asset(part.strip()) for part in text.split(",")))


def _matches(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise ValueError("write a part of the WebSocket's address, several with commas between")
    return parts


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("write a day as YYYY-MM-DD") from error


def _one_of(*words: str) -> Convert:
    def convert(text: str) -> str:
        if text not in words:
            raise ValueError(f"write {' or '.join(words)}")
        return text

    return convert


def _source(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", text):
        raise ValueError("a source is 1 to 32 of a-z 0-9 _ -")
    return text


def _text(text: str) -> str:
    if not text:
        raise ValueError("write something after the =")
    return text


_SIMULATED: Known = {"assets": ("assets", _assets), "rate": ("rate", _rate)}
_REPLAY: Known = {
    "speed": ("speed", _speed),
    "loop": ("loop", _flag),
    "delay": ("delay_s", _number),
    "asset": ("asset", _asset),
    "date": ("day", _date),
    "unique": ("unique", _flag),
    "source": ("source", _source),
    "rebase": ("rebase", _flag),
}
_POCKETOPTION: Known = {
    "assets": ("assets", _assets),
    "demo": ("demo", _flag),
    # People paste the broker's address as their browser shows it.
    "EIO": ("eio", _one_of("4")),
    "transport": ("transport", _one_of("websocket")),
}
_CHROME: Known = {"match": ("match", _matches), "remote": ("remote", _flag)}
_JSON: Known = {
    "unit": ("unit", _one_of(*UNITS)),
    "asset": ("asset_field", _text),
    "price": ("price_field", _text),
    "time": ("time_field", _text),
    "subscribe": ("subscribe", _text),
    "unique": ("unique", _flag),
}
