"""Deaths and what follows: strategies, intensity, backoff, trees (scenarios S04 to S11, S13, S23, S24, S29, S33)."""

import threading
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernel_troupe import Actor, Crash, Finish, Run, Troupe, refuse
from support.tickwire_process import eventually

from tickwire.actors.kernel import (
    Backoff,
    SubtreeSpec,
    Supervisor,
    SupervisorFailed,
    SupervisorSpec,
    Threads,
    TooManyRestarts,
)
from tickwire.actors.kernel.restart import Exit

DELAY_S = 0.2


def _opened(troupe: Troupe) -> list[tuple[str, int]]:
    return [(id, number) for what, id, number in troupe.journal if what == "open"]


def test_s04_permanent_comes_back_after_any_end() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child("a")]).start()
    troupe.tell("a", Finish())
    troupe.advance(1.0)
    troupe.crash("a")
    troupe.advance(1.0)
    assert troupe.incarnation("a") == 3
    assert troupe.state("a").state == "running"
    assert troupe.state("a").restarts == 2


def test_s04_transient_comes_back_only_after_an_abnormal_end() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child("a", restart="transient")]).start()
    troupe.crash("a")
    troupe.advance(1.0)
    assert troupe.incarnation("a") == 2
    troupe.tell("a", Finish())
    troupe.advance(600.0)
    assert troupe.incarnation("a") == 2
    assert troupe.state("a").state == "stopped"


@pytest.mark.parametrize("end", [Finish(), Crash()])
def test_s04_temporary_never_comes_back(end: object) -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child("a", restart="temporary")]).start()
    troupe.tell("a", end)
    troupe.advance(600.0)
    assert troupe.incarnation("a") == 1
    assert troupe.state("a").state == "stopped"


def test_what_a_child_leaves_unhandled_at_its_end_reaches_its_next_incarnation_all_at_once() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    address = kernel.address("a")
    for message in (1, Finish(), 2, 3):
        address.tell(message)
    troupe.advance(1.0)
    assert troupe.handled["a"] == [1, 2, 3]
    assert troupe.batches["a"][1] == [2, 3]


def test_s05_one_for_one_leaves_the_others_alone() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child("a"), troupe.child("b")]).start()
    same = troupe.actors["b"]
    troupe.crash("a")
    troupe.advance(1.0)
    assert (troupe.incarnation("a"), troupe.incarnation("b")) == (2, 1)
    assert troupe.actors["b"] is same
    assert troupe.events("close") == ["a"]


def test_s06_one_for_all_stops_the_others_in_reverse_and_starts_all_anew() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child(id) for id in "abc"], strategy="one_for_all").start()
    troupe.journal.clear()
    troupe.crash("a")
    assert [state.state for state in troupe.supervisor.states()] == ["restarting"] * 3
    troupe.advance(1.0)
    assert troupe.events("close") == ["a", "c", "b"]
    assert _opened(troupe) == [("a", 2), ("b", 2), ("c", 2)]


def test_s07_rest_for_one_restarts_those_that_started_after() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child(id) for id in "abc"], strategy="rest_for_one").start()
    troupe.journal.clear()
    troupe.crash("b")
    troupe.advance(1.0)
    assert troupe.events("close") == ["b", "c"]
    assert _opened(troupe) == [("b", 2), ("c", 2)]
    assert troupe.incarnation("a") == 1


def test_s08_another_child_that_fails_during_a_group_restart_is_retried_and_each_attempt_counts() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child(id) for id in "abc"], strategy="one_for_all", intensity=3)
    kernel.start()
    troupe.on_open["b"] = refuse
    troupe.crash("a")
    troupe.advance(DELAY_S + 0.01)  # a is back, b refuses: the second attempt of three
    assert troupe.state("b").last_error == "OSError: refused"
    del troupe.on_open["b"]
    troupe.advance(1.0)
    assert [state.state for state in kernel.states()] == ["running"] * 3
    troupe.crash("c")
    troupe.advance(2.0)
    assert kernel.failure is None
    troupe.crash("c")
    assert isinstance(kernel.failure, TooManyRestarts)


