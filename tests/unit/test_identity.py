"""A tick's uid, ordinals and epochs."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from tickwire.market.identity import new_epoch, tick_uids
from tickwire.market.ordinals import REMEMBERED_STAMPS, Ordinals, ordinals_of_history


def uid(**changed: object) -> str:
    fields: dict[str, object] = {
        "source": "pocketoption",
        "asset": "EURGBP_otc",
        "raw_us": [1756866774962000],
        "stamps": ["1756866774.962"],
        "prices": ["0.87951"],
        "ordinals": [0],
    }
    return tick_uids(**(fields | changed))[0]  # type: ignore[arg-type]


def test_the_uid_of_a_known_tick_never_changes() -> None:
    # Golden vector: rows in users' databases were written with it.
    assert uid() == "01990d6b-87b2-8d8f-a38e-34aac12e79f9"


def test_a_uid_is_a_uuid_of_version_8_that_begins_with_the_milliseconds_of_the_raw_stamp() -> None:
    parsed = uuid.UUID(uid())
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == 1756866774962


def test_every_ingredient_changes_the_uid() -> None:
    uids = {
        uid(),
        uid(source="json"),
        uid(asset="EURGBP"),
        uid(stamps=["1756866774.9620"]),
        uid(prices=["0.879510"]),
        uid(ordinals=[1]),
        uid(ordinals=["trade-7"]),
    }
    assert len(uids) == 7


def test_later_epochs_sort_higher_and_none_comes_twice() -> None:
    early, late = new_epoch(1_000_000_000), new_epoch(2_000_000_000)
    assert early < late
    assert len(early) == 26
    assert len({new_epoch(5) for _ in range(100)}) == 100


def test_equal_ticks_get_rising_ordinals_and_others_zero() -> None:
    ordinals = Ordinals()
    assert ordinals.assign("A", [1, 2, 2, 2, 3], ["1", "1", "1", "2", "1"]) == [0, 0, 1, 0, 0]
    ordinals.commit()
    assert ordinals.assign("A", [2, 2, 3], ["1", "3", "1"]) == [2, 0, 1]
    assert ordinals.assign("B", [2], ["1"]) == [0]


def test_equal_ticks_of_one_step_are_told_apart_however_many_messages_they_come_in() -> None:
    ordinals = Ordinals()
    assert ordinals.assign("A", [1, 2], ["1", "1"]) == [0, 0]
    assert [ordinals.assign("A", [2, 2], ["1", "2"]) for _ in range(3)] == [[1, 0], [2, 1], [3, 2]]
    assert ordinals.assign("A", [3], ["1"]) == [0]
    assert ordinals.assign("A", [3, 2], ["1", "1"]) == [1, 4]
    ordinals.commit()
    assert ordinals.assign("A", [2, 2, 3], ["1", "2", "1"]) == [5, 3, 2]


def test_a_crashed_step_leaves_the_ordinals_as_they_were() -> None:
    ordinals = Ordinals()
    ordinals.assign("A", [1], ["1"])
    ordinals.commit()
    first = ordinals.assign("A", [1, 1], ["1", "1"])
    ordinals.forget_staged()
    assert ordinals.assign("A", [1, 1], ["1", "1"]) == first == [1, 2]


def test_only_the_last_stamps_are_remembered() -> None:
    ordinals = Ordinals()
    ordinals.assign("A", list(range(1, REMEMBERED_STAMPS + 2)), ["1"] * (REMEMBERED_STAMPS + 1))
    ordinals.commit()
    assert ordinals.assign("A", [1, 2], ["1", "1"]) == [0, 1]


@given(st.lists(st.tuples(st.integers(1, 8), st.sampled_from("123")), min_size=1), st.lists(st.integers(1, 9)))
def test_ordinals_are_the_same_however_the_ticks_are_cut_into_steps(
    ticks: list[tuple[int, str]], cuts: list[int]
) -> None:
    seen: dict[tuple[int, str], int] = {}
    expected = []
    for tick in ticks:
        expected.append(seen.get(tick, 0))
        seen[tick] = seen.get(tick, 0) + 1
    ordinals, got, rest = Ordinals(), [], list(ticks)
    for cut in [*cuts, len(ticks)]:
        part, rest = rest[:cut], rest[cut:]
        if part:
            got += ordinals.assign("A", [us for us, _ in part], [price for _, price in part])
            if cut % 2:
                ordinals.commit()
    assert got == expected
    assert ordinals_of_history([us for us, _ in ticks], [price for _, price in ticks]) == expected
