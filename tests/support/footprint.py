"""What a process holds: memory, file descriptors, threads (from /proc; Linux)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    rss_mb: float
    descriptors: int
    threads: int

    def __str__(self) -> str:
        return f"{self.rss_mb:.0f} MB, {self.descriptors} descriptors, {self.threads} threads"


def footprint(pid: int) -> Footprint:
    process = Path(f"/proc/{pid}")
    fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return Footprint(
        rss_mb=int(fields["VmRSS"].split()[0]) / 1024,
        descriptors=len(list((process / "fd").iterdir())),
        threads=int(fields["Threads"]),
    )


def course(samples: Sequence[Footprint]) -> str:
    """How it went: at the start, a quarter each, and the most."""
    quarters = [samples[min(len(samples) - 1, len(samples) * part // 4)] for part in range(5)]
    most = Footprint(
        max(each.rss_mb for each in samples),
        max(each.descriptors for each in samples),
        max(each.threads for each in samples),
    )
    return " → ".join(map(str, quarters)) + f"; at most {most}"
