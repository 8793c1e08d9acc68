"""(epoch, seq) per asset: held until granted, then +1 a tick."""

import orjson

from tickwire.market.codec import bulk_to_json
from tickwire.market.intake import GoodTicks
from tickwire.market.numbering import Numbering


def ticks(asset: str, *prices: str) -> GoodTicks:
    count = len(prices)
    return GoodTicks(
        asset=asset,
        raw_us=[7_200_000_000 + i for i in range(count)],
        stamps=[str(i) for i in range(count)],
        prices=prices,
        ordinals=[0] * count,
    )


def test_ticks_wait_for_the_grant_and_come_out_in_order_with_their_own_times() -> None:
    numbering = Numbering("v")
    assert numbering.number(ticks("A", "1", "2"), 10, 0) is None
    assert numbering.number(ticks("A", "3"), 20, 0) is None
    assert list(numbering.to_ask()) == ["A"]
    assert list(numbering.to_ask()) == []
    assert numbering.held_ticks == 3
    held = numbering.grant("A", "E", 5)
    assert [(recv, c.first_seq, list(c.prices)) for recv, c in held] == [(10, 5, ["1", "2"]), (20, 7, ["3"])]
    assert numbering.held_ticks == 0
    more = numbering.number(ticks("A", "4"), 30, 0)
    assert more is not None
    assert (more.epoch, more.first_seq) == ("E", 8)
    assert orjson.loads(bulk_to_json(more.encoded[0]))["seq"] == 8


def test_the_clock_offset_is_taken_off_the_stamp_and_kept_beside_it() -> None:
    numbering = Numbering("v")
    numbering.number(ticks("A", "1"), 10, 0)
    numbering.grant("A", "E", 1)
    columns = numbering.number(ticks("A", "1"), 10, 7_200_000_000)
    assert columns is not None
    assert (list(columns.ts_us), columns.offset_us) == ([0], 7_200_000_000)


def test_a_refused_asset_drops_what_was_held_and_says_how_much() -> None:
    numbering = Numbering("v")
    numbering.number(ticks("A", "1", "2"), 10, 0)
    assert numbering.refuse("A", "other") == 2
    assert numbering.refused("A")
    assert numbering.number(ticks("A", "3"), 10, 0) is None
    assert numbering.held_ticks == 0


def test_a_released_asset_is_asked_for_again() -> None:
    numbering = Numbering("v")
    numbering.number(ticks("A", "1"), 10, 0)
    numbering.to_ask()
    numbering.refuse("A", "other")
    numbering.release("A")
    assert numbering.number(ticks("A", "2"), 10, 0) is None
    assert list(numbering.to_ask()) == ["A"]


def test_a_second_grant_changes_nothing() -> None:
    numbering = Numbering("v")
    numbering.number(ticks("A", "1"), 10, 0)
    numbering.grant("A", "E", 1)
    assert list(numbering.grant("A", "F", 9)) == []
    columns = numbering.number(ticks("A", "2"), 10, 0)
    assert columns is not None
    assert (columns.epoch, columns.first_seq) == ("E", 2)
