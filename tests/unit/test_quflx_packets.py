"""What of a Socket.IO client's frames and messages gets to the libraries that read them, and what does not."""

import pytest
from engineio.packet import Packet as EnginePacket
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import Packet

from tickwire.runtime.gateway.quflx.packets import BadPacket, Event, Greeting, good_frame, read_message

MOST = 4096
ANY_TEXT = st.text(max_size=60) | st.text(alphabet='0123456[]{}"/,-ab', max_size=60)


@pytest.mark.parametrize("frame", ["1", "2probe", "3", "3probe", "5", "6", "40", '42["a"]', "41", '40{"token":"x"}'])
def test_frames_of_a_stock_client_are_good(frame: str) -> None:
    assert good_frame(frame)


@pytest.mark.parametrize(
    "frame", [None, "", "x", "b" + "QUJD", "4", "4x", "0{}", "7", "²", "2" + "[" * 5000, "4" + "[" * 5000]
)
def test_frames_that_no_library_should_see_are_bad(frame: str | None) -> None:
    assert not good_frame(frame)


@given(ANY_TEXT)
def test_engineio_reads_every_good_frame(frame: str) -> None:
    if good_frame(frame):
        read = EnginePacket(encoded_packet=frame)
        assert 1 <= read.packet_type <= 6
        assert isinstance(read.data, str) or read.packet_type != 4


@given(ANY_TEXT)
def test_socketio_reads_every_message_that_is_handed_on(message: str) -> None:
    if isinstance(read_message(message, MOST), Greeting):
        read = Packet(encoded_packet=message)
        assert read.packet_type in (0, 1)
        assert read.attachment_count == 0
        assert read.data is None or isinstance(read.data, dict)


@pytest.mark.parametrize("message", ["0", "1", '0{"token":"x"}', "0/admin,", '0/,{"a":1}'])
def test_greetings_are_socketios_to_read(message: str) -> None:
    assert isinstance(read_message(message, MOST), Greeting)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ('2["check_status"]', Event(name="check_status", said={}, ack=None)),
        ('2["subscribe_asset","A"]', Event(name="subscribe_asset", said="A", ack=None)),
        ('27["a",{"asset":"B"},3]', Event(name="a", said={"asset": "B"}, ack=7)),
        ('2/,12["a",null]', Event(name="a", said=None, ack=12)),
    ],
)
def test_an_event_is_its_name_its_first_argument_and_its_number(message: str, event: Event) -> None:
    assert read_message(message, MOST) == event


@pytest.mark.parametrize(
    "message",
    [
        "", "2", "2[]", "2[1]", '2[["a"]]', '2{"a":1}', '2["a"', '2/admin,["a"]', '2["a",NaN]', "3", "31[]", "4", "5",
        '51-["a",{"_placeholder":true,"num":0}]', "61-", "0[1]", "0x", "01{}", "1{}x", '1["a"]', "9",
        "2" + "[" * 3000, '2["a",' + "[" * 2000, b'2["a"]', '2["a","\ud800"]',
    ],
)  # fmt: skip
def test_anything_else_is_bad(message: str | bytes) -> None:
    assert isinstance(read_message(message, MOST), BadPacket)


def test_one_event_alone_may_be_large() -> None:
    filling = "x" * MOST
    assert isinstance(read_message(f'2["start_stream","{filling}"]', MOST), BadPacket)
    assert isinstance(read_message(f'0{{"token":"{filling}"}}', MOST), BadPacket)
    assert isinstance(read_message(f'2["cache_historical_data","{filling}"]', MOST), Event)
