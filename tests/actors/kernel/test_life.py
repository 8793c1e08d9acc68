"""Starting in order, stopping in reverse, never longer than allowed (scenarios S01, S02, S12, S14 to S16, S22, S31)."""

import threading
from typing import Any

import pytest
from support.kernel_troupe import Actor, Run, Troupe, refuse
from support.tickwire_process import eventually

from tickwire.actors.kernel import ChildSpec, StartFailed, Stepped, SubtreeSpec, Threads

PATIENCE_S = 20.0


def test_s01_empty_spec_starts_and_stops_without_a_thread_left() -> None:
    before = set(threading.enumerate())
    kernel = Troupe(Threads()).kernel([])
    kernel.start()
    assert len(set(threading.enumerate()) - before) == 1
    kernel.stop()
    assert set(threading.enumerate()) <= before


def test_no_thread_of_an_actor_is_left_after_the_stop() -> None:
    before = set(threading.enumerate())
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")])
    kernel.start()
    kernel.stop()
    assert set(threading.enumerate()) <= before
    assert troupe.events("close") == ["b", "a"]


def test_s02_a_factory_that_raises_at_first_start_fails_the_start_and_stops_the_earlier_in_reverse() -> None:
    troupe = Troupe()
    troupe.on_open["c"] = refuse
    kernel = troupe.kernel([troupe.child(id) for id in "abcd"])
    with pytest.raises(StartFailed, match="c did not start: refused") as failed:
        kernel.start()
    assert isinstance(failed.value.__cause__, OSError)
    assert troupe.events("open") == ["a", "b", "c"]
    assert troupe.events("close") == ["c", "b", "a"]
    assert [state.state for state in kernel.states()] == ["stopped"] * 4


def test_a_child_that_does_not_start_within_its_deadline_fails_the_start() -> None:
    troupe = Troupe()
    troupe.on_open["a"] = lambda _actor: troupe.stepped.advance(5.0)
    kernel = troupe.kernel([troupe.child("a", start_deadline_s=2.0)])
    with pytest.raises(StartFailed, match="start_deadline_s=2"):
        kernel.start()


def test_s12_a_stop_during_a_restart_loop_returns_and_nothing_starts_later() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")])
    kernel.start()
    troupe.crash("a")
    assert troupe.state("a").state == "restarting"
    before = troupe.stepped.monotonic()
    kernel.stop()
    assert troupe.stepped.monotonic() - before < 0.1
    troupe.advance(600.0)
    assert troupe.events("open") == ["a", "b"]
    assert [state.state for state in kernel.states()] == ["stopped", "stopped"]


def test_a_stop_while_it_starts_ends_what_has_started() -> None:
    troupe = Troupe(Threads())
    opening, go_on = threading.Event(), threading.Event()
    refused: list[BaseException] = []

    def hold(_actor: Actor) -> None:
        opening.set()
        go_on.wait(PATIENCE_S)

    def start() -> None:
        try:
            kernel.start()
        except StartFailed as error:
            refused.append(error)

    troupe.on_open["b"] = hold
    kernel = troupe.kernel([troupe.child(id, shutdown_s=PATIENCE_S) for id in "abc"])
    starter = threading.Thread(target=start)
    starter.start()
    assert opening.wait(PATIENCE_S)
    stopper = threading.Thread(target=kernel.stop, args=(PATIENCE_S,))
    stopper.start()
    eventually(lambda: troupe.state("b").state == "stopping", "the stop has reached b")
    go_on.set()
    starter.join(PATIENCE_S)
    stopper.join(PATIENCE_S)
    assert len(refused) == 1
    assert troupe.events("open") == ["a", "b"]
    assert troupe.events("close") == ["b", "a"]


def test_s14_a_child_asleep_is_abandoned_at_its_deadline_and_the_others_end_clean() -> None:
    troupe = Troupe(Threads())
    asleep, awake = threading.Event(), threading.Event()

    def sleep(_actor: Actor) -> None:
        asleep.set()
        awake.wait(200)

    kernel = troupe.kernel([troupe.child(id, shutdown_s=1.0 if id == "b" else 60.0) for id in "abc"])
    kernel.start()
    kernel.address("b").tell(Run(act=sleep))
    assert asleep.wait(PATIENCE_S)
    kernel.stop(60.0)
    assert troupe.events("close") == ["c", "a"]
    assert kernel.zombies == 1
    awake.set()


