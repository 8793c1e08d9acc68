"""Whatever a behaviour raises or blocks on stays its own affair (scenarios S19, S20, S25, S26)."""

import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from support.kernel_troupe import Actor, Crash, Run, Troupe, refuse
from support.tickwire_process import eventually

from tickwire.actors.kernel import (
    Backoff,
    ChildSpec,
    Fenced,
    MailboxSpec,
    PutResult,
    StartFailed,
    Stepped,
    Supervisor,
    SupervisorFailed,
    Threads,
    TooManyRestarts,
    TooManyZombies,
)

PATIENCE_S = 20.0
QUICK = Backoff(min_s=0.01, max_s=0.05, random_factor=0.0)


def _raise(error: BaseException) -> Any:
    def act(_actor: Actor) -> None:
        raise error

    return act


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_s19_exits_raised_in_a_message_fail_that_child_only(error: BaseException) -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")], backoff=QUICK)
    kernel.start()
    kernel.address("a").tell(Crash(error=error))
    assert troupe.ask("a", timeout_s=PATIENCE_S)[1] >= 2
    assert troupe.ask("b", timeout_s=PATIENCE_S) == ("b", 1, None)
    kernel.stop()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_s19_exits_raised_in_a_start_fail_that_child_only(error: BaseException) -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")], backoff=QUICK)
    kernel.start()

    def refuse_once(_actor: Actor) -> None:
        del troupe.on_open["a"]
        raise error

    troupe.on_open["a"] = refuse_once
    kernel.crash("a")
    eventually(lambda: troupe.incarnation("a") == 3, "the third incarnation of a has begun")
    assert troupe.ask("a", timeout_s=PATIENCE_S) == ("a", 3, None)
    assert troupe.ask("b", timeout_s=PATIENCE_S) == ("b", 1, None)
    kernel.stop()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_s19_exits_raised_in_a_first_start_or_in_a_stop_are_contained(error: BaseException) -> None:
    troupe = Troupe(Threads())
    troupe.on_close["a"] = _raise(error)
    troupe.on_open["c"] = _raise(error)
    kernel = troupe.kernel([troupe.child(id) for id in "abc"])
    with pytest.raises(StartFailed) as failed:
        kernel.start()
    assert failed.value.__cause__ is error
    assert troupe.events("close") == ["c", "b", "a"]


def test_s20_a_start_that_raises_is_noticed_and_tried_again_with_backoff() -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a")], intensity=3, backoff=QUICK)
    kernel.start()
    troupe.on_open["a"] = refuse
    kernel.crash("a")
    eventually(lambda: kernel.failure is not None, "the supervisor has given up")
    assert isinstance(kernel.failure, TooManyRestarts)
    assert troupe.events("open") == ["a"] * 4
    assert troupe.state("a").last_error == "OSError: refused"
    kernel.stop()


def test_s25_a_child_that_hangs_is_shown_shut_and_replaced_and_its_zombie_does_nothing(logs: list[Any]) -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a", hang_after_s=1.0), troupe.child("b")], backoff=QUICK)
    hanging, awake, ended = threading.Event(), threading.Event(), threading.Event()
    shut: list[str] = []
    written: list[str] = []
    told: list[PutResult] = []

    def hang(actor: Actor) -> None:
        actor.context.guard(lambda: shut.append("shut"))
        peer = actor.context.address("b")
        hanging.set()
        awake.wait(60.0)
        told.append(peer.tell("from the zombie"))
        told.append(actor.context.me.tell("to its successor"))
        actor.context.after(0.0, "by timer")
        try:
            actor.context.fence.check()
            written.append("written")
        except Fenced:
            ended.set()
            raise

    kernel.start()
    address = kernel.address("a")
    address.tell(Run(act=hang))
    assert hanging.wait(PATIENCE_S)
    address.tell("next")
    eventually(lambda: "next" in troupe.handled["a"], "the replacement handles what waited")
    assert troupe.incarnation("a") >= 2
    assert kernel.zombies >= 1
    assert shut[:1] == ["shut"]
    stacks = [event["stack"] for event in logs if event["event"] == "actor_hangs"]
    assert "awake.wait(60.0)" in stacks[0]
    assert kernel.dead_letter_weights() == {("a", "hung"): 1}

    awake.set()
    assert ended.wait(PATIENCE_S)
    eventually(lambda: kernel.zombies == 0, "the zombie is gone")
    address.tell("later")
    eventually(lambda: "later" in troupe.handled["a"], "the replacement handles later ones")
    assert troupe.ask("b", timeout_s=PATIENCE_S)
    assert written == []
    assert told == [PutResult.DROPPED_CLOSED, PutResult.DROPPED_CLOSED]
    assert [message for message in troupe.handled["a"] if isinstance(message, str)] == ["next", "later"]
    assert "from the zombie" not in troupe.handled["b"]
    assert troupe.state("a").state == "running"
    kernel.stop()


