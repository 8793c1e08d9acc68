"""Who may talk to the gateway, and how many at once.

On loopback: requests to a localhost name, from a localhost page or from no page at all. A page of any other site that
the user happens to visit can reach 127.0.0.1 too; its Origin gives it away, and a rebound DNS name its Host.
On any other address: pages that came from that same address.
"""

import ipaddress
from collections import Counter
from urllib.parse import urlsplit

CONNECTIONS = 4096
CONNECTIONS_PER_ADDRESS = 2048
"""Of TCP; a proxy in front is one address."""
CLIENTS = 3000
CLIENTS_PER_ADDRESS = 1500
"""Of /ws; those over it are told to try later."""


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
        self._loopback = is_loopback(bound_host)

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Why a request with these headers is refused; None if it is not."""
        if self._loopback and (host is None or not is_loopback(_name_of(f"//{host}"))):
            return f"Host {host!r:.100} is not this machine; use localhost or 127.0.0.1"
        if origin is None:
            return None
        if self._loopback:
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
