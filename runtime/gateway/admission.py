"""Who may talk to the gateway, and how many at once.

A page of any site that the user happens to visit can reach 127.0.0.1 too; its Origin gives it away, and a rebound DNS
name its Host. So both are held against what is known here, on every address. Where there is a secret, clients
show a token that it signed; an address that other machines reach has one, or says that it is open.
"""

import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tickwire.config.http_settings import HttpSettings, is_loopback
from tickwire.runtime.gateway.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may do. docs/http.md states them."""

    connections: int = 4096
    """Of TCP, of whatever kind."""
    connections_per_address: int = 2048
    """A proxy in front is one address."""
    clients: int = 3000
    """Of /ws and of Socket.IO together; those over it are told to try later."""
    clients_per_address: int = 1500
    handshake_s: float = 5.0
    """From connecting to a whole request's head."""
    message_bytes: int = 4 * 1024
    messages_per_s: float = 20.0
    messages_burst: float = 300.0
    channels: int = 512
    """Of one connection."""
    queue_bytes: int = 1024 * 1024
    """Most bytes that wait in the process for one client."""
    behind_bytes: int = 64 * 1024
    """A client that more waits for is slow: it gets summaries until it is down to a quarter of it."""
    slow_s: float = 10.0
    """So long may a client be slow without ever catching up."""
    silent_s: float = 60.0
    """Without any frame, pongs included, a client is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Whom settings let in, beside this machine."""

    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    tokens: Tokens | None = field(default=None, repr=False)
    """None: none is asked for."""
    open: bool = False
    """Whether that is meant so on an address that other machines reach."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """No answer holds one of these, whatever error text they got into."""


def access_of(http: HttpSettings, secrets: tuple[str, ...]) -> Access:
    """As the settings say. The name that is listened on and those of allowed pages are good for Host."""
    secret = http.token_secret
    return Access(
        origins=frozenset(http.allowed_origins),
        hosts=frozenset({http.host.lower(), *http.allowed_hosts, *map(_name_of, http.allowed_origins)}),
        tokens=Tokens(secret.get_secret_value(), http.token_audience) if secret is not None else None,
        open=http.open,
        secrets=secrets,
    )


class Policy:
    """The rules for Host, Origin and token of one listening address."""

    def __init__(self, bound_host: str, access: Access) -> None:
        self.loopback = is_loopback(bound_host)
        self._access = access

    @property
    def asks_for_tokens(self) -> bool:
        return self._access.tokens is not None

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Why a request with these headers is refused, whatever its token; None if it is not."""
        if not (self.loopback or self._access.open or self._access.tokens is not None):
            return "this address can be reached from other machines and there is no secret for tokens"
        if host is None or not self._is_mine(_name_of(f"//{host}")):
            return f"Host {host!r:.100} is not this relay; name it in http.allowed_hosts"
        if origin is None or self._is_allowed(origin):
            return None
        return f"Origin {origin!r:.100} may not use this relay; name it in http.allowed_origins"

    def _is_mine(self, name: str) -> bool:
        """Names can be rebound to this machine by whoever owns them; addresses can't."""
        return name in self._access.hosts or is_loopback(name) or (not self.loopback and _is_address(name))

    def _is_allowed(self, origin: str) -> bool:
        local = self.loopback and origin.startswith(("http://", "https://")) and is_loopback(_name_of(origin))
        return local or origin.lower() in self._access.origins

    def until(self, token: str | None) -> float:
        """Until when, in seconds UTC, a client is let in with this token. Raises BadToken."""
        return self._access.tokens.until(token) if self._access.tokens is not None else float("inf")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class Places:
    """So many at once, and so many of one address. The event loop's."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._taken: Counter[str] = Counter()
        self._total = 0

    def has_room(self, address: str) -> bool:
        return self._total < self._most and self._taken.get(address, 0) < self._most_per_address

    def take(self, address: str) -> bool:
        """Take a place; False if there is none."""
        if not self.has_room(address):
            return False
        self._total += 1
        self._taken[address] += 1
        return True

    def give_back(self, address: str) -> None:
        self._total -= 1
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]


class Allowance:
    """So many messages at once, and so many a second in the long run."""

    def __init__(self, burst: float, per_s: float, now: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = burst
        self._at = now

    def earn(self, now: float) -> None:
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now

    def spend(self) -> bool:
        """Whether one more is allowed."""
        self._left -= 1
        return self._left >= 0
