"""The splitter against the `websockets` library's own decoder, however the bytes are cut."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from tickwire.actors.ports import BINARY, PING, PONG, TEXT
from tickwire.runtime.feeds.splitter import FrameSplitter

CAP = 70_000


def wire(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin=fin).serialize(mask=False)


def split_all(chunks: Sequence[bytes], cap: int = CAP) -> tuple[list[tuple[int, bytes]], FrameSplitter]:
    splitter = FrameSplitter(cap)
    return [frame for chunk in chunks for frame in splitter.split(chunk)], splitter


def reference(data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """What the library makes of the stream: messages and control frames, and whether it refused the stream."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=CAP)
    protocol.receive_data(data)
    frames: list[tuple[int, bytes]] = []
    opcode, message = 0, b""
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            frames.append((frame.opcode.value, bytes(frame.data)))
        elif frame.opcode is not Opcode.CLOSE:
            opcode, message = frame.opcode.value or opcode, message + bytes(frame.data)
            if frame.fin:
                frames.append((opcode, message))
                message = b""
    return frames, protocol.parser_exc is not None and not isinstance(protocol.parser_exc, EOFError)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


sizes = st.one_of(st.integers(0, 130), st.sampled_from([125, 126, 127, 65_535, 65_536, 66_000]))
payloads = st.builds(lambda size, seed: bytes((i * seed) % 251 for i in range(size)), sizes, st.integers(1, 250))
small = st.binary(max_size=125)
whole = st.builds(wire, st.sampled_from([TEXT, BINARY]), payloads)
control = st.builds(wire, st.sampled_from([PING, PONG]), small)
fragmented = st.builds(
    lambda opcode, parts, between: (
        wire(opcode, parts[0], fin=False)
        + b"".join(between + wire(0, part, fin=False) for part in parts[1:-1])
        + wire(0, parts[-1])
    ),
    st.sampled_from([TEXT, BINARY]),
    st.lists(st.binary(max_size=300), min_size=2, max_size=4),
    st.one_of(st.just(b""), control),
)
streams = st.lists(st.one_of(whole, whole, control, fragmented), max_size=8).map(b"".join)
cuts = st.lists(st.integers(0, 200_000), max_size=12)


@settings(deadline=None, max_examples=200)
@given(streams, cuts)
def test_a_stream_cut_anywhere_equals_the_reference(stream: bytes, places: list[int]) -> None:
    frames, splitter = split_all(cut(stream, places))
    assert frames == reference(stream)[0]
    assert splitter.end is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(whole.filter(lambda f: len(f) < 400), control, fragmented), max_size=4).map(b"".join))
def test_a_stream_read_byte_by_byte_equals_the_reference(stream: bytes) -> None:
    frames, splitter = split_all([stream[i : i + 1] for i in range(len(stream))])
    assert frames == reference(stream)[0]
    assert splitter.end is None


damage = st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 255)), max_size=3)


@settings(deadline=None, max_examples=300)
@given(streams, cuts, damage)
@example(wire(TEXT, b"a") + b"\xff\xff", [3], [])
def test_a_damaged_stream_yields_what_the_reference_yields(
    stream: bytes, places: list[int], bytes_changed: list[tuple[int, int]]
) -> None:
    damaged = bytearray(stream)
    for place, value in bytes_changed:
        if damaged:
            damaged[place % len(damaged)] = value
    frames, splitter = split_all(cut(bytes(damaged), places))
    expected, refused = reference(bytes(damaged))
    assert frames == expected
    assert splitter.end is not None or not refused


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x81\x86" + bytes(4) + b"masked", "masked"),
        (b"\xc1\x00", "reserved bits"),
        (b"\xa1\x00", "reserved bits"),
        (b"\x91\x00", "reserved bits"),
        (b"\x83\x00", "unknown opcode 3"),
        (b"\x8b\x00", "unknown opcode 11"),
        (b"\x80\x01a", "continuation without a beginning"),
        (wire(TEXT, b"a", fin=False) + wire(TEXT, b"b"), "beginning within a message"),
        (b"\x09\x00", "control frame is fragmented"),
        (b"\x89\x7e", "over 125"),
        (b"\x88\x01\x03", "invalid close code"),
        (b"\x88\x02" + (1005).to_bytes(2, "big"), "invalid close code 1005"),
        (b"\x88\x02" + (999).to_bytes(2, "big"), "invalid close code 999"),
        (b"\x88\x02" + (5000).to_bytes(2, "big"), "invalid close code 5000"),
        (b"\x88\x03" + (1000).to_bytes(2, "big") + b"\xff", "not UTF-8"),
    ],
)
def test_a_breach_of_protocol_ends_the_stream_after_what_came_before(data: bytes, reason: str) -> None:
    before = wire(BINARY, b"before")
    frames, splitter = split_all([before + data + wire(BINARY, b"after"), wire(BINARY, b"later")])
    assert frames == [(BINARY, b"before")]
    assert splitter.end is not None
    assert splitter.end.reason.startswith("protocol error: ")
    assert reason in splitter.end.reason
    assert splitter.end.code is None
    assert splitter.end.answer == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("size", [CAP + 1, 2**30, 2**63 - 1, 2**64 - 1])
def test_a_frame_over_the_cap_is_refused_by_its_header(size: int) -> None:
    frames, splitter = split_all([wire(TEXT, b"a"), b"\x82\x7f" + size.to_bytes(8, "big")])
    assert frames == [(TEXT, b"a")]
    assert splitter.end is not None
    assert splitter.end.reason == f"frame too large: {size} bytes"
    assert splitter.end.answer == CloseCode.MESSAGE_TOO_BIG


def test_a_message_of_many_fragments_is_held_to_the_same_cap() -> None:
    pieces = [wire(BINARY, b"x" * 400, fin=False), *[wire(0, b"x" * 400, fin=False)] * 3]
    frames, splitter = split_all(pieces, cap=1500)
    assert frames == []
    assert splitter.end is not None
    assert splitter.end.reason.startswith("frame too large")


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        (b"", 1005, "closed by the server"),
        ((1000).to_bytes(2, "big") + b"ended", 1000, "ended"),
        ((4001).to_bytes(2, "big"), 4001, "closed by the server with 4001"),
    ],
)
def test_a_close_frame_gives_its_code_and_reason(payload: bytes, code: int, reason: str) -> None:
    frames, splitter = split_all([wire(TEXT, b"last") + wire(8, payload) + wire(TEXT, b"after")])
    assert frames == [(TEXT, b"last")]
    assert splitter.end is not None
    assert (splitter.end.code, splitter.end.reason) == (code, reason)


def test_text_that_is_not_utf8_is_handed_over_for_the_decoder_to_refuse() -> None:
    assert split_all([wire(TEXT, b"\xff\xfe")])[0] == [(TEXT, b"\xff\xfe")]


def test_a_large_frame_in_many_reads_is_joined_once() -> None:
    payload = bytes(range(256)) * 200_000
    data = wire(BINARY, payload)
    chunks = [data[i : i + 65_536] for i in range(0, len(data), 65_536)]
    splitter = FrameSplitter(2**26)
    before = [splitter.split(chunk) for chunk in chunks[:-1]]
    assert not any(before)
    assert splitter.split(chunks[-1]) == [(BINARY, payload)]
