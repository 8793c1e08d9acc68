"""Hand-made hostile frames on every decoder and through the checks: no crash, no bad tick accepted, good ones kept."""

from typing import Any

import pytest
from support.wire import announced, rows_of, text

from tickwire.market.intake import Intake
from tickwire.market.ordinals import Ordinals
from tickwire.market.values import good_asset, price_text
from tickwire.market.wire import SAMPLE_BYTES, CandleRows, Decoder, Event, Frame, HistoryRows, LiveRows, Malformed
from tickwire.market.wire.pocketoption_events import READERS
from tickwire.market.wire.registry import VENUES, DecoderOptions
from tickwire.messages.ticks import RECEIVED

NOW_S = 1_756_866_774
NOW_US = NOW_S * 1_000_000
GOOD = b'["A",1756866774,1.5]'

ROWS: dict[str, bytes] = {
    "not a number": b'["A",1756866774,NaN]',
    "infinite by its digits": b'["A",1756866774,1e999]',
    "infinite by name": b'["A",1756866774,Infinity]',
    "less than nothing": b'["A",1756866774,-1.5]',
    "nothing": b'["A",1756866774,0]',
    "nothing, negative": b'["A",1756866774,-0.0]',
    "too small to be a float": b'["A",1756866774,1e-400]',
    "true": b'["A",1756866774,true]',
    "null": b'["A",1756866774,null]',
    "5000 digits": b'["A",1756866774,' + b"9" * 5000 + b"]",
    "5000 digits as text": b'["A",1756866774,"' + b"9" * 5000 + b'"]',
    "too precise": b'["A",1756866774,1.23456789012345678]',
    "ten thousand million": b'["A",1756866774,1e10]',
    "hexadecimal": b'["A",1756866774,"0x1F"]',
    "other digits": '["A",1756866774,"١.٥"]'.encode(),
    "price in a list": b'["A",1756866774,[1.5]]',
    "price in an object": b'["A",1756866774,{"p":1.5}]',
    "a key twice": b'["A",1756866774,{"p":1.5,"p":1.6}]',
    "stamp nought": b'["A",0,1.5]',
    "stamp negative": b'["A",-1756866774,1.5]',
    "stamp in milliseconds": b'["A",1756866774000,1.5]',
    "stamp true": b'["A",true,1.5]',
    "stamp infinite": b'["A",1e999,1.5]',
    "stamp not a number": b'["A",NaN,1.5]',
    "stamp of two days ahead": b'["A",1757039574,1.5]',
    "stamp of 5000 digits": b'["A",' + b"1" * 5000 + b",1.5]",
    "stamp a date": b'["A","2025-09-03T02:32:54Z",1.5]',
    "lone surrogate": b'["\\ud800",1756866774,1.5]',
    "surrogates reversed": b'["\\udc00\\ud800",1756866774,1.5]',
    "bytes that are no UTF-8": b'["\xff\xfe",1756866774,1.5]',
    "overlong UTF-8": b'["\xc0\x80",1756866774,1.5]',
    "escaped NUL": b'["A\\u0000",1756866774,1.5]',
    "raw NUL": b'["A\x00",1756866774,1.5]',
    "raw line feed": b'["A\n",1756866774,1.5]',
    "a pattern for an asset": b'["*",1756866774,1.5]',
    "a template for an asset": b'["{asset}",1756866774,1.5]',
    "a long asset": b'["' + b"A" * 100_000 + b'",1756866774,1.5]',
    "no asset": b'["",1756866774,1.5]',
    "asset a number": b"[5,1756866774,1.5]",
    "asset a list": b'[["A"],1756866774,1.5]',
    "two of three": b'["A",1756866774]',
    "four of three": b'["A",1756866774,1.5,1]',
    "empty row": b"[]",
    "row an object": b'{"0":"A","1":1756866774,"2":1.5}',
    "row a text": b'"A"',
    "row null": b"null",
    "nested 50 deep": b"[" * 50 + b"]" * 50,
}
PAYLOADS: dict[str, bytes] = {
    "nothing at all": b"",
    "cut in a row": b'[["A",1756866774,1.',
    "cut in a text": b'[["A',
    "cut before the end": b'[["A",1756866774,1.5]',
    "one bracket too many": b'[["A",1756866774,1.5]]]',
    "two payloads": b'[["A",1756866774,1.5]][["A",1756866774,1.5]]',
    "depth bomb of lists": b"[" * 200_000,
    "depth bomb, closed": b"[" * 200_000 + b"]" * 200_000,
    "depth bomb of objects": b'{"a":' * 100_000,
    "depth bomb with a surrogate": b'["\\ud800",' * 50_000,
    "a mebibyte of spaces and no JSON": b" " * 2**20 + b"NaN,",
    "binary": bytes(range(256)),
    "byte order mark": b'\xef\xbb\xbf[["A",1756866774,1.5]]',
    "UTF-16": '[["A",1756866774,1.5]]'.encode("utf-16"),
    "trailing comma": b'[["A",1756866774,1.5],]',
    "single quotes": b"[['A',1756866774,1.5]]",
    "comment": b'/* */[["A",1756866774,1.5]]',
}


def wired(venue: str, payload: bytes) -> list[Frame]:
    return announced("updateStream", payload) if venue == "pocketoption" else [text(payload)]


