"""Prints what CacheManager takes, and its longest turns: `python benchmarks/cache_manager.py`.

Messages as TickIngestor sends them, handed to `step` every 10 ms of a clock that the benchmark moves; Redis answers at
once. A replay at `speed=max` brings stamps 0.48 s apart as fast as it can, so that buckets end all the time. Where
those of all assets end in one turn, the longest turn is one in which an hour ended.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from tickwire.actors.cache_manager import CacheManager
from tickwire.actors.history_memory import HistoryMemory
from tickwire.actors.kernel.behaviour import PutResult
from tickwire.market.candle_book import CandleBook
from tickwire.messages.ticks import TickColumns, TicksReceived
from tickwire.runtime.collector import spare_collector

START_US = 1_756_866_780_000_000
TURN_S = 0.01
clock = time.thread_time if time.get_clock_info("thread_time").resolution < 1e-6 else time.perf_counter
"""Processor time where it is fine enough: other programs don't count."""


class Nobody:
    """Stands for whatever the actor is given and speaks to."""

    name = "nobody"
    congested = False
    up = True
    incarnation = 1

    def __init__(self) -> None:
        self.link = self.me = self
        self.seconds = 1000.0
        self.timers: list[tuple[float, object]] = []

    def address(self, name: str) -> "Nobody":
        return self

    def tell(self, message: object, /, *, control: bool = False) -> PutResult:
        return PutResult.ACCEPTED

    def after(self, delay_s: float, message: object) -> "Nobody":
        self.timers.append((self.seconds + delay_s, message))
        return self

    def due(self) -> list[object]:
        due = [message for at, message in self.timers if at <= self.seconds]
        self.timers = [timer for timer in self.timers if timer[0] > self.seconds]
        return due

    def now_us(self) -> int:
        return START_US

    def monotonic(self) -> float:
        return self.seconds

    def put(self, entries: Sequence[tuple[str, str, bytes]]) -> None: ...

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Sequence[bytes | None]:
        return [None] * len(keys)

    def candles(self, asset: str, timeframe: str, limit: int) -> None: ...

    def ticks(self, asset: str, from_us: int, until_us: int) -> None: ...

    def cancel(self) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


class Feed:
    """So many ticks of each of some assets a message."""

    def __init__(self, assets: int, size: int, step_us: int) -> None:
        self._names = [f"A{number}_otc" for number in range(assets)]
        self._size, self._step_us = size, step_us
        self.sent = self._number = 0

    def message(self, among: Sequence[str] | None = None) -> TicksReceived:
        self._number += 1
        first, size = self.sent, self._size
        ts_us = [START_US + (first + i) * self._step_us for i in range(size)]
        prices = [f"1.{100_000 + (first + i) * 7919 % 900_000}" for i in range(size)]
        self.sent += size
        names = among if among is not None else self._names
        columns = [
            TickColumns(
                asset=name, epoch="e", first_seq=first + 1, offset_us=0, ts_us=ts_us, stamps=[""] * size,
                prices=prices, ordinals=[0] * size, encoded=[b""] * size,
            )
            for name in names
        ]  # fmt: skip
        return TicksReceived(
            sender="s", number=self._number, feed="f", source="pocketoption", recv_us=ts_us[-1],
            ticks=size * len(names), columns=columns,
        )  # fmt: skip


def measure(
    title: str, turn: Callable[[], list[TicksReceived]], make: Callable[[Nobody], CacheManager], turns: int = 300
) -> None:
    world = Nobody()
    actor = make(world)
    actor.open()
    times, ticks = [], 0
    for _ in range(turns):
        world.seconds += TURN_S
        batch = turn()
        messages: list[object] = [*batch, *world.due()]
        began = clock()
        actor.step(messages)
        times.append(clock() - began)
        ticks += sum(message.ticks for message in batch)
    spent = sum(times)
    times.sort()
    rate = f"{ticks / spent:>12,.0f} ticks/s" if ticks else " " * 20
    print(
        f"{title:<52} {rate}  a turn: median {times[len(times) // 2] * 1e3:7.3f} ms, "
        f"p99 {times[-len(times) // 100] * 1e3:7.3f} ms, most {times[-1] * 1e3:7.3f} ms"
    )


def make(world: Any) -> CacheManager:
    return CacheManager(
        world, cache=lambda: world, reader=lambda _: world, source=lambda: world, clock=world, candles=CandleBook(200),
        history=HistoryMemory(), ingestors={"f1": "tick_ingestor:1"},
    )  # fmt: skip


def main() -> None:
    spare_collector()
    for assets, size, messages in ((1, 1000, 1), (1, 10, 100), (200, 10, 1), (200, 1, 5)):
        feed = Feed(assets, size, 480_000)
        measure(
            f"speed=max, {assets} assets, {messages} messages of {size} each a turn",
            lambda feed=feed, messages=messages: [feed.message() for _ in range(messages)],  # type: ignore[misc]
            make,
        )
    feed = Feed(200, 1, 10_000)
    measure("live, 200 assets, a tick of each in 10 ms", lambda: [feed.message()], make)
    ending = Feed(200, 1, 15_000_000)
    measure("200 assets whose 15 s all end in each turn", lambda: [ending.message()], make)
    two_a_second = Feed(200, 1, 10_000)
    measure(
        "live, 200 assets, two ticks a second of each",
        lambda: [two_a_second.message([f"A{(two_a_second.sent * 4 + i) % 200}_otc" for i in range(4)])],
        make,
        turns=6000,
    )


if __name__ == "__main__":
    main()
