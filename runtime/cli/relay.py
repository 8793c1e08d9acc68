"""`tickwire run` and `tickwire replay`: the relay itself, in the foreground."""

from typing import Annotated

import typer

from tickwire.runtime.cli import options
from tickwire.runtime.cli.problems import USAGE, CommandFailed


def run(
    feed: options.Feeds = None,
    redis: options.Redis = None,
    store: options.Store = None,
    http: options.Http = None,
    data_dir: options.DataDir = None,
    batch_interval: options.BatchInterval = None,
    duration: options.Duration = None,
    assets: options.Assets = None,
    log_format: options.LogFormat = None,
    config: options.Config = None,
) -> None:
    """Relay feeds until SIGINT or SIGTERM, then drain and exit 0. Without flags: a simulated broker."""
    limit_s = options.seconds(duration)
    loaded = options.load_settings(
        {
            "feeds": feed or None,
            "redis.url": redis,
            "store.url": store,
            "http.address": http,
            "data_dir": data_dir,
            "batch.interval_s": batch_interval,
            "assets": assets,
            "log_format": log_format,
        },
        config,
    )
    from tickwire.runtime.cli.serving import serve

    raise typer.Exit(serve(loaded.settings, duration_s=limit_s, until_ended=False))


def replay(
    recordings: Annotated[
        list[str], typer.Argument(metavar="PATH[?options]…", help="Recordings; ?speed=max&delay=3 and so on.")
    ],
    redis: options.Redis = None,
    store: options.Store = None,
    http: options.Http = None,
    data_dir: options.DataDir = None,
    batch_interval: options.BatchInterval = None,
    duration: options.Duration = None,
    assets: options.Assets = None,
    log_format: options.LogFormat = None,
    config: options.Config = None,
) -> None:
    """Relay recordings as `run` relays feeds; exit 0 once they have ended and every tick is stored."""
    limit_s = options.seconds(duration)
    loaded = options.load_settings(
        {
            "feeds": [path if path.startswith("replay:") else f"replay:{path}" for path in recordings],
            "redis.url": redis,
            "store.url": store,
            "http.address": http,
            "data_dir": data_dir,
            "batch.interval_s": batch_interval,
            "assets": assets,
            "log_format": log_format,
        },
        config,
        feeds_from="argument PATH",
    )
    from tickwire.config.urls import ReplayFeed

    endless = [url for url in loaded.settings.parsed_feeds if isinstance(url, ReplayFeed) and url.loop]
    if endless:
        raise CommandFailed(f"{endless[0].path}: loop=1 never ends; use tickwire run --feed for it", USAGE)
    from tickwire.runtime.cli.serving import serve

    raise typer.Exit(serve(loaded.settings, duration_s=limit_s, until_ended=True))