def test_shutting_the_socket_it_blocks_on_frees_a_thread_without_a_restart() -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a", hang_after_s=0.3)], backoff=QUICK)
    ours, theirs = socket.socketpair()
    received: list[bytes] = []

    def read(actor: Actor) -> None:
        undo = actor.context.guard(lambda: ours.shutdown(socket.SHUT_RDWR))
        received.append(ours.recv(1))
        undo()

    kernel.start()
    kernel.address("a").tell(Run(act=read))
    assert troupe.ask("a", timeout_s=PATIENCE_S) == ("a", 1, None)
    assert received == [b""]
    assert kernel.zombies == 0
    kernel.stop()
    ours.close()
    theirs.close()


def _hang(stepped: Stepped, seconds: float = 60.0) -> Run:
    """A step that blocks for so long: everything else goes on meanwhile."""
    return Run(act=lambda _actor: stepped.advance(seconds))


def test_of_several_messages_in_flight_none_is_blamed_for_a_hang_at_once() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", hang_after_s=1.0)])
    kernel.start()
    address = kernel.address("a")
    for message in (1, _hang(troupe.stepped), 2):
        address.tell(message)
    troupe.stepped.run()
    troupe.advance(30.0)
    assert kernel.dead_letter_weights() == {("a", "hung"): 1}
    assert [message for message in troupe.handled["a"] if isinstance(message, int)][:3] == [1, 1, 2]
    assert troupe.incarnation("a") == 3


def test_a_close_that_hangs_after_a_crash_does_not_keep_the_next_incarnation_away() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", hang_after_s=1.0)])
    kernel.start()

    def hang_once(_actor: Actor) -> None:
        del troupe.on_close["a"]
        troupe.stepped.advance(60.0)

    troupe.on_close["a"] = hang_once
    troupe.tell("a", "before", Crash(), "after")
    troupe.advance(5.0)
    assert troupe.state("a").state == "running"
    assert troupe.handled["a"][-1] == "after"


def test_a_thread_that_can_not_be_had_is_a_start_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    spawn = troupe.stepped.spawn

    def refuse_once(_incarnation: object) -> None:
        monkeypatch.setattr(troupe.stepped, "spawn", spawn)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(troupe.stepped, "spawn", refuse_once)
    troupe.crash("a")
    troupe.advance(5.0)
    assert troupe.state("a").state == "running"
    assert troupe.incarnation("a") == 3
    assert troupe.state("a").last_error == "RuntimeError: can't start new thread"


def test_an_undone_guard_is_not_called_and_its_twin_is() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", hang_after_s=1.0)])
    kernel.start()
    shut: list[str] = []

    def guard_twice_and_hang(actor: Actor) -> None:
        def shut_it() -> None:
            shut.append("shut")

        actor.context.guard(shut_it)()
        actor.context.guard(shut_it)
        troupe.stepped.advance(2.0)

    troupe.tell("a", Run(act=guard_twice_and_hang))
    assert shut == ["shut"]


def test_a_guard_that_fails_does_not_keep_the_others_from_being_called() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", hang_after_s=1.0)])
    kernel.start()
    shut: list[str] = []

    def guard_and_hang(actor: Actor) -> None:
        actor.context.guard(lambda: refuse(actor))
        actor.context.guard(lambda: shut.append("shut"))
        troupe.stepped.advance(2.0)

    troupe.tell("a", Run(act=guard_and_hang))
    assert shut == ["shut"]


