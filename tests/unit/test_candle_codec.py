"""Candle JSON: what is written reads back, what QuFLX wrote is understood, what is no candle is left out."""

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickwire.market.candle_codec import BadCandles, candle_dict, decode_candles, encode_candles, offered_candles
from tickwire.market.timeframes import SECONDS
from tickwire.messages.candles import Candle

GOOD = {"timestamp": 1_702_934_400, "open": 1.1, "high": 1.3, "low": 1.0, "close": 1.2, "volume": 0}
"""An item as QuFLX v1 wrote it."""

prices = st.floats(1e-9, 1e9, allow_nan=False)
timeframes = st.sampled_from(list(SECONDS))


@st.composite
def candles_in(draw: st.DrawFn, timeframe: str) -> list[Candle]:
    places = draw(st.lists(st.integers(1, 50_000), unique=True, max_size=20))
    made = []
    for place in sorted(places):
        low, middle, other, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
        opened, closed = draw(st.sampled_from([(middle, other), (other, middle), (low, high), (high, low)]))
        made.append(
            Candle(
                timestamp=place * SECONDS[timeframe], open=opened, high=high, low=low, close=closed,
                volume=draw(st.sampled_from([0, 1.5, 10_000])), is_closed=True, timeframe=timeframe,
                ticks=draw(st.integers(0, 10**9)),
                quality=draw(st.sampled_from(["live", "backfilled", "partial", "gap"])),
            )
        )  # fmt: skip
    return made


def decode(*items: Any, timeframe: str = "1m") -> list[Candle]:
    return decode_candles(json.dumps(items).encode(), timeframe)


@settings(deadline=None)
@given(data=st.data(), timeframe=timeframes)
def test_what_is_written_reads_back(data: st.DataObject, timeframe: str) -> None:
    candles = data.draw(candles_in(timeframe))
    assert decode_candles(encode_candles(candles), timeframe) == candles
    assert orjson.loads(encode_candles(candles)) == [candle_dict(candle) for candle in candles]


@settings(deadline=None)
@given(data=st.data(), timeframe=timeframes)
def test_candles_come_back_ascending_and_each_once_in_whatever_order_they_stand(
    data: st.DataObject, timeframe: str
) -> None:
    candles = data.draw(candles_in(timeframe))
    shuffled = data.draw(st.permutations([*candles, *candles]))
    assert decode_candles(encode_candles(shuffled), timeframe) == candles


def test_fields_stand_in_the_contracts_order() -> None:
    (candle,) = decode(GOOD)
    assert encode_candles([candle]) == (
        b'[{"timestamp":1702934400,"open":1.1,"high":1.3,"low":1.0,"close":1.2,"volume":0,"is_closed":true,'
        b'"timeframe":"1m","ticks":0,"quality":"backfilled"}]'
    )


def test_an_item_of_quflx_v1_is_a_closed_candle_of_the_keys_timeframe() -> None:
    (candle,) = decode(GOOD | {"timestamp": 1_702_934_400.0, "open": 1}, timeframe="5m")
    assert (candle.timestamp, candle.open, candle.high, candle.low, candle.close) == (1_702_934_400, 1.0, 1.3, 1.0, 1.2)
    assert (candle.is_closed, candle.timeframe, candle.ticks, candle.quality) == (True, "5m", 0, "backfilled")
    assert type(candle.timestamp) is int


@pytest.mark.parametrize(
    "bad",
    [
        None, 7, "x", [], {},
        {"timestamp": None}, {"timestamp": "1702934400"}, {"timestamp": True}, {"timestamp": 0}, {"timestamp": -60},
        {"timestamp": 1_702_934_401}, {"timestamp": 1_702_934_400_000}, {"timestamp": 1_702_934_400.5},
        {"open": None}, {"open": "1.1"}, {"open": True}, {"open": 0}, {"open": -1}, {"open": 2.0},
        {"close": 0.5}, {"high": 1.15}, {"low": 1.15}, {"is_closed": False}, {"is_closed": "yes"},
    ],
)  # fmt: skip
def test_what_is_no_whole_closed_candle_is_left_out_and_its_neighbours_stay(bad: Any) -> None:
    item = GOOD | bad if isinstance(bad, dict) and bad else bad
    found = decode(GOOD, item, GOOD | {"timestamp": 1_702_934_460})
    assert [candle.timestamp for candle in found] == [1_702_934_400, 1_702_934_460]
    assert [candle.open for candle in found] == [1.1, 1.1]


@pytest.mark.parametrize("missing", ["timestamp", "open", "high", "low", "close"])
def test_nothing_that_is_missing_is_made_up(missing: str) -> None:
    assert decode({key: value for key, value in GOOD.items() if key != missing}) == []


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("volume", "many", 0), ("volume", None, 0), ("volume", True, 0), ("volume", 2.5, 2.5), ("ticks", -1, 0),
        ("ticks", 1.5, 0), ("ticks", True, 0), ("ticks", 9, 9), ("quality", "fine", "backfilled"),
        ("quality", ["live"], "backfilled"), ("quality", "gap", "gap"), ("timeframe", "1h", "1m"),
    ],
)  # fmt: skip
def test_what_only_describes_a_candle_is_put_right(field: str, value: Any, read: Any) -> None:
    (candle,) = decode(GOOD | {field: value})
    assert getattr(candle, field) == read


@pytest.mark.parametrize("payload", [b"", b"[", b"{}", b"null", b'"x"', b"1", b"\xff\xfe", b"[NaN]", b"[1,]"])
def test_what_is_no_array_is_said(payload: bytes) -> None:
    with pytest.raises(BadCandles):
        decode_candles(payload, "1m")


@pytest.mark.parametrize("field", ["timestamp", "open", "high", "low", "close"])
def test_a_whole_number_that_no_float_holds_is_refused_as_a_price_and_read_as_no_volume(field: str) -> None:
    with pytest.raises(BadCandles):
        offered_candles([GOOD | {field: 10**400}], "1m")
    (candle,) = offered_candles([GOOD | {"volume": 10**400}], "1m")
    assert candle.volume == 0


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_json_breaks_it(junk: Any) -> None:
    items = [GOOD | {key: junk} for key in (*GOOD, "is_closed", "ticks", "quality")]
    for item in items:
        for candle in decode_candles(json.dumps([item], allow_nan=False).encode() if _finite(item) else b"[]", "1m"):
            assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
            assert math.isfinite(candle.volume)


def _finite(item: Any) -> bool:
    try:
        json.dumps(item, allow_nan=False)
    except ValueError:
        return False
    return True
