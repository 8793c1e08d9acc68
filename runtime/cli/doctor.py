"""`tickwire doctor`: what is wrong around a relay, and what to do about each."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.runtime.cli.options import Config, DataDir, Feeds, Json, Redis, Store, load_settings
from tickwire.runtime.cli.problems import FAILED, CommandFailed, masked
from tickwire.runtime.cli.tables import show_table

if TYPE_CHECKING:
    from tickwire.runtime.datadir import RunInfo
    from tickwire.runtime.doctor.findings import Finding


def doctor(
    feed: Feeds = None,
    redis: Redis = None,
    store: Store = None,
    data_dir: DataDir = None,
    reach_feeds: Annotated[bool, typer.Option("--feeds", help="Connect to the feeds' hosts, too.")] = False,
    watch: Annotated[
        float, typer.Option("--watch", metavar="S", min=0, max=3600, help="Watch ticks:* for so many seconds.")
    ] = 2.0,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Check Redis, store, data directory and machine, with a remedy for each finding. Exit code 1 if any has failed.

    With the settings and flags of `run`, beside a running relay or before the first one. It changes nothing.
    """
    given: dict[str, str | list[str] | None] = {
        "feeds": feed or None, "redis.url": redis, "store.url": store, "data_dir": data_dir,
    }  # fmt: skip
    settings = load_settings(given, config).settings
    from tickwire.runtime.datadir import find_run
    from tickwire.runtime.doctor.examination import Patient, examine

    run = find_run(settings.data_dir)
    patient = Patient(settings=settings, run=run, rate=_rate(run, config), feeds=reach_feeds, watch_s=watch)
    findings = []
    for finding in examine(patient):
        findings.append(_masked(finding, settings.secrets))
        _tell(finding)
    _show(findings, as_json)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(FAILED)


def _masked(finding: "Finding", secrets: tuple[str, ...]) -> "Finding":
    return replace(finding, seen=masked(finding.seen, secrets), remedy=masked(finding.remedy, secrets))


def _rate(run: "RunInfo | None", config: Path | None) -> float | None:
    """Ticks a second that a running relay takes in; None where it does not say."""
    from tickwire.runtime.cli.instance import Instance
    from tickwire.runtime.cli.token import own_token

    if run is None:
        return None
    try:
        assets = Instance(run.http, own_token(config)).get("/api/v1/assets")["assets"]
    except (CommandFailed, LookupError, TypeError):
        return None
    return float(sum(asset.get("rate") or 0 for asset in assets))


def _tell(finding: "Finding") -> None:
    """What is being looked at, while somebody waits."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{finding.check}", end="", file=sys.stderr, flush=True)


def _show(findings: "list[Finding]", as_json: bool) -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    healthy = not any(finding.state == "failed" for finding in findings)
    if as_json:
        print(json.dumps({"ok": healthy, "findings": [asdict(finding) for finding in findings]}, indent=2))
        return
    show_table(
        ("check", "state", "seen", "remedy"),
        [(finding.check, finding.state, finding.seen, finding.remedy) for finding in findings],
    )
    print()
    failed = sum(finding.state == "failed" for finding in findings)
    warned = sum(finding.state == "warning" for finding in findings)
    print(f"{len(findings)} checks, {failed} failed, {warned} {'warning' if warned == 1 else 'warnings'}")