def test_a_watch_ends_with_the_incarnation_that_asked_for_it() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b", mailbox=MailboxSpec(high=1, low=0))])
    kernel.start()
    heard: list[bool] = []

    def watch(actor: Actor) -> None:
        actor.context.address("b").watch(lambda _name, congested: heard.append(congested))

    troupe.tell("a", Run(act=watch))
    for _ in range(2):
        kernel.address("b").tell(1)
        kernel.address("b").tell(2)
        troupe.crash("a")
    assert heard == [True, False]


def test_a_slow_step_within_the_limit_is_no_hang() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", hang_after_s=30.0)])
    kernel.start()
    for _ in range(10):
        troupe.tell("a", _hang(troupe.stepped, 25.0))
    assert troupe.incarnation("a") == 1


def test_being_idle_is_no_hang() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", hang_after_s=1.0)])
    kernel.start()
    troupe.advance(3600.0)
    assert troupe.incarnation("a") == 1
    assert troupe.state("a").oldest_age_s == 0.0


def test_what_hangs_in_its_restart_is_given_up_and_tried_again() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a", start_deadline_s=5.0)])
    kernel.start()

    def hang_once(_actor: Actor) -> None:
        del troupe.on_open["a"]
        troupe.stepped.advance(60.0)

    troupe.on_open["a"] = hang_once
    troupe.crash("a")
    troupe.advance(10.0)
    assert troupe.state("a").state == "running"
    assert troupe.incarnation("a") == 3
    assert troupe.state("a").last_error == "StartFailed: a has not started within start_deadline_s=5.0"
    assert kernel.zombies == 0


def test_s26_three_zombies_fail_the_root() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child(id, hang_after_s=1.0) for id in "abcd"])
    kernel.start()
    for id in "abc":
        kernel.address(id).tell(_hang(troupe.stepped, 5.0 if id != "c" else 60.0))
    # Nested on one stack: a hangs while b hangs while c hangs, so all three are zombies at once.
    troupe.stepped.run()
    assert isinstance(kernel.failure, TooManyZombies)
    assert str(kernel.failure) == "root: 3 threads hang for good; only a new process frees them"
    assert troupe.failures == [kernel.failure]
    assert "d" in troupe.events("close")
    assert all(state.state == "stopped" for state in kernel.states())


def test_two_zombies_are_borne() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child(id, hang_after_s=1.0) for id in "abc"])
    kernel.start()
    for id in "ab":
        kernel.address(id).tell(_hang(troupe.stepped, 30.0))
    troupe.stepped.run()
    assert kernel.failure is None
    assert [troupe.incarnation(id) for id in "abc"] == [2, 2, 1]
    troupe.advance(1.0)
    assert kernel.zombies == 0


def test_a_supervisor_that_gives_up_has_the_host_drain_before_it_stops_its_children() -> None:
    troupe = Troupe()
    seen: list[tuple[float, object]] = []

    def drain(within_s: float) -> None:
        seen.append((within_s, troupe.ask("b", "put it in safety")))

    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")], intensity=0, drain=drain)
    kernel.start()
    troupe.crash("a")
    assert seen == [(2.0, ("b", 1, "put it in safety"))]
    assert isinstance(kernel.failure, TooManyRestarts)
    assert troupe.events("close") == ["a", "b"]


def test_a_drain_that_takes_too_long_or_fails_is_not_waited_for() -> None:
    troupe = Troupe()
    kernel = troupe.kernel(
        [troupe.child("a"), troupe.child("b")], intensity=0, drain=lambda _within_s: troupe.stepped.advance(100.0)
    )
    kernel.start()
    before = troupe.stepped.monotonic()
    ended_at: list[float] = []
    troupe.on_close["b"] = lambda _actor: ended_at.append(troupe.stepped.monotonic())
    troupe.crash("a")
    assert ended_at[0] - before == pytest.approx(2.0)
    assert kernel.failure is not None


def test_a_host_learns_of_the_failure_in_another_thread_and_may_stop_then() -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a")], intensity=0, backoff=QUICK, drain=lambda _within_s: 1 / 0)
    kernel.start()
    kernel.crash("a")
    eventually(lambda: kernel.failure is not None, "the supervisor has given up")
    kernel.stop()
    assert troupe.failures == [kernel.failure]
    assert not [thread for thread in threading.enumerate() if thread.name == "root-supervisor"]


