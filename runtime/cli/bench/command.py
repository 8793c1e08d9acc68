"""`tickwire bench`: how many ticks a second, and how old they are when a subscriber has them."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.runtime.cli.options import Json
from tickwire.runtime.cli.problems import USAGE, CommandFailed
from tickwire.runtime.cli.tables import show_table

if TYPE_CHECKING:
    from tickwire.runtime.cli.bench.report import Line

TITLES = ("load", "relay", "ticks/s", "p50 ms", "p99 ms", "worst ms")


def bench(
    rates: Annotated[
        str,
        typer.Option("--rates", metavar="N,N", help="Ticks a second of the paced runs, beside the one at full speed."),
    ] = "100,1000",
    seconds: Annotated[float, typer.Option("--seconds", metavar="S", min=1, max=600, help="Of each run, about.")] = 5.0,
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", min=1, max=100, help="Of each kind; medians are shown.")
    ] = 3,
    per_frame: Annotated[int, typer.Option("--per-frame", metavar="N", min=1, max=1000, help="Ticks in a frame.")] = 1,
    as_json: Json = False,
) -> None:
    """Measure this machine: tickwire beside the plain relay it replaces, from a WebSocket to a Redis subscriber."""
    paces = _paces(rates)
    from tickwire.runtime.cli.bench.report import measure, ratio
    from tickwire.runtime.cli.bench.scenario import BenchFailed

    try:
        with _progress(2 * (1 + len(paces)) * runs) as tell:
            lines = measure(paces, per_frame=per_frame, seconds=seconds, runs=runs, tell=tell)
    except BenchFailed as error:
        raise CommandFailed(f"bench: {error}") from error
    times = ratio(lines)
    if as_json:
        print(json.dumps({"lines": [line.as_dict() for line in lines], "ratio": times}, indent=2))
        return
    show_table(TITLES, [_cells(line) for line in lines], right=TITLES[2:])
    if times is not None:
        print(f"\nAt full speed tickwire relays {times:.1f} times as many ticks a second.")


def _paces(rates: str) -> list[float]:
    try:
        paces = [float(rate) for rate in rates.split(",") if rate.strip()]
    except ValueError:
        paces = [0.0]
    if not all(0 < pace <= 1_000_000 for pace in paces):
        raise CommandFailed(
            f"--rates {rates}: write ticks a second above 0 with commas between, such as 100,1000", USAGE
        )
    return paces


def _cells(line: "Line") -> Sequence[str]:
    ages = (line.p50_ms, line.p99_ms, line.max_ms)
    return (line.what, line.relay, f"{line.per_second:,.0f}", *("" if age is None else f"{age:,.2f}" for age in ages))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """What is being measured, on stderr: a bar where somebody watches, else a line a run."""
    if not sys.stderr.isatty():
        yield lambda what: print(what, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=total)
        begun = iter(range(total))
        yield lambda what: progress.update(task, description=what, completed=next(begun))
