"""Promises that hold whatever happens, in any order of turns: random lives of small houses on the stepped runtime."""

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernel_troupe import Actor, Crash, Finish, Run, Troupe

from tickwire.actors.kernel import (
    AddressDead,
    AskTimeout,
    Backoff,
    Stepped,
    SubtreeSpec,
    SupervisorSpec,
    TooManyZombies,
)

IDS = "abcd"
GENTLE = Backoff(min_s=0.2, max_s=2.0, random_factor=0.2)

events = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from(IDS), st.integers(1, 5)),
        st.tuples(st.just("ask"), st.sampled_from(IDS), st.just(0)),
        st.tuples(st.just("crash"), st.sampled_from(IDS), st.just(0)),
        st.tuples(st.just("finish"), st.sampled_from(IDS), st.just(0)),
        st.tuples(st.just("inject"), st.sampled_from(IDS), st.just(0)),
        st.tuples(st.just("hang"), st.sampled_from(IDS), st.just(0)),
        st.tuples(st.just("forward"), st.sampled_from(IDS), st.integers(0, 3)),
        st.tuples(st.just("advance"), st.just("a"), st.integers(0, 4)),
    ),
    max_size=40,
)


class Life:
    """A house, lived in; what was told to whom."""

    def __init__(self, strategy: Any, seed: int) -> None:
        self.stepped = Stepped(interleave=Random(seed))
        self.troupe = Troupe(self.stepped)
        self.told: dict[str, list[str]] = {id: [] for id in IDS}
        self.number = 0
        inner = SubtreeSpec(
            id="inner",
            children=[self._child("c"), self._child("d")],
            supervisor=SupervisorSpec(strategy=strategy, intensity=30, period_s=100.0, backoff=GENTLE),
        )
        self.kernel = self.troupe.kernel(
            [self._child("a"), self._child("b"), inner],
            strategy=strategy,
            intensity=200,
            period_s=10_000.0,
            backoff=GENTLE,
        )
        self.kernel.start()

    def _child(self, id: str) -> Any:
        return self.troupe.child(id, hang_after_s=1.0)

    def tell(self, id: str) -> None:
        self.number += 1
        message = f"{id}{self.number}"
        self.told[id].append(message)
        self.kernel.address(id).tell(message)

    def live(self, what: str, id: str, count: int) -> None:
        address = self.kernel.address(id)
        match what:
            case "tell":
                for _ in range(count):
                    self.tell(id)
            case "ask":
                try:
                    assert self.troupe.ask(id, timeout_s=60.0)[0] == id
                except AddressDead:
                    assert self.kernel.failure is not None
                except AskTimeout as error:
                    raise AssertionError("a question got no answer") from error
            case "crash":
                address.tell(Crash())
            case "finish":
                address.tell(Finish())
            case "inject":
                self.kernel.crash(id)
            case "hang":
                address.tell(Run(act=lambda _actor: self.stepped.advance(20.0)))
            case "forward":
                address.tell(Run(act=lambda actor: self._forward(actor, IDS[count])))
            case "advance":
                self.stepped.advance(count / 2)

    def _forward(self, actor: Actor, to: str) -> None:
        if actor.context.fence.closed:
            return
        self.number += 1
        message = f"{to}{self.number}"
        if actor.context.address(to).tell(message).value == "accepted":
            self.told[to].append(message)


@settings(max_examples=150, deadline=None)
@given(strategy=st.sampled_from(["one_for_one", "rest_for_one", "one_for_all"]), seed=st.integers(0, 999), life=events)
def test_all_runs_again_no_message_is_lost_and_each_order_is_kept(
    strategy: str, seed: int, life: list[tuple[str, str, int]]
) -> None:
    house = Life(strategy, seed)
    for event in life:
        house.live(*event)
    house.stepped.advance(400.0)

    if house.kernel.failure is not None:  # three hung at once: all has ended, and nothing runs
        assert isinstance(house.kernel.failure, TooManyZombies)
        assert {state.state for state in house.kernel.states()} == {"stopped"}
        return
    assert {state.state for state in house.kernel.states()} == {"running"}
    assert house.kernel.zombies == 0
    for id in IDS:
        handled = [message for message in house.troupe.handled[id] if isinstance(message, str)]
        firsts = list(dict.fromkeys(handled))
        assert firsts == house.told[id]
        assert house.troupe.state(id).mailbox_depth == 0
    opened, closed = Counter(house.troupe.events("open")), Counter(house.troupe.events("close"))
    assert all(opened[id] == closed[id] + 1 for id in IDS)

    house.kernel.stop()
    assert Counter(house.troupe.events("close")) == opened
    house.stepped.advance(1_000.0)
    assert Counter(house.troupe.events("open")) == opened


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 999), life=events, stop_at=st.integers(0, 40))
def test_a_stop_at_any_moment_ends_everything_in_time_and_for_good(
    seed: int, life: list[tuple[str, str, int]], stop_at: int
) -> None:
    house = Life("one_for_one", seed)
    for event in life[:stop_at]:
        if event[0] != "ask":
            house.live(*event)
    before = house.stepped.monotonic()
    ended_at: list[float] = []
    close = house.stepped.close

    def note_and_close() -> None:
        ended_at.append(house.stepped.monotonic())
        close()

    house.stepped.close = note_and_close  # type: ignore[method-assign]
    house.kernel.stop()
    assert isinstance(house.kernel.failure, TooManyZombies) or ended_at[0] - before <= 8.0
    assert {state.state for state in house.kernel.states()} == {"stopped"}
    opened = len(house.troupe.events("open"))
    house.stepped.advance(1_000.0)
    assert len(house.troupe.events("open")) == opened
    for id in IDS:
        assert house.kernel.address(id).tell("late").value == "dropped_closed"
