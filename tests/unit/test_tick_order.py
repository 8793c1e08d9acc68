"""Which ticks candles count: the late are left out, one wrong stamp makes nobody late."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tickwire.market.tick_order import BASE_US, US, TickOrder

START_S = 1_756_866_780
DAY_S = 86_400


class Order:
    """Seconds in, seconds out."""

    def __init__(self) -> None:
        self.order = TickOrder()
        self.taken: list[float] = []

    def take(self, *seconds: float, now: float = 0.0, recv_s: float | None = None) -> list[float]:
        ts_us = [round((START_S + second) * US) for second in seconds]
        recv_us = 0 if recv_s is None else round((START_S + recv_s) * US)
        open_us = self.order.newest_us // BASE_US * BASE_US
        return self._note(self.order.take((ts_us, [1.0] * len(ts_us), [0] * len(ts_us)), now, recv_us, open_us)[0])

    def elapsed(self, now: float) -> list[float]:
        return self._note(self.order.elapsed(now)[0])

    def _note(self, ts_us: Sequence[int]) -> list[float]:
        seconds = [(us - START_S * US) / US for us in ts_us]
        self.taken += seconds
        return seconds

    @property
    def left_out(self) -> tuple[int, int]:
        return self.order.late, self.order.ahead


def test_one_stamp_a_day_ahead_makes_no_later_tick_late() -> None:
    one = Order()
    one.take(0)
    assert one.take(DAY_S - 10, now=1.0) == []
    for second in range(1, 300):
        assert one.take(second, now=float(second)) == [second]
    assert one.left_out == (0, 1)


def test_wrong_stamps_again_and_again_are_each_left_out() -> None:
    one = Order()
    one.take(0)
    for second in range(1, 100):
        one.take(second + DAY_S / 2, now=float(second))
        assert one.take(second, now=float(second)) == [second]
    assert one.left_out == (0, 99)


def test_wrong_stamps_within_one_message_are_left_out_of_its_midst() -> None:
    one = Order()
    assert one.take(0, 1, 4000, 2, 3, 5000, 4) == [0, 1, 2, 3, 4]
    assert one.left_out == (0, 2)


def test_a_recording_that_goes_on_after_a_pause_is_believed_at_its_third_tick() -> None:
    one = Order()
    one.take(0, 1, 2)
    assert one.take(5000) == []
    assert one.take(5001) == []
    assert one.take(5002) == [5000, 5001, 5002]
    assert one.take(5003) == [5003]
    assert one.left_out == (0, 0)


def test_a_pause_within_one_message_leaves_nothing_out() -> None:
    one = Order()
    assert one.take(0, 1, 5000, 5001, 5002, 9000, 9001, 9002) == [0, 1, 5000, 5001, 5002, 9000, 9001, 9002]


def test_a_late_tick_from_before_the_pause_refutes_nobody() -> None:
    one = Order()
    one.take(0, 1, 2)
    one.take(5000)
    assert one.take(1.5) == [1.5]
    assert one.take(5001, 5002) == [5000, 5001, 5002]
    assert one.left_out == (0, 0)


def test_a_silent_assets_next_tick_is_believed_by_the_clock() -> None:
    one = Order()
    one.take(0, now=100.0)
    assert one.take(3600, now=3700.0) == [3600]


def test_a_doubted_tick_that_nobody_follows_counts_when_the_clock_has_come_to_it() -> None:
    one = Order()
    one.take(0, now=100.0)
    assert one.take(90, now=100.0) == []
    assert one.order.due() == 130.0
    assert one.elapsed(129.0) == []
    assert one.elapsed(130.0) == [90]
    assert one.order.due() is None


def test_a_first_tick_ahead_of_the_relays_own_clock_waits_for_others() -> None:
    one = Order()
    assert one.take(7200, recv_s=0) == []
    assert one.take(0.5, recv_s=0.5) == [0.5]
    assert one.take(1, recv_s=1) == [1]
    assert one.left_out == (0, 1)


def test_where_the_relays_clock_is_wrong_three_ticks_are_believed_against_it() -> None:
    one = Order()
    assert one.take(7200, recv_s=0) == []
    assert one.take(7201, recv_s=1) == []
    assert one.take(7202, recv_s=2) == [7200, 7201, 7202]


def test_the_first_tick_of_an_old_recording_is_believed_at_once() -> None:
    assert Order().take(0, recv_s=400 * DAY_S) == [0]


def test_a_tick_over_ten_seconds_late_is_left_out_only_where_its_bucket_is_over() -> None:
    one = Order()
    one.take(0, 14, now=0.0)
    assert one.take(1) == [1]
    one.take(16)
    assert one.take(14.9, 6.1) == [6.1, 14.9]
    assert one.take(5.9) == []
    assert one.left_out == (1, 0)


def test_ticks_come_out_by_stamp_and_those_of_one_stamp_in_the_order_they_came() -> None:
    order = TickOrder()
    columns = ([3 * US, 1 * US, 3 * US, 2 * US], [1.0, 2.0, 3.0, 4.0], [0, 1, 2, 3])
    assert order.take(columns, 0.0, 0, 0) == ([1 * US, 2 * US, 3 * US, 3 * US], [2.0, 4.0, 1.0, 3.0], [1, 3, 0, 2])


@given(
    steps=st.lists(st.tuples(st.integers(0, 120), st.booleans()), min_size=1, max_size=60), cut=st.integers(1, 7)
)  # fmt: skip
def test_no_tick_is_lost_unseen_and_none_comes_twice(steps: list[tuple[int, bool]], cut: int) -> None:
    one, clock, sent = Order(), 0.0, []
    for pause, wild in steps:
        clock += pause
        sent.append(clock + DAY_S * wild / 2)
    for begin in range(0, len(sent), cut):
        one.take(*sent[begin : begin + cut])
    one.elapsed(3.0 * DAY_S)
    assert len(one.taken) + sum(one.left_out) == len(sent)
    for second in one.taken:
        sent.remove(second)
