"""Supervision as data is checked when built (scenario S03)."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kernel_troupe import Troupe, refuse

from tickwire.actors.kernel import Backoff, ChildSpec, MailboxSpec, SpecError, SubtreeSpec, SupervisorSpec


def _child(**settings: Any) -> ChildSpec:
    return Troupe().child("a", **settings)


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: _child(restart="always"), "restart='always' is unknown: take one of permanent, transient, temporary"),
    (lambda: _child(shutdown_s=-1.0), "child 'a': shutdown_s=-1.0: take at least 0"),
    (lambda: _child(start_deadline_s=0), "child 'a': start_deadline_s=0: take more than 0"),
    (lambda: _child(hang_after_s=0), "child 'a': hang_after_s=0: take more than 0"),
    (lambda: _child(hang_after_s=4.0, longest_call_s=2.0), "longest_call_s=2.0 is not under half of hang_after_s=4.0"),
    (lambda: _child(hang_after_s=1.0, collect_s=0.5), "collect_s=0.5 is not under half of hang_after_s=1.0"),
    (lambda: _child(collect_s=-0.1), "child 'a': collect_s=-0.1: take at least 0"),
    (lambda: _child(max_crashes_per_message=0), "max_crashes_per_message=0: take at least 1"),
    (lambda: Troupe().child(""), "a child's id is empty: name it"),
    (lambda: MailboxSpec(overflow="explode"), "overflow='explode' is unknown"),  # type: ignore[arg-type]
    (lambda: MailboxSpec(capacity=0), "capacity=0: take at least 1"),
    (lambda: MailboxSpec(high=10), "watermarks high=10 low=None: give both or neither"),
    (lambda: MailboxSpec(high=10, low=11), "low=11 is more than high=10"),
    (lambda: MailboxSpec(high=10, low=5, capacity=10), "high=10 is never passed with capacity=10"),
    (lambda: Backoff(min_s=0), "backoff min_s=0: take more than 0"),
    (lambda: Backoff(min_s=2.0, max_s=1.0), "backoff min_s=2.0 is more than max_s=1.0"),
    (lambda: Backoff(random_factor=-0.1), "backoff random_factor=-0.1: take at least 0"),
    (lambda: Backoff(reset_after_s=0), "backoff reset_after_s=0: take more than 0"),
    (lambda: SupervisorSpec(strategy="some"), "strategy='some' is unknown"),  # type: ignore[arg-type]
    (lambda: SupervisorSpec(period_s=0), "period_s=0: take more than 0"),
    (lambda: SupervisorSpec(intensity=-1), "intensity=-1: take at least 0"),
    (lambda: SubtreeSpec(id="", children=[]), "a subtree's id is empty: name it"),
    (lambda: SubtreeSpec(id="t", children=[], restart="x"), "subtree 't': restart='x' is unknown"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("build", "says"), WRONG, ids=[says for _, says in WRONG])
def test_s03_what_can_not_be_is_said_precisely(build: Callable[[], object], says: str) -> None:
    with pytest.raises(SpecError) as refused:
        build()
    assert says in str(refused.value)


def test_s03_an_id_given_twice_is_named_wherever_in_the_tree_it_is() -> None:
    troupe = Troupe()
    twice = [troupe.child("a"), SubtreeSpec(id="t", children=[troupe.child("b"), troupe.child("a")])]
    with pytest.raises(SpecError, match="child id 'a' is given twice"):
        troupe.kernel(twice)


def test_s03_an_intensity_that_the_backoffs_never_let_it_reach_is_refused() -> None:
    with pytest.raises(SpecError, match=r"intensity=10 within period_s=60\.0 is never passed: .* 133\.2 s"):
        SupervisorSpec(intensity=10, period_s=60.0, backoff=Backoff(min_s=0.2, max_s=30.0, random_factor=0.2))


@given(
    intensity=st.integers(0, 12),
    period_s=st.floats(0.1, 100.0),
    min_s=st.floats(0.01, 5.0),
    growth=st.floats(1.0, 50.0),
)
def test_a_spec_that_is_accepted_gives_up_on_a_child_that_always_dies_at_once(
    intensity: int, period_s: float, min_s: float, growth: float
) -> None:
    backoff = Backoff(min_s=min_s, max_s=min_s * growth, random_factor=0.0, reset_after_s=1.0)
    try:
        SupervisorSpec(intensity=intensity, period_s=period_s, backoff=backoff)
    except SpecError:
        return
    troupe = Troupe()
    kernel = troupe.kernel([troupe.child("a")], intensity=intensity, period_s=period_s, backoff=backoff)
    kernel.start()
    troupe.on_open["a"] = refuse
    troupe.crash("a")
    troupe.advance(period_s)
    assert kernel.failure is not None
