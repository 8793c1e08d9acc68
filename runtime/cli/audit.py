"""`tickwire audit`: does the ledger account for every tick?"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.runtime.cli.options import Config, DataDir, Json, load_settings
from tickwire.runtime.cli.problems import FAILED, USAGE, CommandFailed
from tickwire.runtime.cli.tables import show_table

if TYPE_CHECKING:
    from tickwire.market.ledger import Account
    from tickwire.runtime.audit import Audit
    from tickwire.runtime.stores.ledger import Hole

FIGURES = ("received", "parsed", "rejected", "duplicates", "stored", "quarantined", "pending", "lost")

Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From this UTC time on, such as 2026-01-31T08:00.")
]
Asset = Annotated[str | None, typer.Option("--asset", metavar="A", help="This asset alone.")]


def audit(
    since: Since = None, asset: Asset = None, data_dir: DataDir = None, config: Config = None, as_json: Json = False
) -> None:
    """Print what became of every tick, and the holes on record; exit code 1 if the account is not balanced.

    Reads the data directory, beside a running relay too.
    """
    settings = load_settings({"data_dir": data_dir}, config).settings
    from tickwire.runtime.audit import AuditError
    from tickwire.runtime.audit import audit as run

    try:
        found = run(settings.data_dir, since=_second(since), asset=asset)
    except AuditError as error:
        raise CommandFailed(str(error)) from error
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        _show(found)
    if not found.balanced:
        raise typer.Exit(FAILED)


def _second(since: str | None) -> int:
    if since is None:
        return 0
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise CommandFailed(f"--since {since}: write a UTC time such as 2026-01-31T08:00", USAGE) from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _show(found: "Audit") -> None:
    show_table(("asset", *FIGURES), [_row(account) for account in found.accounts], right=FIGURES)
    for account in found.accounts:
        for name, reasons in (("rejected", account.reasons("rejected")), ("lost", account.reasons("lost"))):
            if reasons:
                print(f"{account.asset}: {name}: {_listed(reasons)}")
    if found.holes:
        print()
        show_table(("hole in", "from (UTC)", "to (UTC)", "because"), [_hole(hole) for hole in found.holes])
    print()
    print("\n".join(_verdict(found)))


def _row(account: "Account") -> tuple[object, ...]:
    return (
        account.asset,
        account.total("received"),
        account.total("parsed"),
        account.total("rejected"),
        account.total("duplicate"),
        account.total("stored"),
        account.total("quarantined"),
        account.pending,
        account.total("lost"),
    )


def _hole(hole: "Hole") -> tuple[str, str, str, str]:
    return hole.asset, _utc(hole.from_us), _utc(hole.to_us) if hole.to_us is not None else "open", hole.reason


def _utc(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _listed(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _verdict(found: "Audit") -> list[str]:
    """`balanced`, or where it is not and by how much."""
    lines = []
    if found.unreadable_entries:
        lines.append(f"not balanced: {found.unreadable_entries} entries of the spool can't be read")
    for account in found.accounts:
        if account.unexplained_at_parse:
            lines.append(f"not balanced: {account.asset}: {account.unexplained_at_parse} received without a fate")
        if account.unexplained_after:
            lines.append(f"not balanced: {account.asset}: {account.unexplained_after} parsed ticks unaccounted for")
    return lines or ["balanced"]
