"""What Pykka does that the kernel leans on or keeps clear of. A new Pykka that differs shows here."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest
from support.kernel_troupe import Run, Troupe
from support.tickwire_process import eventually

from tickwire.actors.kernel import Backoff, Threads

PATIENCE_S = 20.0


class Recorder(pykka.ThreadingActor):
    """Does what messages say; says what Pykka did."""

    use_daemon_thread = True

    def __init__(self, seen: list[Any], go_on: threading.Event | None = None) -> None:
        super().__init__()
        self.seen = seen
        self.go_on = go_on
        seen.append(("init", threading.current_thread().name))

    def on_receive(self, message: Any) -> Any:
        if message == "hold":
            assert self.go_on is not None
            self.go_on.wait(PATIENCE_S)
        elif isinstance(message, BaseException):
            raise message
        else:
            self.seen.append(message)
        return message

    def on_stop(self) -> None:
        self.seen.append("on_stop")

    def on_failure(self, *_: Any) -> None:
        self.seen.append("on_failure")


class FailsToStart(Recorder):
    def on_start(self) -> None:
        raise ValueError("in on_start")


@pytest.fixture(autouse=True)
def _no_actor_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    before = set(pykka.ActorRegistry.get_all())
    yield
    for ref in set(pykka.ActorRegistry.get_all()) - before:
        ref.stop(timeout=PATIENCE_S)


def _dead(ref: "pykka.ActorRef[Any]") -> None:
    assert ref.actor_stopped.wait(PATIENCE_S)


def test_fact_1_a_tell_that_raises_kills_the_actor_and_what_is_queued_behind_it_is_thrown_away() -> None:
    seen: list[Any] = []
    go_on = threading.Event()
    ref = Recorder.start(seen, go_on)
    for message in ("hold", ValueError("bug"), "lost"):
        ref.tell(message)
    asked = ref.ask("lost, too", block=False)
    go_on.set()
    _dead(ref)
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=PATIENCE_S)
    assert seen[1:] == ["on_failure"]


def test_fact_2_an_ask_that_raises_raises_at_the_caller_and_the_actor_lives_on() -> None:
    seen: list[Any] = []
    ref = Recorder.start(seen)
    with pytest.raises(ValueError, match="bug"):
        ref.ask(ValueError("bug"), timeout=PATIENCE_S)
    assert ref.ask("still there", timeout=PATIENCE_S) == "still there"


def test_fact_3_a_start_that_raises_runs_no_hook_and_init_runs_in_the_starters_thread() -> None:
    seen: list[Any] = []
    ref = FailsToStart.start(seen)
    _dead(ref)
    assert seen == [("init", threading.current_thread().name)]
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("anything")


def test_fact_4_a_base_exception_in_a_message_stops_all_actors_of_the_process() -> None:
    seen: list[Any] = []
    innocent = Recorder.start(seen)
    guilty = Recorder.start([])
    guilty.tell(SystemExit(3))
    _dead(guilty)
    _dead(innocent)
    eventually(lambda: "on_stop" in seen, "the innocent was stopped as well")


def test_fact_5_a_stop_waits_behind_the_backlog() -> None:
    seen: list[Any] = []
    go_on = threading.Event()
    ref = Recorder.start(seen, go_on)
    ref.tell("hold")
    for number in range(100):
        ref.tell(number)
    stopped = ref.stop(block=False)
    go_on.set()
    assert stopped.get(timeout=PATIENCE_S)
    assert seen[1:] == [*range(100), "on_stop"]


HANGING = """
import subprocess
import sys
import threading
from tickwire.actors.kernel import ChildSpec, Supervisor, SupervisorSpec

entered = threading.Event()

class Hangs:
    def open(self): ...
    def step(self, batch):
        entered.set()
        threading.Event().wait()
    def close(self): ...

kernel = Supervisor(SupervisorSpec(), [ChildSpec(id="a", factory=lambda _context: Hangs(), shutdown_s=0.1)])
kernel.start()
kernel.address("a").tell("hang")
entered.wait()
kernel.stop()
print("zombies", kernel.zombies)
"""


def test_fact_7_daemon_threads_let_a_process_end_that_has_a_zombie() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=3 * PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "zombies 1"


def test_fact_8_shutting_the_guarded_blocking_call_is_all_that_frees_a_thread() -> None:
    go_on = threading.Event()
    seen: list[Any] = []
    ref = Recorder.start(seen, go_on)
    ref.tell("hold")
    with pytest.raises(pykka.Timeout):
        ref.stop(timeout=0.05)
    assert ref.is_alive()
    go_on.set()
    _dead(ref)


def test_a_dead_actors_ref_refuses_tells_with_an_error_which_the_kernels_wake_swallows() -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a", restart="temporary")])
    kernel.start()
    kernel.crash("a")
    eventually(lambda: troupe.state("a").state == "stopped", "a has ended")
    kernel.address("a").tell("late")
    kernel.stop()


def test_a_child_crashes_without_pykka_ever_seeing_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a")], backoff=Backoff(min_s=0.01, max_s=0.01))
    kernel.start()
    kernel.crash("a")
    eventually(lambda: troupe.incarnation("a") == 2, "a was restarted")
    kernel.stop()
    assert not [record for record in caplog.records if record.name == "pykka"]


def test_a_host_that_stops_all_pykka_actors_makes_deaths_like_others() -> None:
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")], backoff=Backoff(min_s=0.01, max_s=0.01))
    kernel.start()
    pykka.ActorRegistry.stop_all(timeout=PATIENCE_S)
    eventually(lambda: troupe.incarnation("a") >= 2 and troupe.incarnation("b") >= 2, "both were restarted")
    assert troupe.ask("a", timeout_s=PATIENCE_S)[0] == "a"
    assert (troupe.state("a").last_error or "").startswith("StoppedFromOutside")
    kernel.stop()


def test_the_kernels_stop_leaves_other_pykka_actors_alone() -> None:
    seen: list[Any] = []
    others = Recorder.start(seen)
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    kernel.stop()
    assert others.ask("still there", timeout=PATIENCE_S) == "still there"


def test_an_incarnations_inbox_carries_nothing_but_wake_tokens() -> None:
    before = set(pykka.ActorRegistry.get_all())
    troupe = Troupe(Threads())
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    (ref,) = set(pykka.ActorRegistry.get_all()) - before
    entered, go_on = threading.Event(), threading.Event()
    kernel.address("a").tell(Run(act=lambda _actor: entered.set() or go_on.wait(PATIENCE_S)))  # type: ignore[func-returns-value]
    assert entered.wait(PATIENCE_S)
    for number in range(1000):
        kernel.address("a").tell(number)
    inbox: Any = ref.actor_inbox
    assert inbox.qsize() == 1
    go_on.set()
    kernel.stop()
