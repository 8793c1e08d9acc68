"""How many ticks a second the decoders take, frame by frame (rows) and a read at once (columns).

    python benchmarks/decode.py [--seconds 0.5]

Each line is one venue's framing at one size of read. *rows* hands the decoder the frames one by one, as if each had
come in a read of its own; *columns* hands it the whole read. *to messages* is columns plus what follows in the same
step: checks, clock offset, ordinals, numbers, JSON. One thread, no sockets. `--assets` is how many the ticks are of.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from tickwire.market.offset import OffsetEstimator
from tickwire.market.pipeline import FeedMemory, FeedPipeline, PipelineSettings
from tickwire.market.wire import BINARY, TEXT, Decoder, Frame, LiveRows
from tickwire.market.wire.registry import VENUES, DecoderOptions

SIZES = (1, 4, 16, 64, 1000)
HEADER = b'451-["updateStream",{"_placeholder":true,"num":0}]'
NOW_S = 1_756_866_774.0
READS = 50


@dataclass(frozen=True, slots=True)
class Framing:
    name: str
    venue: str
    ticks_a_frame: int
    wrap: Callable[[bytes], list[Frame]]


FRAMINGS = (
    Framing("JSON row a frame", "json", 1, lambda payload: [(TEXT, payload[1:-1])]),
    Framing("JSON list of 1 a frame", "json", 1, lambda payload: [(TEXT, payload)]),
    Framing("JSON list of 10 a frame", "json", 10, lambda payload: [(TEXT, payload)]),
    Framing("PocketOption, 1 a pair", "pocketoption", 1, lambda payload: [(TEXT, HEADER), (BINARY, payload)]),
    Framing("PocketOption, 10 a pair", "pocketoption", 10, lambda payload: [(TEXT, HEADER), (BINARY, payload)]),
)


def groups(framing: Framing, ticks: int, assets: int, start: int = 0) -> list[list[Frame]]:
    """The frames of `ticks` ticks from the `start`th on, apart as they would come alone."""
    rows = [
        [f"ASSET{i % assets:03}_otc", NOW_S + (start + i) / 1000, round(1.06 + i % 997 / 1e5, 5)] for i in range(ticks)
    ]
    step = framing.ticks_a_frame
    return [framing.wrap(orjson.dumps(rows[at : at + step])) for at in range(0, ticks, step)]


def decoder(framing: Framing) -> Decoder:
    return VENUES[framing.venue].make_decoder(DecoderOptions(recorded=True))


def rate(act: Callable[[], None], ticks: int, seconds: float) -> float:
    """Ticks a second of the best of three runs."""
    best = 0.0
    for _ in range(3):
        done, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds / 3:
            act()
            done += ticks
        best = max(best, done / elapsed)
    return best


def by_rows(one: Decoder, apart: Sequence[Sequence[Frame]]) -> Callable[[], None]:
    def act() -> None:
        for frames in apart:
            one.receive(frames)

    return act


def by_columns(one: Decoder, frames: Sequence[Frame]) -> Callable[[], None]:
    def act() -> None:
        one.receive(frames)

    return act


def to_messages(framing: Framing, size: int, assets: int) -> Callable[[], None]:
    """Time goes on from read to read: what a feed repeats takes a slower path."""
    reads = [[frame for frames in groups(framing, size, assets, at * size) for frame in frames] for at in range(READS)]
    settings = PipelineSettings(sender="bench", feed="bench", source="bench")
    now_us = round(NOW_S * 1e6)

    def act() -> None:
        one, pipeline = decoder(framing), FeedPipeline(settings, FeedMemory(), OffsetEstimator())
        for frames in reads:
            for event in one.receive(frames):
                if isinstance(event, LiveRows):
                    pipeline.live(event, now_us, now_us)
            for asset in pipeline.numbering.to_ask():
                pipeline.grant(asset, "01J9ZZZZZZZZZZZZZZZZZZZZZZ", 1)
            pipeline.messages()
            pipeline.settle()

    return act


def measure(framing: Framing, size: int, assets: int, seconds: float) -> tuple[float, float, float]:
    apart = groups(framing, size, assets)
    whole = [frame for frames in apart for frame in frames]
    return (
        rate(by_rows(decoder(framing), apart), size, seconds),
        rate(by_columns(decoder(framing), whole), size, seconds),
        rate(to_messages(framing, size, assets), size * READS, seconds),
    )


def main() -> None:
    options = argparse.ArgumentParser(description="Ticks a second of decoding, one thread.")
    options.add_argument("--seconds", type=float, default=0.5, help="for each figure (default 0.5)")
    options.add_argument("--assets", type=int, default=5, help="default 5")
    given = options.parse_args()
    print(f"{'framing':<26}{'ticks a read':>13}{'rows/s':>12}{'columns/s':>12}{'×':>6}{'to messages/s':>15}")
    for framing in FRAMINGS:
        for size in SIZES:
            if size < framing.ticks_a_frame:
                continue
            size -= size % framing.ticks_a_frame
            rows, columns, messages = measure(framing, size, given.assets, given.seconds)
            print(
                f"{framing.name:<26}{size:>13,}{rows:>12,.0f}{columns:>12,.0f}{columns / rows:>6.1f}{messages:>15,.0f}"
            )


if __name__ == "__main__":
    main()
