"""`tickwire status`: how a running relay does."""

import json
import time
from typing import Any

from tickwire.runtime.cli.instance import find_instance
from tickwire.runtime.cli.options import Config, DataDir, Json, Url
from tickwire.runtime.cli.tables import show_table

ASSET = ("asset", "price", "age", "rate", "buffered", "stale")
ACTOR = ("actor", "state", "restarts", "mailbox", "last error")


def status(url: Url = None, data_dir: DataDir = None, config: Config = None, as_json: Json = False) -> None:
    """Print what a running relay relays and how its actors are."""
    instance = find_instance(url, data_dir, config)
    answers = {
        "url": instance.url,
        "ready": instance.get("/readyz"),
        "assets": instance.get("/api/v1/assets")["assets"],
        "actors": instance.get("/api/v1/actors")["actors"],
    }
    if as_json:
        print(json.dumps(answers, indent=2))
        return
    _show(answers)


def _show(answers: dict[str, Any]) -> None:
    print(answers["url"])
    print()
    show_table(("", ""), [(name, _words(value)) for name, value in answers["ready"].items()])
    print()
    show_table(ASSET, [_asset(row) for row in answers["assets"]], right=ASSET[1:5])
    print()
    show_table(ACTOR, [_actor(row) for row in answers["actors"]], right=ACTOR[2:4])


def _asset(row: dict[str, Any]) -> tuple[object, ...]:
    age_s = max(0.0, time.time() - row["timestamp"]) if row.get("timestamp") is not None else None
    return (
        row["asset"],
        row.get("price", ""),
        "" if age_s is None else f"{age_s:.1f} s",
        f"{row.get('rate') or 0:.1f}/s",
        row.get("buffered", ""),
        "stale" if row.get("stale") else "",
    )


def _actor(row: dict[str, Any]) -> tuple[object, ...]:
    return (row["id"], row["state"], row.get("restarts", 0), row.get("mailbox_depth", ""), row.get("last_error") or "")


def _words(value: Any) -> str:
    """A readiness answer's value, however deep, as words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return {True: "yes", False: "no", None: "–"}.get(value, str(value)) if not isinstance(value, str) else value
