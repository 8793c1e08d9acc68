"""`tickwire backup` and `tickwire restore`: a data directory, copied while a relay runs on it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from tickwire.runtime.cli.options import Config, DataDir, Json, load_settings
from tickwire.runtime.cli.problems import CommandFailed


def backup(
    target: Annotated[Path, typer.Argument(metavar="DEST", help="A file *.tar.gz, or a folder; made by this.")],
    without_store: Annotated[bool, typer.Option("--without-store", help="Leave ticks.db out.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Copy spool, ledger, quarantine, default store and producer of a data directory; a relay may run on it.

    Every tick accepted before is in it, unless its store is elsewhere and has it. Redis' data is not: it needs none.
    """
    settings = load_settings({"data_dir": data_dir}, config).settings
    from tickwire.runtime.backup import STORE, BackupError, back_up

    with _progress() as tell:
        try:
            made = back_up(
                settings.data_dir, target, with_store=not without_store, version=version("tickwire"), tell=tell
            )
        except BackupError as error:
            raise CommandFailed(str(error)) from error
    if as_json:
        print(json.dumps(asdict(made), indent=2))
        return
    print(f"{', '.join(made.files)} in {target}")
    if STORE not in made.files:
        print("the store is not in it: back it up by its own means, after this")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `tickwire backup` made.")],
    as_copy: Annotated[
        bool,
        typer.Option("--as-copy", help="The first instance goes on elsewhere: this one gets an outbox of its own."),
    ] = False,
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a data directory of a backup; it must be empty, or not there.

    It keeps its producer's name, as one that moves: what Redis still has of it is then stored and removed by it. Where
    the first instance goes on, give --as-copy: two must never share an outbox.
    """
    settings = load_settings({"data_dir": data_dir}, config).settings
    from tickwire.runtime.backup import BackupError
    from tickwire.runtime.backup import restore as run

    with _progress() as tell:
        try:
            made = run(source, settings.data_dir, as_copy=as_copy, tell=tell)
        except BackupError as error:
            raise CommandFailed(str(error)) from error
    if as_json:
        print(json.dumps(asdict(made), indent=2))
        return
    print(f"{settings.data_dir} is as it was at {made.made_at}")
    print("it gets a producer of its own" if as_copy else "it keeps its producer: the first instance must not go on")


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """What is at work, in a bar on stderr where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda _what, _done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)
