"""How long a question about the past takes: out of memory, out of Redis, and over HTTP under load.

    .venv/bin/python benchmarks/history.py --rate 1000 --seconds 10

prints one JSON line, milliseconds. Memory and Redis are the history desk's own time for 200 candles; HTTP is a
client's, on one kept connection, beside a feed of so many ticks a second and a store that is written to.
"""

import argparse
import gc
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tickwire.actors.candle_keys import CandleKeys
from tickwire.actors.history_desk import HistoryDesk
from tickwire.actors.history_memory import HistoryMemory
from tickwire.actors.ports import CacheRedis
from tickwire.config.urls import RedisServer, parse_redis
from tickwire.market.candle_book import CandleBook
from tickwire.market.candle_codec import encode_candles
from tickwire.market.candle_rows import CandleRow
from tickwire.market.keys import Keys
from tickwire.messages.candles import Candle
from tickwire.messages.history import HistoryLoaded, HistoryRequested, StoreQuestion
from tickwire.messages.lifecycle import LinkState
from tickwire.runtime.cli.bench.scenario import Scenario, _end, _read_line, _start_feed, _start_redis
from tickwire.runtime.clock import SystemClock
from tickwire.runtime.redisio.cache import RedisCache
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.stores.sqlite import SqliteStore

CANDLES = 200
QUESTIONS = 2000
ASSETS = 10
PAUSE_S = 0.004
"""Between two questions of the client: 200 a second or so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=1000.0, help="ticks a second of the feed, over ten assets")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    gc.disable()  # as the relay does, near enough
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-history-")))
        redis = _start_redis(stack, folder)
        figures = {
            "memory": in_memory(),
            "redis": in_redis(redis),
            "http": over_http(stack, folder, redis, options),
        }
        print(json.dumps(figures))


def minutes() -> list[Candle]:
    """Closed ones up to the present minute."""
    end = int(time.time()) // 60 * 60
    return [
        Candle(
            timestamp=end - 60 * (CANDLES - i), open=1.06548, high=1.0671, low=1.0641, close=1.0655 + i / 1e6, volume=0,
            is_closed=True, timeframe="1m", ticks=118, quality="live",
        )
        for i in range(CANDLES)
    ]  # fmt: skip


class Nobody:
    """What the desk is given and does not need here: metrics, a store's reader, Redis where there is none."""

    state: LinkState = "connecting"
    detail = ""
    up = False

    @property
    def link(self) -> "Nobody":
        return self

    def tell(self, message: object, /) -> object: ...

    def put(self, entries: Sequence[tuple[str, str, bytes]]) -> None: ...

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Sequence[bytes | None]:
        return [None] * len(keys)

    def read(self, question: StoreQuestion) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


class Answer:
    said: object = None

    def tell(self, message: object, /) -> object:
        self.said = message
        return None


def desk_of(cache: CacheRedis) -> HistoryDesk:
    book, nobody = CandleBook(CANDLES), Nobody()
    return HistoryDesk(
        book,
        CandleKeys(cache, book),
        reader=lambda _: nobody,
        clock=SystemClock(),
        metrics=nobody,
        incarnation=1,
        memory=HistoryMemory(),
    )


def timed(desk: HistoryDesk, asset: str) -> float:
    answer = Answer()
    asked = HistoryRequested(asset=asset, timeframe="1m", limit=CANDLES, reply_to=answer)
    began = time.perf_counter()
    desk.asked(asked)
    took = time.perf_counter() - began
    assert answer.said is not None, "it waits for the store"
    return took


def in_memory() -> dict[str, float]:
    desk = desk_of(Nobody())
    desk.asked(HistoryRequested(asset="A", timeframe="1m", limit=CANDLES, reply_to=Answer()))
    desk.loaded(
        HistoryLoaded(question=StoreQuestion(asset="A", timeframe="1m", limit=CANDLES), candles=minutes())
    )  # fmt: skip
    return summed([timed(desk, "A") for _ in range(10 * QUESTIONS)])


def in_redis(port: int) -> dict[str, float]:
    """Each asset's first question, which is answered by what an earlier run left."""
    address = parse_redis(f"redis://127.0.0.1:{port}/1")
    assert isinstance(address, RedisServer)
    link = RedisLink(address, "cache_manager")
    link.start()
    deadline = time.monotonic() + 10
    while not link.up and time.monotonic() < deadline:
        time.sleep(0.01)
    cache = RedisCache(link, Keys())
    payload = encode_candles(minutes())
    for number in range(QUESTIONS):
        cache.put([(f"A{number}", "1m", payload)])
    desk = desk_of(cache)
    figures = summed([timed(desk, f"A{number}") for number in range(QUESTIONS)])
    link.close()
    return figures


def over_http(stack: ExitStack, folder: Path, redis: int, options: argparse.Namespace) -> dict[str, float]:
    """Of the assets in turn, `CANDLES` one-minute candles each."""
    data = folder / "data"
    data.mkdir()
    store = SqliteStore(data / "ticks.db")
    store.open()
    store.write_candles([CandleRow(f"BENCH{i}", candle) for i in range(ASSETS) for candle in minutes()])
    store.close()
    ticks = int(options.rate * (options.seconds + 10))
    feed, feed_port = _start_feed(stack, Scenario(rate=options.rate, ticks=ticks, assets=ASSETS, announce=True))
    log = folder / "relay.log"
    relay = subprocess.Popen(
        [
            sys.executable, "-m", "tickwire.runtime.cli", "run", "--feed", f"json+ws://127.0.0.1:{feed_port}/",
            "--redis", f"redis://127.0.0.1:{redis}/0", "--data-dir", str(data), "--http", "127.0.0.1:0",
            "--batch-interval", "5",
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("wb"), text=True,
    )  # fmt: skip
    stack.callback(_end, relay)
    port = int(_read_line(relay, "tickwire", log).split("http://127.0.0.1:")[1].split()[0])
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for number in range(ASSETS):
        warm(client, f"BENCH{number}")
    assert feed.stdin is not None
    feed.stdin.write("go\n")
    feed.stdin.flush()
    took, end, number = list[float](), time.monotonic() + options.seconds, 0
    while time.monotonic() < end:
        number += 1
        began = time.perf_counter()
        body = read(client, f"BENCH{number % ASSETS}")
        took.append(time.perf_counter() - began)
        assert b'"source":"memory"' in body, body[:200]
        time.sleep(PAUSE_S)
    client.close()
    return summed(took)


def warm(client: http.client.HTTPConnection, asset: str) -> None:
    """Until memory answers whole."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            answer = ask(client, asset)
        except KeyError:
            answer = {"source": "nowhere", "count": 0}
        if answer["source"] == "memory" and not answer["stale"] and int(str(answer["count"])) == CANDLES:
            return
        time.sleep(0.1)
    raise SystemExit(f"{asset} is not served from memory")


def read(client: http.client.HTTPConnection, asset: str) -> bytes:
    client.request("GET", f"/api/v1/candles/{asset}?timeframe=1m&limit={CANDLES}")
    return client.getresponse().read()


def ask(client: http.client.HTTPConnection, asset: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(read(client, asset))
    return {name: answer[name] for name in ("source", "stale", "count")}


def summed(took: list[float]) -> dict[str, float]:
    took.sort()
    places = {"p50": len(took) // 2, "p99": len(took) * 99 // 100, "most": len(took) - 1}
    return {"questions": len(took), **{name: round(took[place] * 1e3, 3) for name, place in places.items()}}


if __name__ == "__main__":
    main()
