"""The list of commands."""

import typer

from tickwire.runtime.cli.audit import audit
from tickwire.runtime.cli.backup import backup, restore
from tickwire.runtime.cli.bench.command import bench
from tickwire.runtime.cli.config import check_config, show_config
from tickwire.runtime.cli.doctor import doctor
from tickwire.runtime.cli.history import history
from tickwire.runtime.cli.import_files import import_files
from tickwire.runtime.cli.migrate import migrate
from tickwire.runtime.cli.quarantine import drop_quarantined, list_quarantined, retry_quarantined, show_quarantined
from tickwire.runtime.cli.record import record
from tickwire.runtime.cli.relay import replay, run
from tickwire.runtime.cli.simulate import simulate
from tickwire.runtime.cli.status import status
from tickwire.runtime.cli.token import token
from tickwire.runtime.cli.version import version


def application() -> typer.Typer:
    """A new command is a module of its own and a line here."""
    root = typer.Typer(
        help="Relay market ticks: a broker's WebSocket to Redis, browsers and a database.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.command("run")(run)
    root.command("replay")(replay)
    root.command("simulate")(simulate)
    root.command("record")(record)
    root.command("migrate")(migrate)
    root.command("import")(import_files)
    root.command("status")(status)
    root.command("history")(history)
    root.command("token")(token)
    root.command("audit")(audit)
    root.command("doctor")(doctor)
    root.command("backup")(backup)
    root.command("restore")(restore)
    root.command("bench")(bench)
    quarantine = typer.Typer(help="Rows that the store refused.", no_args_is_help=True)
    quarantine.command("list")(list_quarantined)
    quarantine.command("show")(show_quarantined)
    quarantine.command("retry")(retry_quarantined)
    quarantine.command("drop")(drop_quarantined)
    root.add_typer(quarantine, name="quarantine")
    config = typer.Typer(help="What the settings are, and whether they can be used.", no_args_is_help=True)
    config.command("show")(show_config)
    config.command("check")(check_config)
    root.add_typer(config, name="config")
    root.command("version")(version)
    return root
