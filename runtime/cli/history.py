"""`tickwire history`: candles of an asset, from a running relay."""

import json
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

import typer

from tickwire.runtime.cli.instance import find_instance
from tickwire.runtime.cli.options import Config, DataDir, Json, Url
from tickwire.runtime.cli.tables import show_table


def history(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="In the broker's spelling, such as EURUSD_otc.")],
    timeframe: Annotated[str, typer.Option("--timeframe", "-t", help="15s 1m 5m 15m 30m 1h 4h 1d")] = "1m",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most candles, the newest ones.")] = 20,
    url: Url = None,
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print an asset's last candles, oldest first; the last may still be forming."""
    instance = find_instance(url, data_dir, config)
    answer = instance.get(f"/api/v1/history/{quote(asset, safe='/')}", timeframe=timeframe, limit=limit)
    if as_json:
        print(json.dumps(answer["candles"], indent=2))
        return
    prices = ("open", "high", "low", "close")
    rows = (
        (
            f"{datetime.fromtimestamp(candle['timestamp'], UTC):%Y-%m-%d %H:%M:%S}",
            *(candle[name] for name in prices),
            candle.get("ticks", ""),
            candle.get("quality", "") if candle.get("is_closed", True) else "forming",
        )
        for candle in answer["candles"]
    )
    show_table(("opened (UTC)", *prices, "ticks", "quality"), rows, right=(*prices, "ticks"))
