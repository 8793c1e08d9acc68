"""HTTP and WebSocket, for browsers and programs."""

from collections.abc import Sequence
from typing import Protocol

from tickwire.messages.clients import ToServer


class GatewayServer(Protocol):
    """HTTP and WebSocket on an event loop thread of its own. It tells the actor `messages.clients.ToGateway`.

    Its listening socket is lent to it: the port stays open over its end.
    """

    def start(self) -> None:
        """Return once it accepts."""

    def post(self, items: Sequence[ToServer], /) -> None:
        """Hand over to the loop, in this order; never blocks."""

    def probe(self) -> None:
        """Ask the loop for a LoopEchoed."""

    def stuck_at(self) -> str:
        """The stack of the loop's thread, for the log when it answers no probe."""

    def close(self) -> None:
        """Send clients away with 1001 and end, within two seconds; idempotent."""