@pytest.mark.parametrize("nested", [False, True])
def test_a_whole_stop_is_bounded_and_gives_everybody_a_chance_to_close(nested: bool) -> None:
    troupe = Troupe()
    for id in "bc":
        troupe.on_close[id] = lambda _actor: troupe.stepped.advance(100.0)
    children: list[ChildSpec | SubtreeSpec] = [troupe.child(id, shutdown_s=50.0) for id in "abcd"]
    kernel = troupe.kernel([SubtreeSpec(id="all", children=children)] if nested else children)
    kernel.start()
    before = troupe.stepped.monotonic()
    ended_at: list[float] = []
    troupe.on_close["a"] = lambda _actor: ended_at.append(troupe.stepped.monotonic())
    kernel.stop(8.0)
    assert ended_at[0] - before <= 8.0
    assert troupe.events("close") == ["d", "c", "b", "a"]


def test_s15_children_start_in_order_and_stop_in_reverse() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child(id) for id in "abcd"])
    kernel.start()
    kernel.stop()
    assert troupe.events("open") == ["a", "b", "c", "d"]
    assert troupe.events("close") == ["d", "c", "b", "a"]


def test_s16_a_thousand_temporary_children_cost_linear_time() -> None:
    def acts(count: int) -> int:
        troupe = Troupe()
        kernel = troupe.kernel([troupe.child(f"c{number}", restart="temporary") for number in range(count)])
        kernel.start()
        for number in range(count):
            troupe.crash(f"c{number}")
        kernel.stop()
        assert troupe.incarnation("c0") == 1
        assert len(troupe.events("close")) == count
        return troupe.stepped.acts_run

    assert acts(1000) <= 10 * acts(100) + 50


def test_s22_a_stop_behind_ten_thousand_messages_is_handled_next(logs: list[Any]) -> None:
    troupe = Troupe(Threads())
    entered, go_on = threading.Event(), threading.Event()

    def hold(_actor: Actor) -> None:
        entered.set()
        go_on.wait(PATIENCE_S)

    kernel = troupe.kernel([troupe.child("a", shutdown_s=PATIENCE_S)])
    kernel.start()
    address = kernel.address("a")
    address.tell(Run(act=hold))
    assert entered.wait(PATIENCE_S)
    for number in range(10_000):
        address.tell(number)
    stopper = threading.Thread(target=kernel.stop, args=(PATIENCE_S,))
    stopper.start()
    eventually(lambda: troupe.state("a").state == "stopping", "the stop has reached a")
    go_on.set()
    stopper.join(PATIENCE_S)
    assert not stopper.is_alive()
    assert len(troupe.handled["a"]) == 1
    assert kernel.dead_letters.count == 10_000
    letters = [event for event in logs if event["event"].startswith("dead_letter")]
    assert [(event["event"], event["log_level"], event["more"]) for event in letters] == [
        ("dead_letters", "info", 10_000)
    ]
    assert troupe.events("close") == ["a"]


def test_control_overtakes_ten_thousand_queued_messages() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    address = kernel.address("a")
    for number in range(10_000):
        address.tell(number)
    address.tell("config", control=True)
    troupe.stepped.run()
    assert troupe.handled["a"][:2] == ["config", 0]


def test_s31_one_close_that_fails_does_not_keep_the_rest_from_running_once() -> None:
    troupe = Troupe()

    troupe.on_close["b"] = refuse
    kernel = troupe.kernel([troupe.child(id) for id in "abc"])
    kernel.start()
    kernel.stop()
    kernel.stop()
    assert troupe.events("close") == ["c", "b", "a"]
    assert troupe.state("b").last_error == "OSError: refused"


def test_several_kernels_live_in_one_process_and_end_by_themselves() -> None:
    first, second = Troupe(Threads()), Troupe(Threads())
    kernels = [troupe.kernel([troupe.child("a")]) for troupe in (first, second)]
    for kernel in kernels:
        kernel.start()
    kernels[0].stop()
    assert second.ask("a", "still there?") == ("a", 1, "still there?")
    kernels[1].stop()


def test_a_kernel_starts_once() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    with pytest.raises(StartFailed, match="build another"):
        kernel.start()
    assert troupe.state("a").state == "running"


def test_a_kernel_that_never_started_may_be_stopped() -> None:
    troupe = Troupe(Stepped())
    kernel = troupe.kernel([troupe.child("a")])
    kernel.stop()
    assert troupe.journal == []
