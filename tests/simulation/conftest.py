"""`pytest tests/simulation --long` runs more seeds."""

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

SHORT, LONG = 2_000, 10_000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", default=False, help=f"simulate {LONG} seeds instead of {SHORT}")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds to simulate."""
    # Unknown where the option's file was not among those named on the command line.
    return range(1, (LONG if request.config.getoption("--long", default=False) else SHORT) + 1)


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Crashes and outages by the thousand: their log lines would cost most of the time."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[object], None]:
    """Prints figures, past pytest's capturing."""

    def say(figures: object) -> None:
        with capsys.disabled():
            print(f"\n{figures}")  # noqa: T201 - figures are to be seen

    return say