def test_a_log_that_fails_does_not_keep_a_death_from_being_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    class FailingLog:
        def error(self, *_: object, **__: object) -> None:
            raise OSError("the log is gone")

    troupe = Troupe(Threads())
    troupe.on_close["a"] = refuse
    kernel = troupe.kernel([troupe.child("a")], backoff=QUICK)
    kernel.start()
    monkeypatch.setattr("tickwire.actors.kernel.incarnation._log", FailingLog())
    kernel.address("a").tell(Crash())
    assert troupe.ask("a", timeout_s=PATIENCE_S)[1] >= 2
    kernel.stop()
    assert kernel.zombies == 0


def test_an_error_of_the_supervisors_own_fails_it_rather_than_leave_actors_without_one() -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    kernel._children["a"].crash = lambda: refuse(troupe.actors["a"])  # type: ignore[method-assign]
    kernel.crash("a")
    eventually(lambda: kernel.failure is not None, "the supervisor has failed")
    assert isinstance(kernel.failure, SupervisorFailed)
    assert str(kernel.failure) == "root: the supervisor itself failed: OSError: refused"
    assert troupe.events("close") == ["a"]
    kernel.stop()


class _Waiting:
    """Waits for itself, on an Event in a socket's place."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.steps = 0
        self.handled: list[object] = []
        self.closed = threading.Event()
        self.fail_in_wait = False

    def open(self) -> None: ...

    def step(self, batch: Sequence[object]) -> None:
        self.steps += 1
        self.handled.extend(batch)

    def wait(self) -> None:
        self.event.wait(PATIENCE_S)
        self.event.clear()
        if self.fail_in_wait:
            self.fail_in_wait = False
            raise OSError("the selector broke")

    def wake(self) -> None:
        self.event.set()

    def close(self) -> None:
        self.closed.set()


def _waiting_kernel(made: list[_Waiting]) -> Supervisor:
    def make(_context: object) -> _Waiting:
        made.append(_Waiting())
        return made[-1]

    return Troupe(Threads()).kernel([ChildSpec(id="w", factory=make, shutdown_s=PATIENCE_S)], backoff=QUICK)


def test_a_behaviour_that_waits_for_itself_is_woken_by_messages_and_by_its_own_events() -> None:
    made: list[_Waiting] = []
    kernel = _waiting_kernel(made)
    kernel.start()
    waiting = made[0]
    kernel.address("w").tell("message")
    eventually(lambda: waiting.handled == ["message"], "the message was handled")
    steps = waiting.steps
    waiting.wake()
    eventually(lambda: waiting.steps > steps, "its own event led to a step")
    kernel.stop(PATIENCE_S)
    assert waiting.closed.is_set()


def test_a_wait_that_raises_is_a_death_like_another() -> None:
    made: list[_Waiting] = []
    kernel = _waiting_kernel(made)
    kernel.start()
    made[0].fail_in_wait = True
    made[0].wake()
    eventually(lambda: len(made) == 2, "there is a second incarnation")
    kernel.address("w").tell("message")
    eventually(lambda: made[1].handled == ["message"], "the second handles messages")
    kernel.stop(PATIENCE_S)


def test_a_crash_asked_for_reaches_one_who_waits() -> None:
    made: list[_Waiting] = []
    kernel = _waiting_kernel(made)
    kernel.start()
    kernel.crash("w")
    eventually(lambda: len(made) == 2, "there is a second incarnation")
    kernel.stop(PATIENCE_S)
    assert made[1].closed.is_set()


def test_a_wake_that_raises_does_not_hurt_the_sender() -> None:
    made: list[_Waiting] = []
    kernel = _waiting_kernel(made)
    kernel.start()
    waiting = made[0]
    original = waiting.wake
    waiting.wake = _raise(OSError("closed"))  # type: ignore[method-assign]
    assert kernel.address("w").tell("message") is PutResult.ACCEPTED
    waiting.wake = original  # type: ignore[method-assign]
    waiting.wake()
    eventually(lambda: "message" in waiting.handled, "the message was handled")
    kernel.stop(PATIENCE_S)
