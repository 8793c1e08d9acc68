"""Reading by column and reading by element are one contract: whatever the frames, both give the same."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire import announced, bad_of, binary, one_by_one, rows_of, text

from tickwire.market.wire import BINARY, TEXT, Decoder, Frame, Ignored, Malformed
from tickwire.market.wire.columns import JOIN_FROM, ROW, ROWS, joined_rows
from tickwire.market.wire.generic import JsonDecoder
from tickwire.market.wire.jsontext import AMBIGUOUS, read_json
from tickwire.market.wire.pocketoption import PocketOptionDecoder

GOOD = b'[["A",1756866774.962,1.5]]'
SCALARS = st.one_of(
    st.floats(), st.integers(-(10**20), 10**20), st.text(max_size=4), st.booleans(), st.none(), st.just("A")
)
GOOD_ROWS = st.tuples(st.sampled_from(["A", "B", 'q"\\,[', "é"]), st.floats(1, 2e9), st.floats(0.1, 10)).map(list)
ANY_ROWS = st.one_of(GOOD_ROWS, st.lists(SCALARS | st.lists(SCALARS, max_size=3), max_size=4), SCALARS)
DUMPS = st.sampled_from([lambda value: json.dumps(value).encode(), lambda value: json.dumps(value, indent=1).encode(),
                         lambda value: json.dumps(value, separators=(",", ":")).encode()])  # fmt: skip


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """A list of rows, or a row, perhaps spoilt: cut, lengthened, spliced."""
    rows = draw(st.lists(draw(st.sampled_from([GOOD_ROWS, ANY_ROWS])), max_size=3) | GOOD_ROWS)
    payload: bytes = draw(DUMPS)(rows)
    damage = draw(st.integers(0, 7))
    if damage == 0:
        payload = payload[: draw(st.integers(0, len(payload)))]
    elif damage == 1:
        payload = payload[draw(st.integers(0, len(payload))) :]
    elif damage == 2:
        payload += draw(
            st.sampled_from([b"]", b"[", b",", b'"', b"\n", b',["B",1,2]', b',[["B",1,2]]', b",\n[[", b"\xff"])
        )
    return payload


SPLICES = [
    [b'[["A",1,2]', b'[["B",1,2]]]', b'[["C",1,2]],[["D",1,2]]', GOOD],
    [b'[["A",1', b"2]]", b'[["B",1,2]],[["C",1,2]]', GOOD],
    [b'[["A",1,"', b'"]]', GOOD, GOOD, b'[["B",1,2]]'],
    [b'[["A",1,2],', b'["B",1,2]]', GOOD, b'[["C",1,2]],[["D",1,2]]'],
    [b'[["A",1,2]]\n', GOOD, GOOD, GOOD],
    [b'[["A",1,2]],\n[["B",1,2]]', b"", GOOD, GOOD],
    [b"[[]]", GOOD, GOOD, GOOD],
    [b"[]", GOOD, GOOD, GOOD],
    [GOOD, b'[["A",1,{"x":1,"x":2}]]', GOOD, GOOD],
    [b'["A",1,2', b'["B",1,2],3]', b'["C",1,2],["D",1,2]', b'["E",1,2]'],
    [b'["A",1', b"2]", b'["B",1,2],["C",1,2]', b'["D",1,2]'],
    [b'["A",1,2]', b'["B",1]', b'["C",1,2]', b'["D",true,2]'],
]


def pocketoption() -> Decoder:
    return PocketOptionDecoder(recorded=True)


def pairs(frames: list[bytes]) -> list[Frame]:
    return [frame for payload in frames for frame in announced("updateStream", payload)]


def totals(decoder: Decoder, frames: list[Frame], *, apart: bool) -> tuple[str, int, int]:
    events = one_by_one(decoder, frames) if apart else decoder.receive(frames)
    malformed = sum(count for _, count in bad_of(events))
    ignored = sum(isinstance(event, Ignored) for event in events)
    return repr(rows_of(events)), malformed, ignored


def assert_one_contract(frames: list[bytes]) -> None:
    wire = pairs(frames)
    assert totals(pocketoption(), wire, apart=False) == totals(pocketoption(), wire, apart=True)
    texts = [text(payload) for payload in frames]
    assert totals(JsonDecoder(), texts, apart=False) == totals(JsonDecoder(), texts, apart=True)


@given(st.lists(payloads(), max_size=12))
def test_frames_of_one_read_give_what_they_give_apart(frames: list[bytes]) -> None:
    assert_one_contract(frames)


@pytest.mark.parametrize("frames", SPLICES, ids=lambda frames: frames[0].decode()[:20])
def test_broken_frames_that_would_join_into_whole_ones_are_not_joined(frames: list[bytes]) -> None:
    assert joined_rows(frames, ROWS) is joined_rows(frames, ROW) is None
    assert_one_contract(frames)


@given(st.lists(st.lists(GOOD_ROWS, min_size=1, max_size=4), min_size=JOIN_FROM, max_size=12))
def test_good_rows_are_read_by_column(frames: list[list[list[object]]]) -> None:
    joined = joined_rows([orjson.dumps(rows) for rows in frames], ROWS)
    assert joined is not None
    assert rows_of([joined]) == [tuple(row) for rows in frames for row in rows]


@given(st.lists(GOOD_ROWS, min_size=JOIN_FROM, max_size=12))
def test_single_rows_are_read_by_column_too(rows: list[list[object]]) -> None:
    joined = joined_rows([orjson.dumps(row) for row in rows], ROW)
    assert joined is not None
    assert rows_of([joined]) == [tuple(row) for row in rows]


def test_one_bad_frame_among_many_costs_itself_alone() -> None:
    frames = [GOOD] * 50
    frames[20] = b'[["A",1756866774.962,'
    events = pocketoption().receive(pairs(frames))
    assert len(rows_of(events)) == 49
    assert sum(count for _, count in bad_of(events)) == 1


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_json_may_come_in_frames_of_either_kind(opcode: int) -> None:
    assert len(rows_of(JsonDecoder().receive([(opcode, GOOD)] * 5))) == 5


# -- text into values


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"[1e999,-1e999]", [float("inf"), float("-inf")]), (b'["\\ud800"]', ["\ud800"]),
        (b'["\xff"]', ["\udcff"]), (b'{"a":1,"b":{"c":2}}', {"a": 1, "b": {"c": 2}}),
        (b'{"a":1,"a":2}', AMBIGUOUS), (b'[{"a":1,"a":1}]', [AMBIGUOUS]), (b'{"a" :1,"a" :2}', AMBIGUOUS),
        (b'{"a":{"x":1,"x":2}}', {"a": AMBIGUOUS}), (b'{"\\u0061":1,"a":2}', AMBIGUOUS),
        (b'{"a":"\\":","b":"{"}', {"a": '":', "b": "{"}),
    ],
)  # fmt: skip
def test_one_bad_value_costs_that_value(payload: bytes, value: object) -> None:
    assert read_json(payload) == value


def test_a_number_of_5000_digits_becomes_no_number_of_5000_digits() -> None:
    assert read_json(b"[" + b"9" * 5000 + b"]") == [float("inf")]
    assert read_json(b'["\\ud800",123456789012345678901234567890]')[1] == 1.2345678901234568e29


def test_not_a_number_is_read_as_such() -> None:
    (value,) = read_json(b"[NaN]")
    assert value != value


@pytest.mark.parametrize(
    "payload", [b"", b"[", b"[1,]", b"nope", b"[" * 100_000, b'{"a":' * 100_000, b"\x00", b"[NaN" + b" " * 2**20]
)
def test_what_is_no_json_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(payload)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=9))
def test_good_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    payload = json.dumps(value).encode()
    assert repr(read_json(payload)) == repr(json.loads(payload, parse_int=lambda digits: read_json(digits.encode())))


def test_a_sample_is_kept_of_what_is_malformed() -> None:
    (event,) = pocketoption().receive([text("45"), *announced("nothing", b"")])[:1]
    assert isinstance(event, Malformed)
    assert event.sample == b"45"
    assert pocketoption().receive([binary(b"x")]) == [Malformed("an attachment that nothing announced", b"x")]