def judged(events: list[Event]) -> tuple[list[str], int]:
    """The prices that pass all checks, and how much was refused in all."""
    box = Intake(unit="s", unique_stamps=False, ordinals=Ordinals())
    accepted: list[str] = []
    for event in events:
        if isinstance(event, LiveRows):
            for ticks in box.live(event, NOW_US):
                assert good_asset(ticks.asset)
                assert all(price_text(price) for price in ticks.prices)
                accepted += ticks.prices
        elif isinstance(event, HistoryRows):
            box.history(event, NOW_US)
        elif isinstance(event, CandleRows):
            box.candles(event, 0, NOW_US)
    malformed = [event for event in events if isinstance(event, Malformed)]
    assert all(len(event.sample) <= SAMPLE_BYTES and event.count > 0 for event in malformed)
    return accepted, sum(count.count for count in box.take_counts() if count.reason != RECEIVED) + sum(
        event.count for event in malformed
    )


def decoder(venue: str) -> Decoder:
    return VENUES[venue].make_decoder(DecoderOptions(recorded=True))


@pytest.mark.parametrize("around", [1, 10])
@pytest.mark.parametrize("venue", ["pocketoption", "json"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_hostile_row_is_refused_and_the_good_rows_of_its_frame_are_kept(venue: str, row: bytes, around: int) -> None:
    good = b"[" + GOOD + b"]"
    frames = [good] * around + [b"[" + GOOD + b"," + row + b"," + GOOD + b"]"] + [good] * around
    events = list(decoder(venue).receive([frame for payload in frames for frame in wired(venue, payload)]))
    assert judged(events) == (["1.5"] * (2 * around + 2), 1)


@pytest.mark.parametrize("around", [1, 10])
@pytest.mark.parametrize("venue", ["pocketoption", "json"])
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_hostile_frame_is_refused_and_the_frames_around_it_are_kept(venue: str, payload: bytes, around: int) -> None:
    good = b"[" + GOOD + b"]"
    frames = [good] * around + [payload] + [good] * around
    events = list(decoder(venue).receive([frame for each in frames for frame in wired(venue, each)]))
    assert judged(events) == (["1.5"] * 2 * around, 1)


def shortly(value: object) -> str:
    return repr(value)[:40]


@pytest.mark.parametrize("event", [*READERS, "successauth", "NotAuthorized", "unheard/of"])
@pytest.mark.parametrize("payload", [*PAYLOADS.values(), *ROWS.values(), b"{}", b"[[]]", b'{"asset":"A"}', b"[{}]",
                                     b'{"asset":5,"period":60,"history":[[1,2]],"candles":[[1,2,3,4,5]]}',
                                     b'{"asset":"A","period":60,"data":[{"time":1,"open":[],"high":{},"low":0,"close":NaN}]}',
                                     b'{"asset":"A","period":60,"history":[[null,null],[1e999,NaN]],"candles":[[{},1,1,1,1],[2,1,1,1,1]]}',
                                     b'[[1,"A",NaN,null,4,5,6,7,8,9,10,11,12,13,14]]'], ids=shortly)  # fmt: skip
def test_whatever_an_events_payload_is_the_next_tick_is_read(event: str, payload: bytes) -> None:
    one = decoder("pocketoption")
    judged(list(one.receive(announced(event, payload))))
    assert rows_of(one.receive(announced("updateStream", b"[" + GOOD + b"]"))) == [("A", NOW_S, 1.5)]


HEADERS: list[bytes] = [
    b'451-["updateStream"]', b"451-[]", b"451-{}", b'451-["updateStream",{"_placeholder":true,"num":-1}]',
    b'451-["updateStream",{"_placeholder":true,"num":1e999}]', b'451-["updateStream",{"_placeholder":1,"num":0}]',
    b'451-["updateStream",{"num":0}]', b'451-["\\ud800",{"_placeholder":true,"num":0}]', b'4599999-["updateStream",1]',
    b'45-1-["updateStream"]', b"451-" + b"[" * 100_000, b'451-["updateStream",{"_placeholder":true,"num":0},"\xff"]',
    b"42" + b"[" * 100_000, b'42["updateStream",' + b"[" * 100_000, b'42["\xff"]', b'0{"pingInterval":1e999}',
    b"0" + b"{" * 100_000, b'0{"pingInterval":' + b"9" * 5000 + b',"pingTimeout":1}', b"40{", b"4" * 10_000, b"\x00",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=shortly)
def test_a_hostile_header_costs_at_most_its_own_event(header: bytes) -> None:
    one = decoder("pocketoption")
    judged(list(one.receive([text(header), *announced("updateStream", b"[" + GOOD + b"]")])))
    assert rows_of(one.receive(announced("updateStream", b"[" + GOOD + b"]"))) == [("A", NOW_S, 1.5)]


ENVELOPES: dict[str, list[Any]] = {
    "coinbase": [b'{"type":"match"%b}', b'{"type":"match","product_id":"A","time":%b,"price":%b,"trade_id":1}'],
    "bitstamp": [b'{"event":"trade","channel":%b,"data":%b}'],
    "binance": [b'{"stream":"x","data":{"e":"aggTrade","s":%b,"p":%b}}', b'{"data":%b}'],
    "kraken": [b'[1,%b,"trade","XBT/USD"]', b'[1,[[%b,"1","1"]],"trade","XBT/USD"]', b'[1,[%b],"trade",%b]'],
}


@pytest.mark.parametrize("venue", ENVELOPES)
@pytest.mark.parametrize(
    "value", [*PAYLOADS.values(), *ROWS.values(), b'{"id":1,"price_str":[],"microtimestamp":{}}'], ids=shortly
)
def test_an_exchanges_hostile_message_is_never_a_tick(venue: str, value: bytes) -> None:
    one = decoder(venue)
    for envelope in [*ENVELOPES[venue], b"%b"]:
        payload = envelope.replace(b"%b", value)
        assert judged(list(one.receive([text(payload)])))[0] == []
