"""`tickwire simulate`: a broker to try a relay on."""

import time
from typing import Annotated

import typer

from tickwire.runtime.cli.problems import USAGE, CommandFailed
from tickwire.runtime.cli.signals import stop_on_signals

POLL_S = 0.1


def simulate(
    assets: Annotated[str, typer.Option("--assets", metavar="A,B", help="What it quotes.")] = "EURUSD_otc,GBPUSD_otc",
    rate: Annotated[str, typer.Option("--rate", metavar="N", help="Ticks a second of each asset.")] = "2",
    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Port 0 picks one.")] = "127.0.0.1:0",
) -> None:
    """Serve made-up prices in PocketOption's frames until Ctrl-C; prints the WebSocket's URL as one line."""
    from urllib.parse import quote

    from tickwire.config.settings import split_address
    from tickwire.config.urls import SimulatedFeed, UrlError, parse_feed
    from tickwire.runtime.clock import SystemClock
    from tickwire.runtime.feeds.simulated import SimulatedBroker

    try:
        feed = parse_feed(f"simulated:?assets={quote(assets)}&rate={quote(rate)}")
        host, port = split_address(listen)
    except UrlError as error:
        raise CommandFailed(str(error), USAGE) from error
    except ValueError as error:
        raise CommandFailed(f"--listen {listen}: {error}", USAGE) from error
    assert isinstance(feed, SimulatedFeed)
    broker = SimulatedBroker(feed.assets, feed.rate, clock=SystemClock(), host=host, port=port)
    with stop_on_signals() as stop:
        try:
            broker.start()
        except OSError as error:
            raise CommandFailed(
                f"--listen {listen}: {error.strerror or error}; name another, or port 0 to have one picked"
            ) from error
        print(broker.url, flush=True)
        while not stop:
            time.sleep(POLL_S)
        broker.stop()
    raise typer.Exit(stop.exit_code)
