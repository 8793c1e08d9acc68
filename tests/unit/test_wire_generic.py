"""Ticks as plain JSON, in the shapes that people send; exchanges' chatter is ignored."""

import orjson
import pytest
from support.wire import bad_of, rows_of, text

from tickwire.market.wire import Ignored, LiveRows, Malformed, Opened, Send
from tickwire.market.wire.generic import JsonDecoder


def receive(*payloads: str, **names: str) -> list[object]:
    """What comes of these frames, the opening aside."""
    first, *events = JsonDecoder(**names).receive([text(payload) for payload in payloads])
    assert first == Opened()
    return [*events]


@pytest.mark.parametrize(
    "payload",
    [
        '["A",1.5,2.5]', '[["A",1.5,2.5]]', '{"asset":"A","timestamp":1.5,"price":2.5}',
        '{"symbol":"A","ts":1.5,"last":2.5}', '{"pair":"A","time":1.5,"p":2.5}', '{"asset":"A","t":1.5,"price":2.5}',
        '[{"asset":"A","t":1.5,"price":2.5}]', ' [ [ "A" , 1.5 , 2.5 ] ] ',
        '{"asset":"A","symbol":"B","price":2.5,"last":9,"timestamp":1.5,"ts":9,"more":[1]}',
    ],
)  # fmt: skip
def test_every_documented_shape_is_a_tick(payload: str) -> None:
    assert receive(payload) == [LiveRows(("A",), (1.5,), (2.5,))]


def test_a_list_holds_ticks_of_any_shape() -> None:
    payload = '[["A",1,"1.50"],{"asset":"B","ts":2,"price":2}]'
    assert receive(payload) == [LiveRows(("A", "B"), (1, 2), ("1.50", 2))]


def test_fields_of_other_names_are_read_where_they_are_given_and_the_usual_ones_not() -> None:
    names = {"asset_field": "s", "price_field": "v", "time_field": "T"}
    events = receive('{"s":"XBT/USD","v":"1.50","T":5}', '{"asset":"A","price":1,"ts":2,"type":"old"}', **names)
    assert events == [LiveRows(("XBT/USD",), (5,), ("1.50",)), Ignored("old")]


def test_trade_ids_are_kept_where_their_field_is_given() -> None:
    events = receive('{"asset":"A","ts":1,"price":2,"id":"x7"}', '{"asset":"A","ts":1,"price":2}', id_field="id")
    assert events == [LiveRows(("A", "A"), (1, 1), (2, 2), ("x7", None))]


def test_rows_have_no_trade_ids_and_stay_in_order_among_those_that_have() -> None:
    payload = '[{"asset":"A","ts":1,"price":1,"id":1},["A",2,2],{"asset":"A","ts":3,"price":3,"id":3}]'
    assert receive(payload, id_field="id") == [
        LiveRows(("A",), (1,), (1,), (1,)),
        LiveRows(("A",), (2,), (2,)),
        LiveRows(("A",), (3,), (3,), (3,)),
    ]


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ('{"event":"systemStatus"}', "systemStatus"), ('{"type":"ticker","price":1}', "ticker"),
        ('{"x":1}', "object"), ('[0,{"a":1},"book","XBT/USD"]', "list"), ("5", "value"),
        ("null", "value"), ('"hello"', "value"), ('{"event":5}', "unnamed"), ('{"event":""}', "unnamed"),
    ],
)  # fmt: skip
def test_chatter_is_ignored_by_name(payload: str, name: str) -> None:
    assert receive(payload) == [Ignored(name)]


def test_an_empty_list_says_nothing() -> None:
    assert receive("[]") == []


def test_chatter_between_ticks_keeps_its_place() -> None:
    events = receive('["A",1,1]', '{"event":"pong"}', '["A",2,2]')
    assert events == [LiveRows(("A",), (1,), (1,)), Ignored("pong"), LiveRows(("A",), (2,), (2,))]


@pytest.mark.parametrize("payload", ["", "{", "nope", '["A",1,2', '[["A",1,2]]]', "\x00"])
def test_what_is_no_json_is_malformed_and_the_rest_kept(payload: str) -> None:
    events = receive('["A",1,1]', payload, '["A",2,2]')
    assert rows_of(events) == [("A", 1, 1), ("A", 2, 2)]  # type: ignore[arg-type]
    assert [event.sample for event in events if isinstance(event, Malformed)] == [payload.encode()]


def test_what_is_no_tick_in_a_list_of_ticks_is_counted() -> None:
    events = JsonDecoder().receive([text('[["A",1,1],["B",2],5,{"asset":"C","price":1},["A",2,2]]')])
    assert rows_of(events) == [("A", 1, 1), ("A", 2, 2)]
    assert bad_of(events) == [("no tick, in a list of ticks", 3)]


def test_an_object_that_says_two_things_is_no_tick() -> None:
    assert receive('{"asset":"A","asset":"B","price":1,"ts":2}') == [Ignored("value")]


def test_it_opens_once_with_the_first_frame() -> None:
    one = JsonDecoder()
    assert one.receive([]) == []
    assert [type(event) for event in one.receive([text("5")])] == [Opened, Ignored]
    assert [type(event) for event in one.receive([text("5")])] == [Ignored]


def test_it_sends_what_the_url_says_and_nothing_else() -> None:
    one = JsonDecoder(subscribe='{"op":"subscribe"}')
    assert one.greeting() == (Send('{"op":"subscribe"}'),)
    assert JsonDecoder().greeting() == one.due(1e9) == one.subscribe("A") == one.unsubscribe("A") == ()
    assert one.silence_limit_s == 60.0


@pytest.mark.parametrize("count", [1, 3, 4, 100])
def test_many_frames_of_a_read_become_one_run_of_columns(count: int) -> None:
    frames = [text(orjson.dumps([["A", i, i + 0.5]])) for i in range(1, count + 1)]
    events = JsonDecoder().receive(frames)
    assert [type(event) for event in events] == [Opened, LiveRows]
    assert rows_of(events) == [("A", i, i + 0.5) for i in range(1, count + 1)]
