"""`tickwire history`: the past of an asset, from a running relay, as a table or as a file, and what lacks in it."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tickwire.runtime.cli.exporting import save, show
from tickwire.runtime.cli.instance import Instance, find_instance
from tickwire.runtime.cli.options import Config, DataDir, Json, Url
from tickwire.runtime.cli.problems import USAGE, CommandFailed
from tickwire.runtime.cli.tables import show_table

SHOWN = 20
"""Rows of a table, where no number is given."""


class Form(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


Timeframe = Annotated[str, typer.Option("--timeframe", "-t", help="15s 1m 5m 15m 30m 1h 4h 1d")]
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, help="Rows of the table, the newest ones (default 20).")
]
Since = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="From here on: 2025-09-03T02:32:54Z, or seconds UTC.")
]
Until = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before this.")]
Ticks = Annotated[bool, typer.Option("--ticks", help="Stored ticks in place of candles.")]
Holes = Annotated[bool, typer.Option("--holes", help="In place of candles: where they lack what was missed.")]
Format = Annotated[Form | None, typer.Option("--format", help="csv and jsonl give all there is from --from to --to.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there; .csv or .jsonl says the format.")
]


def history(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="In the broker's spelling, such as EURUSD_otc.")],
    timeframe: Timeframe = "1m",
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    ticks: Ticks = False,
    holes: Holes = False,
    form: Format = None,
    output: Output = None,
    url: Url = None,
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print an asset's candles or ticks, oldest first; the last candle may still be forming."""
    if holes:
        _alone({"--ticks": ticks, "--limit": limit, "--from": since, "--to": until, "--format": form, "-o": output})
    form = _form(form, output, limit, as_json)
    instance = find_instance(url, data_dir, config)
    bounds = {name: text for name, text in (("from", since), ("to", until)) if text is not None}
    name = quote(asset, safe="/")
    if form is not Form.TABLE:
        query = {"what": "ticks" if ticks else "candles", "format": form.value, "timeframe": timeframe, **bounds}
        path = f"/api/v1/export/{name}"
        show(instance, path, query) if output is None else save(instance, path, query, output)
        return
    if holes:
        rows = instance.get(f"/api/v1/holes/{name}")["holes"]
    else:
        rows = _rows(instance, name, ticks, {"limit": limit or SHOWN, **bounds}, timeframe)
    table = _show_holes if holes else _show_ticks if ticks else _show_candles
    print(json.dumps(rows, indent=2)) if as_json else table(rows)


def _alone(others: Mapping[str, object]) -> None:
    """--holes goes with no flag that chooses candles. Raises CommandFailed."""
    given = [flag for flag, value in others.items() if value]
    if given:
        raise CommandFailed(f"--holes lists all that there are; leave {' and '.join(given)} out", USAGE)


def _form(form: Form | None, output: Path | None, limit: int | None, as_json: bool) -> Form:
    """What is asked for, where flags go together. Raises CommandFailed."""
    endings = {".csv": Form.CSV, ".jsonl": Form.JSONL}
    if form is None:
        form = Form.TABLE if output is None else endings.get(output.suffix, Form.TABLE)
    if form is Form.TABLE and output is not None:
        raise CommandFailed(f"--output {output}: name it .csv or .jsonl, or give --format csv or jsonl", USAGE)
    if form is not Form.TABLE and (limit is not None or as_json):
        flag = "--limit" if limit is not None else "--json"
        raise CommandFailed(
            f"{flag} is for the table; of --format {form.value} take a part with --from and --to", USAGE
        )
    return form


def _rows(instance: Instance, name: str, ticks: bool, query: Mapping[str, str | int], timeframe: str) -> Any:
    if not ticks:
        return instance.get(f"/api/v1/history/{name}", timeframe=timeframe, **query)["candles"]
    if len(query) == 1:
        query = {**query, "from": 0}  # any bound: without one it is the buffer that answers
    return instance.get(f"/api/v1/ticks/{name}", **query)["ticks"]


def _show_candles(candles: Iterable[Mapping[str, Any]]) -> None:
    prices = ("open", "high", "low", "close")
    rows = (
        (
            _utc(candle["timestamp"]),
            *(candle[name] for name in prices),
            candle.get("ticks", ""),
            candle.get("quality", "") if candle.get("is_closed", True) else "forming",
        )
        for candle in candles
    )
    show_table(("opened (UTC)", *prices, "ticks", "quality"), rows, right=(*prices, "ticks"))


def _show_ticks(ticks: Iterable[Mapping[str, Any]]) -> None:
    rows = ((_utc(tick["timestamp"], ".%f"), tick["price"]) for tick in ticks)
    show_table(("time (UTC)", "price"), rows, right=("price",))


def _show_holes(holes: Iterable[Mapping[str, Any]]) -> None:
    rows = (
        (_utc(hole["from"]), _utc(hole["to"]), f"{hole['seconds']:.1f}", "whole" if hole["refilled"] else "lacking")
        for hole in holes
    )
    show_table(("from (UTC)", "to (UTC)", "seconds", "minutes"), rows, right=("seconds",))


def _utc(seconds: float, more: str = "") -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%d %H:%M:%S{more}")