def test_s08_a_death_outside_the_group_that_restarts_widens_it() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child(id) for id in "abc"], strategy="rest_for_one")
    kernel.start()
    troupe.crash("b")
    troupe.crash("a")
    troupe.advance(2.0)
    assert [state.state for state in kernel.states()] == ["running"] * 3
    assert [troupe.incarnation(id) for id in "abc"] == [2, 2, 2]


def test_a_temporary_child_stopped_with_its_group_does_not_come_back() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b", restart="temporary")], strategy="one_for_all")
    kernel.start()
    troupe.crash("a")
    troupe.advance(2.0)
    assert [state.state for state in kernel.states()] == ["running", "stopped"]
    assert troupe.incarnation("b") == 1


def test_a_child_that_dies_while_others_still_start_is_restarted_once_all_have() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")])

    def crash_a(actor: Actor) -> None:
        if troupe.incarnation("a") == 1:
            actor.context.address("a").tell(Crash())
            troupe.stepped.run()

    troupe.on_open["b"] = crash_a
    kernel.start()
    troupe.advance(1.0)
    assert [state.state for state in kernel.states()] == ["running", "running"]
    assert troupe.incarnation("a") == 2


def test_s09_the_third_death_within_the_period_ends_supervisor_and_children() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child(id) for id in "abc"], intensity=2)
    kernel.start()
    for _ in range(2):
        troupe.crash("b")
        troupe.advance(5.0)
        assert kernel.failure is None
    troupe.crash("b")
    failure = kernel.failure
    assert isinstance(failure, TooManyRestarts)
    assert str(failure) == "root: more than 2 restarts within 60 s; the last to die was b: ValueError: a bug"
    assert isinstance(failure.__cause__, ValueError)
    assert troupe.failures == [failure]
    assert [state.state for state in kernel.states()] == ["stopped"] * 3
    assert troupe.events("close")[-2:] == ["c", "a"]
    kernel.stop()


def test_s10_deaths_slower_than_the_period_are_lived_through() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")], intensity=2)
    kernel.start()
    for _ in range(50):
        troupe.crash("a")
        troupe.advance(31.0)
    assert kernel.failure is None
    assert troupe.incarnation("a") == 51


def test_s11_a_factory_that_always_fails_at_restart_escalates() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    troupe.on_open["a"] = refuse
    troupe.crash("a")
    troupe.advance(60.0)
    assert isinstance(kernel.failure, SupervisorFailed)
    assert troupe.incarnation("a") == 6


def _tree(troupe: Troupe, *, intensity: int = 1) -> Supervisor:
    inner = SubtreeSpec(
        id="inner",
        children=[troupe.child("b"), troupe.child("c")],
        supervisor=SupervisorSpec(intensity=intensity, period_s=60.0, backoff=Backoff(random_factor=0.0)),
    )
    return troupe.kernel([troupe.child("a"), inner, troupe.child("d")], intensity=2)


def test_s13_a_supervisor_within_that_gives_up_is_restarted_by_the_one_above() -> None:
    troupe = Troupe()
    kernel = _tree(troupe)
    kernel.start()
    assert troupe.events("open") == ["a", "b", "c", "d"]
    kernel.address("c").tell("kept")
    for _ in range(2):
        troupe.crash("b")
        troupe.advance(1.0)
    assert [(state.id, state.incarnation) for state in kernel.states()] == [
        ("a", 1),
        ("inner", 2),
        ("b", 3),
        ("c", 2),
        ("d", 1),
    ]
    assert all(state.state == "running" for state in kernel.states())
    assert troupe.ask("b", 1) == ("b", 3, 1)
    kernel.stop()
    assert troupe.events("close")[-4:] == ["d", "c", "b", "a"]


