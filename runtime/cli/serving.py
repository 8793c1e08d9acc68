"""One relay in the foreground: ready line, waiting, clean stop, exit code."""

import sys
import time
from contextlib import suppress

from tickwire.config.settings import Settings
from tickwire.runtime.cli.problems import GAVE_UP, CommandFailed, masked
from tickwire.runtime.cli.signals import StopRequest, stop_on_signals
from tickwire.runtime.collector import spare_collector
from tickwire.runtime.logs import configure_logs, log_uncaught
from tickwire.runtime.relay import Relay, StartError

POLL_S = 0.1
"""How soon a signal is seen."""


def serve(settings: Settings, *, duration_s: float, until_ended: bool) -> int:
    """Run a relay until a signal, `duration_s` after ready or, if `until_ended`, the recordings' end.

    Returns the exit code. Raises CommandFailed where it does not start.
    """
    configure_logs(style=settings.log_format, level=settings.log_level, secrets=settings.secrets)
    log_uncaught()
    with stop_on_signals() as stop:
        relay = Relay(settings)
        try:
            relay.start()
        except StartError as error:
            raise CommandFailed(masked(str(error), settings.secrets)) from error
        spare_collector()
        _say(f"tickwire ready {relay.http_url} redis={relay.redis_url} store={relay.store_url}")
        _wait(relay, stop, time.monotonic() + duration_s, until_ended)
        # A replay that came to its end waits for its store; a signal ends that wait too.
        relay.stop(patient=lambda: until_ended and relay.ended and not stop)
    if relay.failure is not None:
        why = masked(str(relay.failure), settings.secrets)
        raise CommandFailed(f"the supervisor gave up: {why}; the log above says why", GAVE_UP)
    return 0


def _wait(relay: Relay, stop: StopRequest, deadline: float, until_ended: bool) -> None:
    while not stop and time.monotonic() < deadline:
        done = relay.wait(POLL_S)
        if done and (relay.failure is not None or (until_ended and relay.ended)):
            return


def _say(line: str) -> None:
    with suppress(BrokenPipeError):  # nobody reads our output: no reason to stop relaying
        print(line, file=sys.stdout, flush=True)
