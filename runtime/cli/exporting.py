"""A long answer of a relay, to stdout or to a file, which is there whole or not at all."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tickwire.runtime.cli.instance import Instance
from tickwire.runtime.cli.problems import CommandFailed
from tickwire.runtime.cli.progress import progress

PER_MILLE = 1000


def show(instance: Instance, path: str, query: Mapping[str, str]) -> None:
    with instance.stream(path, **query) as pieces:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def save(instance: Instance, path: str, query: Mapping[str, str], output: Path) -> None:
    """Write the answer beside `output` and put it in its place when it is whole. Raises CommandFailed."""
    part = output.with_name(f"{output.name}.part")
    try:
        with instance.stream(path, **query) as pieces, part.open("wb") as file:
            rows = _copy(pieces, file.write, query)
        part.replace(output)
    except OSError as error:
        raise CommandFailed(
            f"--output {output}: {error.strerror or error}; name a folder that can be written"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    rows -= query["format"] == "csv"
    print(f"{rows} {query['what']} in {output}", file=sys.stderr)


def _copy(pieces: Iterable[bytes], write: Callable[[bytes], object], query: Mapping[str, str]) -> int:
    """Returns how many lines there were. The bar goes from the first row's time to now, or to `to` in seconds."""
    lines, shown, first, rest = 0, 0, None, b""
    until = query.get("to", "")
    end = float(until) if until.replace(".", "", 1).isdigit() else time.time()
    with progress(
        f"{query['what']} of {query['timeframe']}" if query["what"] == "candles" else "ticks", PER_MILLE
    ) as on:
        for piece in pieces:
            write(piece)
            lines += piece.count(b"\n")
            whole, newline, rest = (rest + piece).rpartition(b"\n")
            at = _time_of(whole.rpartition(b"\n")[2]) if newline else None
            if at is None:
                continue
            first = at if first is None else first
            done = min(PER_MILLE, int(PER_MILLE * (at - first) / max(end - first, 1.0)))
            on(max(0, done - shown))
            shown = max(shown, done)
    return lines


def _time_of(line: bytes) -> float | None:
    """A row's seconds; None of a title."""
    try:
        return float(json.loads(line)["timestamp"]) if line.startswith(b"{") else float(line.partition(b",")[0])
    except (ValueError, KeyError):
        return None