def test_s13_a_tree_whose_inner_supervisor_keeps_giving_up_fails_at_its_root() -> None:
    troupe = Troupe()
    kernel = _tree(troupe, intensity=0)
    kernel.start()
    for _ in range(3):
        troupe.crash("b")
        troupe.advance(2.0)
    assert isinstance(kernel.failure, TooManyRestarts)
    assert isinstance(kernel.failure.__cause__, TooManyRestarts)
    assert isinstance(kernel.failure.__cause__.__cause__, ValueError)
    assert all(state.state == "stopped" for state in kernel.states())


def test_what_waits_for_a_child_of_a_failed_subtree_reaches_its_next_incarnation() -> None:
    troupe = Troupe()
    kernel = _tree(troupe, intensity=0)
    kernel.start()
    troupe.crash("b")
    kernel.address("c").tell("kept")
    troupe.advance(2.0)
    assert troupe.handled["c"] == ["kept"]


def test_a_restarted_subtree_has_all_its_children_again_the_temporary_too() -> None:
    troupe = Troupe()
    inner = SubtreeSpec(
        id="inner",
        children=[troupe.child("b"), troupe.child("t", restart="temporary")],
        supervisor=SupervisorSpec(intensity=0),
    )
    kernel = troupe.kernel([inner])
    kernel.start()
    troupe.crash("t")
    assert troupe.state("t").state == "stopped"
    troupe.crash("b")
    troupe.advance(1.0)
    assert troupe.ask("t", "back?") == ("t", 2, "back?")


def test_a_stop_while_an_inner_supervisor_gives_up_stops_all() -> None:
    troupe = Troupe(Threads())
    closing, go_on = threading.Event(), threading.Event()
    inner = SubtreeSpec(
        id="inner",
        children=[troupe.child("b"), troupe.child("c", shutdown_s=20.0)],
        supervisor=SupervisorSpec(intensity=0),
    )
    kernel = troupe.kernel([troupe.child("a"), inner])
    kernel.start()
    troupe.on_close["c"] = lambda _actor: closing.set() or go_on.wait(20.0)  # type: ignore[func-returns-value]
    kernel.crash("b")
    assert closing.wait(20.0)
    stopper = threading.Thread(target=kernel.stop, args=(40.0,))
    stopper.start()
    eventually(lambda: troupe.state("inner").state == "stopping", "the stop has reached the inner supervisor")
    go_on.set()
    stopper.join(40.0)
    assert not stopper.is_alive()
    assert troupe.events("close")[:2] == ["b", "c"]
    assert sorted(troupe.events("close")) == ["a", "b", "c"]
    assert kernel.failure is None


def test_s23_delays_double_up_to_the_most_each_within_a_fifth() -> None:
    troupe = Troupe()
    backoff = Backoff(min_s=0.2, max_s=30.0, random_factor=0.2, reset_after_s=1000.0)
    kernel = troupe.kernel([troupe.child("a")], intensity=12, period_s=1000.0, backoff=backoff)
    kernel.start()
    opened_at: list[float] = []

    def crash_again(actor: Actor) -> None:
        opened_at.append(troupe.stepped.monotonic())
        actor.context.me.tell(Crash())

    troupe.on_open["a"] = crash_again
    started = troupe.stepped.monotonic()
    troupe.crash("a")
    troupe.advance(500.0)
    delays = [later - earlier for earlier, later in pairwise([started, *opened_at])]
    wholes = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0, 30.0]
    assert len(delays) == len(wholes)
    for delay, whole in zip(delays, wholes, strict=True):
        assert whole <= delay <= whole * 1.2
    assert len({delay / whole for delay, whole in zip(delays, wholes, strict=True)}) > 5


def test_s24_health_resets_the_delay() -> None:
    troupe = Troupe()
    backoff = Backoff(min_s=0.2, max_s=30.0, random_factor=0.0, reset_after_s=30.0)
    troupe.kernel([troupe.child("a")], intensity=5, backoff=backoff).start()
    for _ in range(3):
        troupe.crash("a")
        troupe.advance(2.0)
    troupe.advance(29.0)
    troupe.crash("a")
    troupe.advance(DELAY_S)
    assert troupe.incarnation("a") == 5


