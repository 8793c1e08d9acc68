"""`tickwire status`: how a running relay does."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tickwire.runtime.cli.instance import find_instance
from tickwire.runtime.cli.options import Config, DataDir, Json, Url
from tickwire.runtime.cli.tables import show_table

PART = ("part", "state", "detail")
ASSET = ("asset", "price", "age", "rate", "buffered", "stale")
ACTOR = ("actor", "state", "restarts", "mailbox", "last error")


def status(url: Url = None, data_dir: DataDir = None, config: Config = None, as_json: Json = False) -> None:
    """Print what a running relay relays and how its actors are."""
    instance = find_instance(url, data_dir, config)
    answers = {
        "url": instance.url,
        "ready": instance.get("/readyz"),
        "store": instance.get("/api/v1/status")["store"],
        "assets": instance.get("/api/v1/assets")["assets"],
        "actors": instance.get("/api/v1/actors")["actors"],
    }
    if as_json:
        print(json.dumps(answers, indent=2))
        return
    _show(answers)


def _show(answers: dict[str, Any]) -> None:
    print(f"{answers['url']} is {'ready' if answers['ready']['ready'] else 'not ready'}")
    print()
    show_table(PART, _parts(answers["ready"], answers["store"]))
    print()
    show_table(ASSET, [_asset(row) for row in answers["assets"]], right=ASSET[1:5])
    print()
    show_table(ACTOR, [_actor(row) for row in answers["actors"]], right=ACTOR[2:4])


def _parts(ready: dict[str, Any], store: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, feed in ready["feeds"].items():
        stale = ", ".join(feed["stale_assets"])
        yield f"feed {name}", feed["state"], feed["detail"] or (f"silent: {stale}" if stale else "")
    yield "redis", ready["redis"]["state"], ready["redis"]["detail"]
    yield "store", ready["store"]["state"], "; ".join(filter(None, (ready["store"]["detail"], waiting(store))))


def waiting(store: dict[str, Any]) -> str:
    """How many rows wait for the store, and how it catches up."""
    if store["catching_up"]:
        end = "no end in sight" if store["eta_s"] is None else f"about {timedelta(seconds=round(store['eta_s']))} to go"
        return f"catching up: {store['pending']} rows left, {store['rate']:.0f}/s, {end}"
    return f"{store['pending']} rows wait" if store["pending"] else ""


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
