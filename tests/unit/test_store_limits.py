"""A call ends within its time, whatever it does."""

import threading

import pytest

from tickwire.runtime.stores.limits import CallTimedOut, within

LONG_S = 30.0


def never() -> None:
    raise AssertionError("was shut")


def test_a_calls_result_is_handed_back() -> None:
    assert within(LONG_S, lambda: 7, shut=never) == 7


def test_a_call_runs_in_a_thread_of_its_own() -> None:
    assert within(LONG_S, threading.get_ident, shut=never) != threading.get_ident()


@pytest.mark.parametrize("error", [ValueError("x"), TimeoutError("its own"), SystemExit(3)])
def test_what_a_call_raises_is_raised_here(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        within(LONG_S, fail, shut=never)
    assert raised.value is error


def test_a_call_that_takes_too_long_is_shut_and_left_to_end() -> None:
    shut, ended = threading.Event(), threading.Event()

    def hang() -> None:
        shut.wait(LONG_S)
        ended.set()

    with pytest.raises(CallTimedOut, match=r"0\.05 s"):
        within(0.05, hang, shut=shut.set)
    assert shut.is_set()
    assert ended.wait(LONG_S)
