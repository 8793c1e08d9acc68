"""The garbage collector's set-up."""

import gc
from collections.abc import Iterator

import pytest

from tickwire.runtime.collector import YOUNG, spare_collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_start_up_left_is_passed_over_no_more_and_passes_are_rare() -> None:
    spare_collector()
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[0] == YOUNG


def test_cycles_made_later_are_still_freed() -> None:
    spare_collector()
    Knot()
    assert gc.collect() > 0
