"""The one-thread runtime that tests and simulations lean on."""

from support.kernel_troupe import Run, Troupe

from tickwire.actors.kernel import Stepped


def test_nothing_happens_until_it_is_run() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")])
    kernel.start()
    kernel.address("a").tell(1)
    assert troupe.handled["a"] == []
    troupe.stepped.run()
    assert troupe.handled["a"] == [1]


def test_timers_fall_due_in_order_and_the_clock_stands_at_each() -> None:
    stepped = Stepped(start_s=0.0)
    seen: list[tuple[str, float]] = []
    for delay, name in ((3.0, "c"), (1.0, "a"), (1.0, "b")):
        stepped.after(delay, lambda name=name: seen.append((name, stepped.monotonic())))  # type: ignore[misc]
    stepped.after(2.0, lambda: seen.append(("never", 0.0))).cancel()
    stepped.advance(10.0)
    assert seen == [("a", 1.0), ("b", 1.0), ("c", 3.0)]
    assert stepped.monotonic() == 10.0


def test_an_actor_is_never_stepped_while_it_steps_but_others_are() -> None:
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a"), troupe.child("b")])
    kernel.start()
    kernel.address("a").tell(Run(act=lambda _actor: troupe.stepped.advance(5.0)))

    def tell_both() -> None:
        kernel.address("a").tell("meanwhile")
        kernel.address("b").tell("meanwhile")

    troupe.stepped.after(1.0, tell_both)
    order: list[str] = []
    troupe.stepped.after(2.0, lambda: order.extend(["b"] if troupe.handled["b"] else []))
    troupe.stepped.after(2.0, lambda: order.extend(["a"] if troupe.handled["a"] else []))
    troupe.stepped.run()
    assert order == ["b"]
    assert troupe.handled["a"][-1] == "meanwhile"


def test_a_question_runs_everything_until_its_answer() -> None:
    troupe = Troupe()
    troupe.kernel([troupe.child("a")]).start()
    before = troupe.stepped.monotonic()
    assert troupe.ask("a", 7) == ("a", 1, 7)
    assert troupe.stepped.monotonic() == before


def test_a_behaviour_that_waits_for_itself_is_stepped_at_intervals_and_by_messages() -> None:
    troupe = Troupe()
    steps: list[float] = []

    class Waiting:
        def open(self) -> None: ...

        def step(self, batch: object) -> None:
            steps.append(round(troupe.stepped.monotonic() - 1000.0, 3))

        def wait(self) -> None:
            raise AssertionError("nobody may block here")

        def wake(self) -> None: ...

        def close(self) -> None: ...

    child = troupe.child("w")
    kernel = troupe.kernel([type(child)(id="w", factory=lambda _context: Waiting())])
    kernel.start()
    troupe.stepped.run()
    troupe.advance(0.025)
    kernel.address("w").tell(1)
    troupe.stepped.run()
    assert steps == [0.0, 0.01, 0.02, 0.025]
    troupe.advance(0.01)
    assert steps[-1] == 0.035
    kernel.stop()
