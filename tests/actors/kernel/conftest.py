"""The kernel's log events, for tests to look at; nothing is printed."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

Logs = list[Any]


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    with structlog.testing.capture_logs() as events:
        yield events
