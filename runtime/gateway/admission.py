"""Who may talk to the gateway, and how many at once.

On loopback: requests to a localhost name, from a localhost page or from no page at all. A page of any other site that
the user happens to visit can reach 127.0.0.1 too; its Origin gives it away, and a rebound DNS name its Host.
On any other address: pages that came from that same address.
"""

import ipaddress
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may do. docs/http.md states them."""

    connections: int = 4096
    """Of TCP, of whatever kind."""
    connections_per_address: int = 2048
    """A proxy in front is one address."""
    clients: int = 3000
    """Of /ws; those over it are told to try later."""
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


def is_loopback(host: str) -> bool:
    """Whether a host's name or address (without port and brackets) is this machine's loopback."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Policy:
    """The rules for Host and Origin of one listening address."""

    def __init__(self, bound_host: str) -> None:
        self.loopback = is_loopback(bound_host)

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Why a request with these headers is refused; None if it is not."""
        if self.loopback and (host is None or not is_loopback(_name_of(f"//{host}"))):
            return f"Host {host!r:.100} is not this machine; use localhost or 127.0.0.1"
        if origin is None:
            return None
        if self.loopback:
            good = origin.startswith(("http://", "https://")) and is_loopback(_name_of(origin))
        else:
            good = host is not None and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")
        return None if good else f"Origin {origin!r:.100} may not use this relay"


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

    def take(self, address: str) -> bool:
        """Take a place; False if there is none."""
        if self._total >= self._most or self._taken[address] >= self._most_per_address:
            return False
        self._total += 1
        self._taken[address] += 1
        return True

    def give_back(self, address: str) -> None:
        self._total -= 1
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]
