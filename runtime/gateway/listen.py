"""The listening socket. The relay owns it and lends it to each incarnation's server: the port outlives them."""

import socket
from contextlib import suppress

BACKLOG = 2048


class ListenError(Exception):
    """The address can't be listened on; the text is one line that names it and the remedy."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host:port`; port 0 picks a free one. Raises ListenError."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ListenError(
            f"--http {address}: no such host ({error.strerror}); give an address of this machine"
        ) from error
    bound = socket.socket(family, kind, protocol)
    try:
        _bind(bound, family, place)
    except OSError as error:
        bound.close()
        raise ListenError(
            f"--http {address}: {error.strerror}; end what listens there or give another address (port 0 picks one)"
        ) from error
    return bound


def _bind(bound: socket.socket, family: int, place: object) -> None:
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR would let two share a port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        with suppress(OSError):
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind(place)  # type: ignore[arg-type]  # an address as getaddrinfo gave it
    bound.listen(BACKLOG)
    bound.setblocking(False)


def url_of(bound: socket.socket) -> str:
    """The http URL of a listening socket; of one that listens everywhere, on loopback."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
