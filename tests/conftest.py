"""What holds for the whole run: made-up examples are the same each time, and nothing is left behind."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["support.store_servers"]

# The same examples in every run, and no judgement on a busy machine's speed.
settings.register_profile(
    "steady", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

FIGURES = "figures"
ENDING_S = 10.0
"""What was told to end may take so long on a busy machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", default=False, help="simulation and faults in their long form")


@pytest.fixture
def report(
    capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> Callable[[object], None]:
    """Prints figures, past pytest's capturing, and once more at the end: what a worker process prints nobody sees."""

    def say(figures: object) -> None:
        record_property(FIGURES, str(figures))
        with capsys.disabled():
            print(f"\n{figures}")  # noqa: T201 - figures are to be seen

    return say


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [each for kind in terminalreporter.stats.values() for each in kind if isinstance(each, pytest.TestReport)]
    figures = [
        value for each in reports if each.when == "call" for key, value in each.user_properties if key == FIGURES
    ]
    if figures:
        terminalreporter.section("figures")
        for each in figures:
            terminalreporter.write_line(str(each))


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """No child process and no thread that would keep the process alive outlives the tests."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + ENDING_S
    while (left := _threads(before) + _children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"left running after the tests: {', '.join(left)}"


def _threads(before: set[threading.Thread]) -> list[str]:
    return [f"thread {each.name}" for each in threading.enumerate() if each not in before and not each.daemon]


def _children() -> list[str]:
    """Processes whose parent is this one, where the system tells."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text(errors="replace").rpartition(")")
            state, parent = fields.split()[:2]
        except (OSError, ValueError):
            continue  # it ended while we looked
        if int(parent) == os.getpid() and not _tracks_resources(stat.parent):
            found.append(f"process {name.replace('(', '')}{' (not waited for)' if state == 'Z' else ''}")
    return found


def _tracks_resources(process: Path) -> bool:
    """Multiprocessing keeps one helper of its own, which ends with us."""
    try:
        return b"multiprocessing.resource_tracker" in (process / "cmdline").read_bytes()
    except OSError:
        return True  # it ended while we looked
