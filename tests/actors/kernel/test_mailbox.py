"""A mailbox by itself: bounds, watermarks, the control lane, what comes back after a failure."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tickwire.actors.kernel import MailboxSpec, PutResult
from tickwire.actors.kernel.mailbox import Mailbox

PATIENCE_S = 20.0


class Box:
    """A mailbox with a taker, a clock to move, and all that it told others."""

    def __init__(self, spec: MailboxSpec | None = None) -> None:
        self.now = 100.0
        self.wakes = 0
        self.lost: list[tuple[str, list[object]]] = []
        self.crossings: list[bool] = []
        self.taker = object()
        self.mailbox = Mailbox("a", spec or MailboxSpec(), now=lambda: self.now, dropped=self._dropped)
        self.mailbox.watch(lambda _name, congested: self.crossings.append(congested))
        self.attach()

    def attach(self) -> None:
        self.mailbox.attach(self.taker, self._wake, unless=lambda: False)

    def put(self, *messages: object) -> list[PutResult]:
        return [self.mailbox.put(message) for message in messages]

    def drain(self) -> list[object]:
        return list(self.mailbox.drain(self.taker))

    def fail(self, batch: Sequence[object], crashes_allowed: int = 1) -> list[object]:
        poison = self.mailbox.give_back(self.taker, batch, crashes_allowed=crashes_allowed)
        self.attach()
        return list(poison)

    def _wake(self) -> None:
        self.wakes += 1

    def _dropped(self, _name: str, reason: str, messages: Sequence[object]) -> None:
        self.lost.append((reason, list(messages)))


def _by_value(message: object) -> int:
    assert isinstance(message, int)
    return message


def test_a_drain_hands_over_everything_in_order_control_first() -> None:
    box = Box()
    box.put(1, 2)
    box.mailbox.put("stop", control=True)
    box.put(3)
    assert box.drain() == ["stop", 1, 2, 3]
    assert box.drain() == []


def test_only_the_first_message_wakes() -> None:
    box = Box()
    box.put(*range(1000))
    assert box.wakes == 1
    box.drain()
    assert box.wakes == 1
    box.put(1)
    assert box.wakes == 2


def test_a_control_message_wakes_once_more_for_one_who_gathers() -> None:
    box = Box()
    box.put(1)
    box.mailbox.put("now", control=True)
    box.mailbox.put("now", control=True)
    assert box.wakes == 2


def test_who_is_not_the_taker_gets_nothing() -> None:
    box = Box()
    box.put(1)
    assert list(box.mailbox.drain(object())) == []
    assert box.drain() == [1]
    box.put(2)
    box.mailbox.detach(box.taker)
    assert box.drain() == []
    assert box.mailbox.depth == 1


def test_a_taker_that_was_given_up_can_not_attach() -> None:
    box = Box()
    box.mailbox.detach(box.taker)
    box.mailbox.attach(box.taker, box._wake, unless=lambda: True)
    box.put(1)
    assert box.drain() == []


def test_reject_refuses_what_is_too_much_and_leaves_it_with_its_sender() -> None:
    box = Box(MailboxSpec(capacity=2))
    assert box.put(1, 2, 3) == [PutResult.ACCEPTED, PutResult.ACCEPTED, PutResult.DROPPED_FULL]
    assert box.lost == []
    assert box.drain() == [1, 2]


def test_drop_newest_refuses_what_is_too_much_into_the_dead_letters() -> None:
    box = Box(MailboxSpec(capacity=2, overflow="drop_newest"))
    assert box.put(1, 2, 3)[-1] is PutResult.DROPPED_FULL
    assert box.lost == [("full", [3])]
    assert box.drain() == [1, 2]


def test_drop_oldest_makes_room_for_what_is_new() -> None:
    box = Box(MailboxSpec(capacity=2, overflow="drop_oldest"))
    assert box.put(1, 2, 3) == [PutResult.ACCEPTED] * 3
    assert box.lost == [("full", [1])]
    assert box.drain() == [2, 3]


def test_bounds_are_in_the_units_of_the_spec() -> None:
    box = Box(MailboxSpec(capacity=100, weigh=_by_value))
    assert box.put(60, 40, 1) == [PutResult.ACCEPTED, PutResult.ACCEPTED, PutResult.DROPPED_FULL]
    assert box.mailbox.weight == 100


@pytest.mark.parametrize("overflow", ["reject", "drop_newest", "drop_oldest"])
def test_what_is_heavier_than_the_capacity_passes_alone(overflow: Any) -> None:
    box = Box(MailboxSpec(capacity=10, weigh=_by_value, overflow=overflow))
    assert box.put(50) == [PutResult.ACCEPTED]
    assert box.drain() == [50]


def test_the_control_lane_takes_messages_when_the_mailbox_is_full() -> None:
    box = Box(MailboxSpec(capacity=1))
    box.put(1)
    assert box.mailbox.put("stop", control=True) is PutResult.ACCEPTED


def test_watermarks_call_at_each_crossing_and_not_between() -> None:
    box = Box(MailboxSpec(high=10, low=5))
    box.put(*range(10))
    assert (box.crossings, box.mailbox.congested) == ([], False)
    box.put(10, 11)
    assert (box.crossings, box.mailbox.congested) == ([True], True)
    box.drain()
    assert (box.crossings, box.mailbox.congested) == ([True, False], False)


def test_congestion_lasts_until_the_low_watermark_when_messages_come_out_one_by_one() -> None:
    box = Box(MailboxSpec(high=3, low=1))
    box.put(1, 2, 3, 4)
    batch = box.drain()
    box.fail(batch)
    assert box.crossings == [True, False, True]
    for _ in range(2):
        box.drain()
        assert box.mailbox.congested
    box.drain()  # one left
    assert box.crossings == [True, False, True, False]


def test_an_undone_watch_hears_nothing_more() -> None:
    box = Box(MailboxSpec(high=1, low=0))
    heard: list[bool] = []
    undo = box.mailbox.watch(lambda _name, congested: heard.append(congested))
    undo()
    undo()
    box.put(1, 2)
    assert heard == []
    assert box.crossings == [True]


def test_a_listener_that_fails_hurts_neither_sender_nor_other_listeners() -> None:
    box = Box(MailboxSpec(high=1, low=0))

    def fail(_name: str, _congested: bool) -> None:
        raise OSError("a listener's own fault")

    box.mailbox._listeners.insert(0, fail)
    assert box.put(1, 2) == [PutResult.ACCEPTED] * 2
    assert box.crossings == [True]


def test_a_batch_that_failed_comes_back_at_the_head_one_by_one_then_all_at_once() -> None:
    box = Box()
    box.put(1, 2)
    batch = box.drain()
    box.put(3, 4)
    assert box.fail(batch) == []
    assert [box.drain(), box.drain(), box.drain(), box.drain()] == [[1], [2], [3, 4], []]


def test_while_messages_come_out_one_by_one_the_taker_is_told_that_there_are_more() -> None:
    box = Box()
    box.put(1, 2)
    box.fail(box.drain())
    box.drain()
    assert box.mailbox.more
    box.drain()
    assert not box.mailbox.more


def test_one_that_fails_alone_is_poison_as_soon_as_it_has_had_its_chances() -> None:
    box = Box()
    box.put("bad")
    assert box.fail(box.drain(), crashes_allowed=3) == []
    assert box.fail(box.drain(), crashes_allowed=3) == []
    assert box.fail(box.drain(), crashes_allowed=3) == ["bad"]
    assert box.drain() == []


def test_chances_are_counted_for_each_message() -> None:
    box = Box()
    first, second = "first", "second"
    box.put(first, second)
    box.fail(box.drain())
    assert box.fail(box.drain(), crashes_allowed=2) == []
    assert box.drain() == [first]
    assert box.fail(box.drain(), crashes_allowed=2) == []
    assert box.fail(box.drain(), crashes_allowed=2) == [second]


def test_weight_returns_with_what_comes_back() -> None:
    box = Box(MailboxSpec(high=100, low=10, weigh=_by_value))
    box.put(30, 40)
    batch = box.drain()
    assert box.mailbox.weight == 0
    box.fail(batch)
    assert box.mailbox.weight == 70
    box.drain()
    assert box.mailbox.weight == 40


def test_closed_it_takes_nothing_returns_what_was_left_and_relieves_its_senders() -> None:
    box = Box(MailboxSpec(high=1, low=0))
    box.put(1, 2)
    box.mailbox.put("stop", control=True)
    assert list(box.mailbox.close()) == ["stop", 1, 2]
    assert box.crossings == [True, False]
    assert box.put(3) == [PutResult.DROPPED_CLOSED]
    assert box.lost == [("closed", [3])]


def test_the_age_is_that_of_the_oldest_that_nobody_took() -> None:
    box = Box()
    assert box.mailbox.oldest_age_s == 0.0
    box.put(1)
    box.now += 2.0
    box.put(2)
    box.now += 3.0
    assert box.mailbox.oldest_age_s == 5.0
    box.drain()
    assert box.mailbox.oldest_age_s == 0.0


def test_producers_in_many_threads_lose_nothing_and_keep_their_own_order() -> None:
    taken: list[tuple[int, int]] = []
    woken = threading.Event()
    mailbox = Mailbox("a", MailboxSpec(), now=lambda: 0.0, dropped=lambda *_: None)
    mailbox.attach("taker", woken.set, unless=lambda: False)

    def produce(who: int) -> None:
        for number in range(5000):
            mailbox.put((who, number))

    producers = [threading.Thread(target=produce, args=(who,)) for who in range(4)]
    for producer in producers:
        producer.start()
    while len(taken) < 20_000:
        assert woken.wait(PATIENCE_S), "a put on an empty mailbox woke nobody"
        woken.clear()
        taken.extend(mailbox.drain("taker"))  # type: ignore[arg-type]
    for producer in producers:
        producer.join(PATIENCE_S)
    for who in range(4):
        assert [number for sender, number in taken if sender == who] == list(range(5000))


class MailboxModel(RuleBasedStateMachine):
    """Against a plain list: whatever is put, drained, failed and returned, nothing is lost, doubled or reordered."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Box(MailboxSpec(high=6, low=2))
        self.expected: list[int] = []
        self.in_flight: list[object] = []
        self.number = 0

    @rule(count=st.integers(1, 4))
    def put(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.box.put(self.number)
            self.expected.append(self.number)

    @precondition(lambda self: not self.in_flight)
    @rule()
    def drain(self) -> None:
        self.in_flight = self.box.drain()
        assert self.in_flight == self.expected[: len(self.in_flight)]
        assert bool(self.in_flight) == bool(self.expected)

    @precondition(lambda self: self.in_flight)
    @rule()
    def succeed(self) -> None:
        del self.expected[: len(self.in_flight)]
        self.in_flight = []

    @precondition(lambda self: self.in_flight)
    @rule()
    def fail(self) -> None:
        poison = self.box.fail(self.in_flight)
        assert poison == (self.in_flight if len(self.in_flight) == 1 else [])
        if poison:
            del self.expected[0]
        self.in_flight = []

    @invariant()
    def depth_weight_and_congestion_agree(self) -> None:
        mailbox = self.box.mailbox
        waiting = len(self.expected) - len(self.in_flight)
        assert mailbox.depth == mailbox.weight == waiting
        if waiting > 6:
            assert mailbox.congested
        if waiting <= 2:
            assert not mailbox.congested


TestMailboxAgainstAList = MailboxModel.TestCase
TestMailboxAgainstAList.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(
    weights=st.lists(st.integers(1, 20), max_size=60),
    capacity=st.integers(1, 40),
    overflow=st.sampled_from(["reject", "drop_newest", "drop_oldest"]),
)
def test_whatever_comes_the_capacity_holds_and_every_message_is_accounted_for(
    weights: list[int], capacity: int, overflow: Any
) -> None:
    box = Box(MailboxSpec(capacity=capacity, overflow=overflow, weigh=_by_value))
    results = box.put(*weights)
    waiting = box.drain()
    assert sum(map(_by_value, waiting)) <= capacity or len(waiting) == 1
    lost = sum(len(messages) for _reason, messages in box.lost)
    refused = results.count(PutResult.DROPPED_FULL) if overflow == "reject" else 0
    assert len(waiting) + lost + refused == len(weights)
