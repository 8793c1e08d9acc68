"""The handshake of /ws: which requests become a connection, and until when it may stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from websockets.exceptions import NegotiationError
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tickwire.runtime.gateway.admission import Policy
from tickwire.runtime.gateway.tokens import BadToken, bearer

PATH = "/ws"
PROTOCOL = Subprotocol("tickwire.v1.json")


class Protocol(ServerProtocol):
    """websockets' protocol without I/O, with our rules."""

    def __init__(self, message_bytes: int) -> None:
        super().__init__(subprotocols=[PROTOCOL], max_size=message_bytes)

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """Ours, also where none is offered; a client that wants another is refused."""
        if not subprotocols:
            return None
        if PROTOCOL not in subprotocols:
            raise NegotiationError(f"the sub-protocol here is {PROTOCOL}")
        return PROTOCOL

    def fail(self, code: int, reason: str = "") -> None:
        """Too big a message is refused like any other against the rules."""
        super().fail(CloseCode.POLICY_VIOLATION if code == CloseCode.MESSAGE_TOO_BIG else code, reason)


@dataclass(frozen=True, slots=True)
class Verdict:
    """On a request; `status` 0 lets it go on."""

    status: int = 0
    text: str = ""
    until: float = float("inf")
    """When its token ends, in seconds UTC."""


def judge(request: Request, policy: Policy) -> Verdict:
    """Whether a request may become a connection. Browsers can't set headers here: their token is in the query."""
    path, _, query = request.path.partition("?")
    if path != PATH:
        return Verdict(404, f"There is no WebSocket here; connect to {PATH}.\n")
    once = {name: request.headers.get_all(name) for name in ("Host", "Origin", "Authorization")}
    if any(len(given) > 1 for given in once.values()):
        return Verdict(400, "Host, Origin and Authorization may be given once.\n")
    host, origin, authorization = (given[0] if given else None for given in once.values())
    refused = policy.refusal(host, origin)
    if refused is not None:
        return Verdict(403, f"{refused}.\n")
    try:
        return Verdict(until=policy.until(bearer(authorization) or parse_qs(query).get("token", [None])[0]))
    except BadToken as error:
        return Verdict(401, f"{error}.\n")


def respond(protocol: Protocol, request: Request, verdict: Verdict) -> Response:
    """What the client is answered; 101 where it is let in."""
    if not verdict.status:
        return protocol.accept(request)
    response = protocol.reject(verdict.status, verdict.text)
    if verdict.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
