"""Which stamps, prices and assets are good."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.market.codec import bulk_to_json, encode_ticks, join_json, json_to_bulk
from tickwire.market.intake import GoodTicks, Intake
from tickwire.market.ordinals import Ordinals
from tickwire.market.values import good_asset, price_text, price_texts, stamp_us, stamps_us
from tickwire.market.wire import CandleRows, HistoryRows, LiveRows
from tickwire.messages.ticks import RECEIVED

NOW_S = 1_756_866_774.0
NOW_US = 1_756_866_774_000_000


def intake(*, unique: bool = False, unit: str = "s", selected: tuple[str, ...] = ()) -> Intake:
    return Intake(unit=unit, unique_stamps=unique, ordinals=Ordinals(), selected=selected)


def take(rows: list[tuple[Any, Any, Any]], box: Intake) -> list[GoodTicks]:
    assets, stamps, prices = (list(column) for column in zip(*rows, strict=True))
    return box.live(LiveRows(assets, stamps, prices), NOW_US)


def reasons(box: Intake) -> dict[tuple[str, str], int]:
    return {(count.asset, count.reason): count.count for count in box.take_counts() if count.reason != RECEIVED}


BAD_PRICES: list[Any] = [
    0, -1.5, True, None, "", "abc", [], {}, "1e5", "+1", "-1", " 1", "01.5", "1.", ".5", "0", "0.0", "NaN", "1_0",
    math.nan, math.inf, -math.inf, 1e10, 10**10, 10**400, "9" * 5000, 0.1 + 0.2, "1.12345678901", "123456789.1234567",
    1e-11, "١",
]  # fmt: skip
BAD_STAMPS: list[Any] = [
    0, -1, True, None, "", "now", [], math.nan, math.inf, 1e300, 10**400, NOW_S + 86_401, 1.0, NOW_S * 1000, "1e9", "٣",
]  # fmt: skip
BAD_ASSETS: list[Any] = ["", "A" * 21, "A B", "A*", "A:B", "é", "A\n", None, 5, True, ["A"], {}, "A{x}", "%s"]


@pytest.mark.parametrize("price", BAD_PRICES, ids=lambda value: repr(value)[:24])
def test_a_bad_price_is_refused_alone_and_counted(price: object) -> None:
    box = intake()
    good = take([("A", NOW_S, 1.5), ("A", NOW_S, price), ("A", NOW_S + 1, 2.5)], box)
    assert [ticks.prices for ticks in good] == [["1.5", "2.5"]]
    assert reasons(box) == {("A", "bad_price"): 1}


@pytest.mark.parametrize("stamp", BAD_STAMPS, ids=lambda value: repr(value)[:24])
def test_a_bad_stamp_is_refused_alone_and_counted(stamp: object) -> None:
    box = intake()
    good = take([("A", NOW_S, 1.5), ("A", stamp, 2), ("A", NOW_S + 1, 2.5)], box)
    assert [ticks.prices for ticks in good] == [["1.5", "2.5"]]
    assert reasons(box) == {("A", "bad_stamp"): 1}


@pytest.mark.parametrize("asset", BAD_ASSETS, ids=repr)
def test_a_bad_asset_is_refused_alone_and_counted(asset: object) -> None:
    box = intake()
    good = take([("A", NOW_S, 1.5), (asset, NOW_S, 2), ("A", NOW_S + 1, 2.5)], box)
    assert [ticks.prices for ticks in good] == [["1.5", "2.5"]]
    assert reasons(box) == {("?", "bad_asset"): 1}


@pytest.mark.parametrize("asset", ["EURUSD_otc", "#AAPL_otc", "TON-USD_otc", "XBT/USD", "BRK.B", "A" * 20])
def test_the_venues_spellings_are_good_assets(asset: str) -> None:
    assert good_asset(asset)


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (1.06548, "1.06548"), (5, "5"), ("1.10", "1.10"), (113.833, "113.833"), (1e-05, "0.00001"),
        (0.072996, "0.072996"), (9999999999.0, "9999999999.0"), ("0.0000000001", "0.0000000001"),
        (123456.123456789, "123456.123456789"),
    ],
)  # fmt: skip
def test_a_price_keeps_its_decimal_text(price: object, text: str) -> None:
    assert price_text(price) == text


@pytest.mark.parametrize(
    ("stamp", "unit", "us"),
    [
        (1756866774.962, "s", 1756866774962000), (1756866774, "s", 1756866774000000),
        ("1756866774.962", "s", 1756866774962000),
        (1756866774962, "ms", 1756866774962000), (1756866774962.5, "ms", 1756866774962500),
        (1756866774962001, "us", 1756866774962001), (1756866774962001999, "ns", 1756866774962001),
        ("1756866774962001999", "ns", 1756866774962001),
    ],
)  # fmt: skip
def test_stamps_of_every_unit_become_whole_microseconds(stamp: object, unit: str, us: int) -> None:
    assert stamp_us(stamp, unit) == (us, stamp if isinstance(stamp, str) else repr(stamp))


ANY_PRICE = st.one_of(
    st.floats(), st.integers(-(10**12), 10**12), st.sampled_from([1.5, 0.0001, 1e-7, 12345.678, 113.833]), st.booleans()
)


@given(st.lists(ANY_PRICE, min_size=1, max_size=20))
def test_a_column_of_prices_is_judged_as_its_elements_are(prices: list[Any]) -> None:
    texts = price_texts(prices)
    if texts is not None:
        assert texts == [price_text(price) for price in prices]


@given(
    st.lists(st.one_of(st.floats(), st.integers(-5, 10**20)), min_size=1, max_size=20),
    st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_a_column_of_stamps_is_judged_as_its_elements_are(stamps: list[Any], unit: str) -> None:
    whole = stamps_us(stamps, unit)
    if whole is not None:
        assert list(zip(*whole, strict=True)) == [stamp_us(stamp, unit) for stamp in stamps]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(st.tuples(st.sampled_from(["A", "B"]) | JSON, st.just(NOW_S) | JSON, st.just(1.5) | JSON), min_size=1))
def test_nothing_that_json_can_say_breaks_the_intake_and_every_tick_is_accounted_for(
    rows: list[tuple[Any, Any, Any]],
) -> None:
    box = intake()
    good = take(rows, box)
    assert sum(len(ticks.raw_us) for ticks in good) + sum(reasons(box).values()) == len(rows)
    assert all(good_asset(ticks.asset) and all(map(price_text, ticks.prices)) for ticks in good)


ANY_ASSET = st.sampled_from(["A", "B", "C"]) | st.sampled_from(["D", "A*", "", 5, None])


@given(
    st.lists(
        st.tuples(ANY_ASSET, st.integers(0, 3).map(lambda s: NOW_S + s), st.sampled_from([1.5, 2, 1e-5, "1.50", -1])),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
)
def test_a_read_is_judged_as_its_rows_are_one_by_one(rows: list[tuple[Any, Any, Any]], unique: bool) -> None:
    whole, apart = (intake(unique=unique, selected=("A", "B", "C")) for _ in range(2))
    parted: dict[str, list[tuple[Any, ...]]] = {}
    for ticks in take(rows, whole):
        parted[ticks.asset] = list(zip(ticks.raw_us, ticks.stamps, ticks.prices, ticks.ordinals, strict=True))
    alone: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        for ticks in take([row], apart):
            alone.setdefault(ticks.asset, []).extend(
                zip(ticks.raw_us, ticks.stamps, ticks.prices, ticks.ordinals, strict=True)
            )
    assert parted == alone
    assert reasons(whole) == reasons(apart)


def test_ticks_of_several_assets_are_parted_in_arrival_order() -> None:
    good = take([("A", NOW_S, 1.5), ("B", NOW_S, 2.5), ("A", NOW_S - 1, 3.5)], intake())
    assert [(ticks.asset, ticks.prices) for ticks in good] == [("A", ["1.5", "3.5"]), ("B", ["2.5"])]


def test_assets_not_selected_are_counted_under_their_name() -> None:
    box = intake(selected=("B",))
    assert [ticks.asset for ticks in take([("A", NOW_S, 1.5), ("B", NOW_S, 2.5)], box)] == ["B"]
    assert reasons(box) == {("A", "not_selected"): 1}


def test_an_exact_repeat_is_a_duplicate_where_stamps_are_unique_and_a_tick_of_its_own_elsewhere() -> None:
    rows: list[tuple[Any, Any, Any]] = [("A", NOW_S, 1.5), ("A", NOW_S, 1.5), ("A", NOW_S, 1.6)]
    unique, plain = intake(unique=True), intake()
    assert [(t.prices, t.ordinals) for t in take(rows, unique)] == [(["1.5", "1.6"], [0, 0])]
    assert reasons(unique) == {("A", "duplicate"): 1}
    assert [(t.prices, t.ordinals) for t in take(rows, plain)] == [(["1.5", "1.5", "1.6"], [0, 1, 0])]


def test_trade_ids_take_the_ordinals_place() -> None:
    box = intake()
    rows = LiveRows(["A", "A", "A"], [NOW_S] * 3, [1.5] * 3, ["x1", 7, None])
    (ticks,) = box.live(rows, NOW_US)
    assert (ticks.trade_ids, ticks.ordinals) == (["x1", "7"], [0, 0])
    assert reasons(box) == {("A", "bad_trade_id"): 1}


def test_history_counts_its_ordinals_by_itself() -> None:
    box = intake()
    take([("A", NOW_S, 1.5)], box)
    ticks = box.history(HistoryRows("A", [NOW_S, NOW_S], [1.5, 1.5]), NOW_US)
    assert ticks is not None
    assert ticks.ordinals == [0, 1]


def test_a_brokers_candle_must_hold_together() -> None:
    box = intake()
    rows = [(NOW_S, 1, 2, 1, 1.5), (NOW_S, 1, 2, 1.4, 1.5), (NOW_S, 1, 2, 1, None), ("x", 1, 2, 1, 1.5)]
    candles = box.candles(CandleRows("A", 60, rows), 7_200_000_000, NOW_US)
    assert candles is not None
    assert candles.rows == [(1756866774 - 7200, 1.0, 2.0, 1.0, 1.5)]
    assert reasons(box) == {("A", "bad_candle"): 3}


def test_a_tick_is_encoded_as_the_contract_says() -> None:
    bulks = encode_ticks(
        asset="EURUSD_otc", source="pocketoption", epoch="01J9", first_seq=1287, recv_us=1694973457274000,
        ts_us=[1694973457271000, 1694973457272000], prices=["1.06548", "1.0650"],
    )  # fmt: skip
    assert bulk_to_json(bulks[0]) == (
        b'{"asset":"EURUSD_otc","price":1.06548,"timestamp":1694973457.271,"source":"pocketoption",'
        b'"seq":1287,"epoch":"01J9","received_at":1694973457.274}'
    )
    assert b'"price":1.0650,' in bulks[1]
    assert bulks[0] == json_to_bulk(bulk_to_json(bulks[0]))
    assert [tick["seq"] for tick in orjson.loads(join_json(bulks))] == [1287, 1288]