def test_s24_a_life_shorter_than_that_does_not_reset_it() -> None:
    troupe = Troupe()
    backoff = Backoff(min_s=0.2, max_s=30.0, random_factor=0.0, reset_after_s=30.0)
    troupe.kernel([troupe.child("a")], intensity=5, backoff=backoff).start()
    troupe.crash("a")
    troupe.advance(20.0)
    troupe.crash("a")
    troupe.advance(DELAY_S + 0.1)
    assert troupe.incarnation("a") == 2
    troupe.advance(0.2)
    assert troupe.incarnation("a") == 3


def test_s29_each_death_gives_exactly_one_notice(logs: list[Any]) -> None:
    troupe = Troupe()
    troupe.on_close["a"] = refuse  # a close that fails as well is no second death
    troupe.kernel([troupe.child("a")], intensity=5).start()
    for _ in range(3):
        troupe.crash("a")
        troupe.advance(2.0)
    assert troupe.incarnation("a") == 4
    assert [event["event"] for event in logs] == ["actor_died", "dead_letter", "close_failed", "restarting"] * 3


def test_s33_a_notice_of_an_older_incarnation_is_ignored() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    child = kernel._children["a"]
    old = child.current
    assert old is not None
    troupe.crash("a")
    troupe.advance(1.0)
    child.ended(old, Exit(reason="failure", error=ValueError("late")))
    child.started(old)
    troupe.advance(10.0)
    assert troupe.incarnation("a") == 2
    assert troupe.state("a").state == "running"
    assert child.late_notices == 1
    assert troupe.state("a").last_error == "ValueError: a bug"


def test_timers_of_an_incarnation_end_with_it() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child("a")]).start()
    troupe.tell("a", Run(act=lambda actor: actor.context.after(5.0, "of the first")))
    troupe.crash("a")
    troupe.advance(1.0)
    troupe.tell("a", Run(act=lambda actor: actor.context.after(5.0, "of the second")))
    troupe.advance(10.0)
    assert "of the first" not in troupe.handled["a"]
    assert troupe.handled["a"][-1] == "of the second"


def test_a_cancelled_timer_tells_nothing() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child("a")]).start()
    troupe.tell("a", Run(act=lambda actor: actor.context.after(1.0, "late").cancel()))
    troupe.advance(5.0)
    assert "late" not in troupe.handled["a"]


@settings(max_examples=60, deadline=None)
@given(
    strategy=st.sampled_from(["one_for_one", "rest_for_one", "one_for_all"]),
    deaths=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 3.0)), max_size=12),
)
def test_whatever_dies_when_all_run_again_in_the_end(strategy: str, deaths: list[tuple[str, float]]) -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child(id) for id in "abc"], strategy=strategy, intensity=30, period_s=1000.0)
    kernel.start()
    for id, pause in deaths:
        troupe.crash(id)
        troupe.advance(pause)
    troupe.advance(1000.0)
    assert kernel.failure is None
    assert [state.state for state in kernel.states()] == ["running"] * 3
    opened, closed = troupe.events("open"), troupe.events("close")
    assert all(opened.count(id) == closed.count(id) + 1 for id in "abc")


def test_the_same_seed_gives_the_same_delays() -> None:
    def moments(seed: int) -> list[float]:
        troupe = Troupe()
        spec = SupervisorSpec(backoff=Backoff(random_factor=1.0))
        kernel = Supervisor(spec, [troupe.child("a")], runtime=troupe.stepped, random=Random(seed))
        kernel.start()
        found: list[float] = []

        def crash_again(actor: Actor) -> None:
            found.append(troupe.stepped.monotonic())
            actor.context.me.tell(Crash())

        troupe.on_open["a"] = crash_again
        kernel.address("a").tell(Crash())
        troupe.advance(100.0)
        return found

    assert moments(1) == moments(1) != moments(2)
