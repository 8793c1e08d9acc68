"""Gateway's eye on its server's event loop: every probe is to be echoed."""

import structlog

from tickwire.actors.ports import Clock, GatewayServer

_log = structlog.get_logger("tickwire.gateway")

LOOP_HANGS_AFTER_S = 10.0


class LoopHung(Exception):
    """The server's event loop answers no probe."""


class ServerEnded(Exception):
    """The server's thread ended by itself."""


class LoopWatch:
    def __init__(self, server: GatewayServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._echoed_at = clock.monotonic()

    def echoed(self) -> None:
        self._echoed_at = self._clock.monotonic()

    def probe(self) -> None:
        """Raises LoopHung where the last echo is too long ago."""
        silence_s = self._clock.monotonic() - self._echoed_at
        if silence_s > LOOP_HANGS_AFTER_S:
            _log.error("gateway_loop_hangs", silence_s=round(silence_s, 1), stack=self._server.stuck_at())
            raise LoopHung(f"the event loop has not answered for {silence_s:.0f} s")
        self._server.probe()
