"""What restarts, poison, full mailboxes and ends do to messages and questions.

Scenarios S17, S18, S21, S27, S28 and S30.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from support.kernel_troupe import Crash, Question, Run, Troupe
from support.tickwire_process import eventually

from tickwire.actors.kernel import (
    AddressDead,
    AskTimeout,
    Backoff,
    ChildSpec,
    Context,
    MailboxSpec,
    PutResult,
    Supervisor,
    SupervisorSpec,
    Threads,
    UnknownAddress,
)
from tickwire.actors.kernel.behaviour import ReplyTo

PATIENCE_S = 20.0


def test_s17_five_tells_and_a_question_behind_a_crash_reach_the_next_incarnation_in_order() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    address = kernel.address("a")
    for message in (Crash(), 1, 2, 3, 4, 5):
        address.tell(message)
    assert troupe.ask("a", "who?") == ("a", 3, "who?")  # the crash's batch in flight, then the crash alone
    assert troupe.handled["a"][:5] == [1, 2, 3, 4, 5]
    assert [type(message) for message in troupe.handled["a"][5:]] == [Question]


def test_a_batch_in_flight_at_a_crash_comes_again_one_message_at_a_time() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    crash = Crash()
    address = kernel.address("a")
    for message in (1, crash, 2):
        address.tell(message)
    troupe.stepped.run()
    address.tell(3)
    troupe.advance(5.0)
    assert troupe.batches["a"] == [[1, crash, 2], [1], [crash], [2], [3]]
    assert kernel.dead_letters.count == 1


def test_after_the_suspects_everything_is_drained_at_once_again() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    address = kernel.address("a")
    crash = Crash()
    address.tell(crash)
    troupe.stepped.run()
    for message in (1, 2, 3):
        address.tell(message)
    troupe.advance(5.0)
    assert troupe.batches["a"] == [[crash], [1, 2, 3]]


def test_control_overtakes_what_comes_again() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    address = kernel.address("a")
    for message in (1, Crash(), 2):
        address.tell(message)
    troupe.stepped.run()
    address.tell("config", control=True)
    troupe.advance(5.0)
    assert troupe.batches["a"][1] == ["config"]
    assert troupe.handled["a"] == [1, "config", 1, 2]


class _Worker:
    """Answers, counts, and crashes at what says so; idempotent by number."""

    def __init__(self, done: Counter[int]) -> None:
        self._done = done

    def open(self) -> None: ...

    def step(self, batch: Sequence[object]) -> None:
        for message in batch:
            if isinstance(message, Crash):
                raise message.error
            if isinstance(message, Question):
                message.reply_to.tell("answer")
            elif isinstance(message, int):
                self._done[message] += 1

    def close(self) -> None: ...


def test_s18_whatever_crashes_every_message_is_accounted_for_and_every_question_answered() -> None:
    done: Counter[int] = Counter()
    crashes = 6

    def make(_context: Context) -> _Worker:
        return _Worker(done)

    backoff = Backoff(min_s=0.01, max_s=0.01, random_factor=0.0)
    supervisor = Supervisor(SupervisorSpec(intensity=100, backoff=backoff), [ChildSpec(id="a", factory=make)])
    supervisor.start()
    address = supervisor.address("a")
    answers: list[Any] = []

    def produce(first: int) -> None:
        random = Random(first)
        crash_at = set(random.sample(range(1000), crashes))
        for number in range(1000):
            if number in crash_at:
                address.tell(Crash())
            if number % 250 == 0:
                answers.append(address.ask(lambda to: Question(reply_to=to), timeout_s=PATIENCE_S))
            address.tell(first + number)

    producers = [threading.Thread(target=produce, args=(first,)) for first in (0, 1000, 2000, 3000)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join(3 * PATIENCE_S)
        assert not producer.is_alive()
    eventually(lambda: len(done) == 4000, "every number was handled")
    supervisor.stop()
    assert answers == ["answer"] * 16
    assert supervisor.dead_letters.weights() == {("a", "poison"): 4 * crashes}
    assert supervisor.states()[0].mailbox_depth == 0


def test_s21_nobody_blocks_at_a_full_mailbox_whose_receiver_dies() -> None:
    troupe = Troupe(Threads())
    holding, go_on = threading.Event(), threading.Event()

    def hold_and_die(_actor: object) -> None:
        holding.set()
        go_on.wait(PATIENCE_S)
        raise ValueError("dies while its mailbox is full")

    kernel = troupe.kernel([troupe.child("a", mailbox=MailboxSpec(capacity=10), restart="temporary")])
    kernel.start()
    address = kernel.address("a")
    address.tell(Run(act=hold_and_die))
    assert holding.wait(PATIENCE_S)
    results: list[PutResult] = []
    full = threading.Barrier(13)

    def send() -> None:
        results.extend(address.tell(number) for number in range(100))
        full.wait(PATIENCE_S)
        results.extend(address.tell(number) for number in range(100))

    senders = [threading.Thread(target=send) for _ in range(12)]
    for sender in senders:
        sender.start()
    full.wait(PATIENCE_S)
    go_on.set()
    for sender in senders:
        sender.join(PATIENCE_S)
        assert not sender.is_alive()
    eventually(lambda: troupe.state("a").state == "stopped", "the receiver is dead")
    assert address.tell("after") is PutResult.DROPPED_CLOSED
    assert Counter(results)[PutResult.ACCEPTED] == 10
    assert len(results) == 2400
    kernel.stop()


def test_s27_a_poison_message_goes_to_the_dead_letters_and_later_ones_flow() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    address = kernel.address("a")
    for message in (1, Crash(), 2, 3):
        address.tell(message)
    troupe.advance(10.0)
    assert troupe.handled["a"] == [1, 1, 2, 3]
    assert [(letter.recipient, letter.reason, letter.kind) for letter in kernel.dead_letters.recent()] == [
        ("a", "poison", "Crash")
    ]
    assert troupe.incarnation("a") == 3


def test_a_message_is_given_as_many_chances_as_the_spec_says() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", max_crashes_per_message=3)])
    kernel.start()
    troupe.tell("a", Crash())
    troupe.advance(10.0)
    assert troupe.incarnation("a") == 4
    assert kernel.dead_letters.count == 1


def test_an_injected_crash_blames_no_message() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    kernel.address("a").tell("innocent")
    kernel.crash("a")
    troupe.advance(5.0)
    assert troupe.handled["a"] == ["innocent"]
    assert kernel.dead_letters.count == 0
    kernel.crash("a")
    troupe.advance(5.0)
    assert troupe.incarnation("a") >= 2
    assert troupe.state("a").last_error == "InjectedCrash: a: a crash that was asked for"


def test_a_crash_asked_for_between_incarnations_meets_the_next() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    kernel.crash("a")
    troupe.stepped.run()
    assert troupe.state("a").state == "restarting"
    kernel.crash("a")
    troupe.advance(5.0)
    assert troupe.incarnation("a") == 3


def test_s28_asking_the_unknown_fails_at_once() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    with pytest.raises(UnknownAddress, match="there is no actor 'b': a"):
        kernel.address("b")


def test_s28_asking_one_who_has_ended_or_was_stopped_fails_at_once() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", restart="temporary"), troupe.child("b")])
    kernel.start()
    before = troupe.stepped.monotonic()
    troupe.crash("a")
    with pytest.raises(AddressDead, match="a will never answer"):
        troupe.ask("a")
    kernel.stop()
    with pytest.raises(AddressDead, match="b will never answer"):
        troupe.ask("b")
    assert troupe.stepped.monotonic() == before


def test_a_question_that_goes_to_the_dead_letters_fails_at_once() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    before = troupe.stepped.monotonic()
    with pytest.raises(AddressDead, match="the question went to the dead letters"):
        kernel.address("a").ask(lambda _to: Crash(), timeout_s=100.0)
    assert troupe.stepped.monotonic() == before


def test_a_question_refused_by_a_full_mailbox_fails_at_once() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", mailbox=MailboxSpec(capacity=1))])
    kernel.address("a").tell("waits")
    with pytest.raises(AddressDead, match="full or closed"):
        troupe.ask("a")


def test_a_question_pushed_out_by_later_messages_fails_at_once() -> None:
    troupe = Troupe(Threads())
    holding, go_on = threading.Event(), threading.Event()
    mailbox = MailboxSpec(capacity=2, overflow="drop_oldest")
    kernel = troupe.kernel([troupe.child("a", mailbox=mailbox)])
    kernel.start()
    address = kernel.address("a")
    address.tell(Run(act=lambda _actor: holding.set() or go_on.wait(PATIENCE_S)))  # type: ignore[func-returns-value]
    assert holding.wait(PATIENCE_S)
    failed: list[str] = []

    def ask() -> None:
        try:
            troupe.ask("a", timeout_s=PATIENCE_S)
        except AddressDead as error:
            failed.append(str(error))

    asker = threading.Thread(target=ask)
    asker.start()
    eventually(lambda: troupe.state("a").mailbox_depth == 1, "the question waits")
    address.tell(1)
    address.tell(2)
    asker.join(PATIENCE_S)
    go_on.set()
    assert failed == ["a will never answer: the question went to the dead letters"]
    kernel.stop()


def test_a_question_still_open_when_its_actor_ends_fails() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    kept: list[ReplyTo] = []

    def build(reply_to: ReplyTo) -> object:
        kept.append(reply_to)
        troupe.stepped.after(1.0, lambda: kernel.stop())
        return "a question that is never answered"

    with pytest.raises(AddressDead, match="the actor has ended"):
        kernel.address("a").ask(build, timeout_s=100.0)
    kept[0].tell("too late, and no error")


def test_a_question_without_an_answer_ends_in_time() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    with pytest.raises(AskTimeout, match=r"a did not answer within 2\.0 s"):
        kernel.address("a").ask(lambda _to: "silence", timeout_s=2.0)


def test_s30_a_hundred_dead_letters_are_ten_lines_and_one_summary(logs: list[Any]) -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", restart="temporary"), troupe.child("b")])
    kernel.start()
    troupe.crash("a")  # the first of them
    for number in range(99):
        kernel.address("a").tell(number)
    assert kernel.dead_letters.count == 100
    assert len(kernel.dead_letters.recent()) == 100
    assert [event["event"] for event in logs].count("dead_letter") == 10
    troupe.advance(299.0)
    assert not [event for event in logs if event["event"] == "dead_letters"]
    troupe.advance(2.0)
    summaries = [event for event in logs if event["event"] == "dead_letters"]
    assert [(event["more"], event["count"], event["recipients"]) for event in summaries] == [
        (90, 100, {"a: closed": 90})
    ]
    troupe.advance(3600.0)
    assert len([event for event in logs if event["event"] == "dead_letters"]) == 1


def test_after_quiet_minutes_dead_letters_have_lines_of_their_own_again(logs: list[Any]) -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", restart="temporary")])
    kernel.start()
    troupe.crash("a")
    for _ in range(50):
        kernel.address("a").tell("x")
    troupe.advance(601.0)
    logs.clear()
    kernel.address("a").tell("y")
    assert [event["event"] for event in logs] == ["dead_letter"]


def test_the_ring_of_dead_letters_keeps_the_latest_thousand() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", restart="temporary")])
    kernel.start()
    troupe.crash("a")
    for _ in range(1500):
        kernel.address("a").tell("x")
    assert len(kernel.dead_letters.recent()) == 1000
    assert kernel.dead_letters.count == 1501


def test_dead_letters_are_counted_in_the_units_of_the_mailbox_they_were_for() -> None:
    troupe = Troupe()
    mailbox = MailboxSpec(capacity=10, overflow="drop_newest", weigh=lambda message: int(str(message)))
    kernel = troupe.kernel([troupe.child("a", mailbox=mailbox)])
    for weight in (6, 5, 4, 3):
        kernel.address("a").tell(weight)
    assert kernel.dead_letter_weights() == {("a", "full"): 8}


def test_messages_told_before_the_start_are_handled_after_it() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.address("a").tell("early")
    kernel.start()
    troupe.stepped.run()
    assert troupe.handled["a"] == ["early"]


def test_a_child_may_gather_its_mailbox_for_a_while() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", collect_s=0.010)])
    kernel.start()
    troupe.advance(1.0)
    address = kernel.address("a")
    address.tell(1)
    troupe.advance(0.006)
    address.tell(2)
    assert troupe.batches["a"] == []
    troupe.advance(0.005)
    assert troupe.batches["a"] == [[1, 2]]


def test_a_control_message_cuts_the_gathering_short() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", collect_s=60.0)])
    kernel.start()
    address = kernel.address("a")
    address.tell(1)
    address.tell("now", control=True)
    troupe.stepped.run()
    assert troupe.batches["a"] == [["now", 1]]


@pytest.mark.parametrize("wait_for", ["control", "stop"])
def test_a_gathering_thread_is_cut_short_by_control_and_by_its_end(wait_for: str) -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a", collect_s=600.0, shutdown_s=PATIENCE_S)])
    kernel.start()
    address = kernel.address("a")
    address.tell(1)
    if wait_for == "control":
        address.tell("now", control=True)
        eventually(lambda: set(troupe.handled["a"]) == {"now", 1}, "the batch was handed over")
    kernel.stop(PATIENCE_S)
    assert troupe.events("close") == ["a"]
    assert kernel.zombies == 0
