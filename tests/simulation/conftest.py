"""`pytest tests/simulation --long` runs more seeds."""

import logging
from collections.abc import Iterator

import pytest
import structlog

SHORT, LONG = 2_000, 10_000


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds to simulate."""
    return range(1, (LONG if request.config.getoption("--long") else SHORT) + 1)


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Crashes and outages by the thousand: their log lines would cost most of the time."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
