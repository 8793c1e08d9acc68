"""What a check has found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`failed` breaks a promise of the relay's, or keeps it from running; `warning` may. Both have a remedy."""

    check: str
    state: State
    seen: str
    remedy: str = ""


def ok(check: str, seen: str) -> Finding:
    return Finding(check=check, state="ok", seen=seen)


def warning(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check=check, state="warning", seen=seen, remedy=remedy)


def failed(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check=check, state="failed", seen=seen, remedy=remedy)


def told(check: str, text: str) -> Finding:
    """`failed`, from an error of ours: what is wrong, then after the last semicolon the remedy."""
    seen, _, remedy = text.rpartition("; ")
    return failed(check, seen, remedy) if seen else failed(check, text, "see docs/operations.md")


def warned(check: str, text: str) -> Finding:
    """As `told`, where the relay keeps its promises without it."""
    found = told(check, text)
    return warning(check, found.seen, found.remedy)


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
