"""Flags that several commands share, and how they become settings.

Every flag arrives as text: the loader checks all settings in one place and names all that is wrong at once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.runtime.cli.problems import USAGE, CommandFailed

if TYPE_CHECKING:
    from tickwire.config.loader import Loaded

FLAGS = {
    "feeds": "--feed",
    "redis.url": "--redis",
    "store.url": "--store",
    "http.address": "--http",
    "data_dir": "--data-dir",
    "batch.interval_s": "--batch-interval",
    "assets": "--assets",
    "log_format": "--log-format",
}
"""Setting → the flag that sets it."""

Feeds = Annotated[
    list[str] | None,
    typer.Option("--feed", metavar="URL", help="Feed; may be given again. simulated:, replay:PATH, json+wss://…, …"),
]
Redis = Annotated[str | None, typer.Option("--redis", metavar="URL", help="embedded:, redis://… or rediss://…")]
Store = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="sqlite:PATH, postgresql://… or supabase+https://…")
]
Http = Annotated[str | None, typer.Option("--http", metavar="HOST:PORT", help="Listen here; port 0 picks one.")]
DataDir = Annotated[
    str | None, typer.Option("--data-dir", metavar="DIR", help="Spool, embedded Redis and default store.")
]
BatchInterval = Annotated[
    str | None, typer.Option("--batch-interval", metavar="S", help="Seconds between writes to the store.")
]
Duration = Annotated[
    float | None, typer.Option("--duration", metavar="S", help="Stop cleanly so many seconds after ready.")
]
Assets = Annotated[str | None, typer.Option("--assets", metavar="A,B", help="Take these assets alone.")]
LogFormat = Annotated[str | None, typer.Option("--log-format", metavar="text|json", help="Of the log on stderr.")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML (default ./tickwire.toml if there).")
]
Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The relay's address, where its data directory is not here.")
]


def seconds(duration: float | None) -> float:
    """`--duration`; endless where it was not given."""
    if duration is not None and not 0 < duration < float("inf"):
        raise CommandFailed(f"--duration {duration}: write seconds above 0", USAGE)
    return duration if duration is not None else float("inf")


def load_settings(
    flags: Mapping[str, str | Sequence[str] | None], config: Path | None, *, feeds_from: str = ""
) -> "Loaded":
    """Settings of this command line. `flags`: setting → text, None where the flag was not given.

    `feeds_from` names the argument that gave `feeds` where that was not --feed.
    """
    from tickwire.config.loader import ConfigError, load
    from tickwire.config.sources import Given

    origins = {path: f"flag {flag}" for path, flag in FLAGS.items()} | ({"feeds": feeds_from} if feeds_from else {})
    given = {path: Given(value=value, origin=origins[path]) for path, value in flags.items() if value is not None}
    try:
        return load(given, config=config)
    except ConfigError as error:
        raise CommandFailed(str(error), USAGE) from error
