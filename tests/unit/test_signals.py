"""What the CLI makes of SIGINT and SIGTERM."""

import signal
from collections.abc import Iterator

import pytest

from tickwire.runtime.cli.signals import stop_on_signals

pytestmark = pytest.mark.timeout(10)


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ended() -> Iterator[list[int]]:
    """Exit codes with which the process would have been ended; handlers are put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield []
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_first_signal_asks_for_a_stop(ended: list[int], clock: Clock, number: signal.Signals, code: int) -> None:
    with stop_on_signals(ended.append, clock) as stop:
        assert not stop
        signal.raise_signal(number)
        assert stop
        assert (stop.signal, stop.exit_code) == (number, code)
    assert ended == []


def test_signals_within_a_second_of_the_first_count_as_one(ended: list[int], clock: Clock) -> None:
    with stop_on_signals(ended.append, clock) as stop:
        signal.raise_signal(signal.SIGTERM)
        for _ in range(4):
            clock.seconds += 0.25
            signal.raise_signal(signal.SIGINT)
        assert stop.signal is signal.SIGTERM
    assert ended == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_later_signal_ends_at_once(ended: list[int], clock: Clock, number: signal.Signals, code: int) -> None:
    with stop_on_signals(ended.append, clock):
        signal.raise_signal(signal.SIGTERM)
        clock.seconds += 0.9
        signal.raise_signal(signal.SIGTERM)  # does not put the second off
        clock.seconds += 0.2
        signal.raise_signal(number)
    assert ended == [code]
