"""DevTools messages into the venue's decoder: each page socket by itself, nothing sent to a page, nothing crashes."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.market.wire import (
    BINARY,
    TEXT,
    AssetChosen,
    Event,
    HistoryRows,
    Ignored,
    LiveRows,
    Malformed,
    Opened,
    Send,
)
from tickwire.market.wire.chrome import ASK_EVERY_S, MOST_SOCKETS, ChromeDecoder
from tickwire.market.wire.pocketoption import PocketOptionDecoder, chosen_asset

HEADER = '451-["updateStream",{"_placeholder":true,"num":0}]'
TICK = b'[["EURGBP_otc",1756866774.962,0.87852]]'


def decoder(*match: str) -> ChromeDecoder:
    return ChromeDecoder(lambda: PocketOptionDecoder(recorded=True), chosen_asset, match=match)


def message(method: str, session: str = "S", **params: Any) -> bytes:
    return orjson.dumps({"method": method, "params": params, "sessionId": session})


def heard(request: str, payload: str | bytes, session: str = "S", method: str = "Received") -> bytes:
    binary = isinstance(payload, bytes)
    data = base64.b64encode(payload).decode() if isinstance(payload, bytes) else payload
    response = {"opcode": BINARY if binary else TEXT, "mask": False, "payloadData": data}
    return message(f"Network.webSocketFrame{method}", session, requestId=request, response=response)


def created(request: str, url: str, session: str = "S") -> bytes:
    return message("Network.webSocketCreated", session, requestId=request, url=url)


def take(made: ChromeDecoder, *messages: bytes) -> Sequence[Event]:
    return made.receive([(TEXT, each) for each in messages])


def commands(events: Sequence[Event]) -> list[tuple[str, str | None]]:
    said = [orjson.loads(event.payload) for event in events if isinstance(event, Send)]
    return [(each["method"], each.get("sessionId")) for each in said]


def test_it_asks_to_be_attached_to_every_page_and_to_hear_its_network() -> None:
    made = decoder()
    assert commands(made.greeting()) == [("Target.setAutoAttach", None)]
    assert take(made, b'{"id":1,"result":{}}') == [Opened()]
    assert take(made, b'{"id":2,"result":{}}') == []
    attached = message("Target.attachedToTarget", "", sessionId="S1", targetInfo={"type": "page"})
    assert commands(take(made, attached)) == [("Network.enable", "S1"), ("Target.setAutoAttach", "S1")]
    other = message("Target.attachedToTarget", "", sessionId="S2", targetInfo={"type": "browser_ui"})
    assert take(made, other) == []


def test_text_and_base64_frames_of_a_page_become_ticks() -> None:
    made = decoder("po.market")
    events = take(made, created("R", "wss://demo.po.market/"), heard("R", HEADER), heard("R", TICK))
    assert events == [LiveRows(("EURGBP_otc",), (1756866774.962,), (0.87852,))]


def test_attachments_pair_with_headers_of_their_own_connection() -> None:
    made = decoder()
    second = b'[["AUDCAD_otc",1756866775.1,0.9]]'
    events = take(
        made, heard("R1", HEADER), heard("R2", HEADER), heard("R1", HEADER, session="T"),
        heard("R2", second), heard("R1", TICK), heard("R1", second, session="T"),
    )  # fmt: skip
    assert [list(event.assets) for event in events if isinstance(event, LiveRows)] == [
        ["AUDCAD_otc"], ["EURGBP_otc"], ["AUDCAD_otc"],
    ]  # fmt: skip
    assert len(events) == 3


def test_sockets_whose_address_does_not_match_are_left_alone() -> None:
    made = decoder("po.market", "pocket")
    events = take(
        made, created("A", "wss://chat.example/"), heard("A", HEADER), heard("A", TICK),
        created("B", "wss://x.pocketoption.com/"), heard("B", HEADER), heard("B", TICK),
    )  # fmt: skip
    assert [type(event) for event in events] == [LiveRows]


def test_a_socket_that_was_open_before_is_taken_once_it_speaks_of_the_market_and_not_complained_of_before() -> None:
    made = decoder("po.market")
    chat = take(made, heard("C", '{"chat":"hello"}'), heard("C", b"\x00\x01"))
    assert chat == []
    late = take(made, heard("R", TICK), heard("R", HEADER), heard("R", TICK), heard("R", "nonsense"))
    assert [type(event) for event in late] == [LiveRows, Malformed]


def test_the_pages_own_frames_tell_which_asset_is_shown() -> None:
    made = decoder()
    asked = '42["changeSymbol",{"asset":"#AAPL_otc","period":60}]'
    assert take(made, heard("R", asked, method="Sent")) == [AssetChosen("#AAPL_otc")]
    for other in (
        '42["ps"]',
        '42["changeSymbol"]',
        '42["changeSymbol",7]',
        '42["changeSymbol",{"asset":7}]',
        '42["chan',
    ):
        assert take(made, heard("R", other, method="Sent")) == []


def test_what_the_venue_wants_answered_is_the_pages_matter() -> None:
    made = decoder("po")
    events = take(
        made, created("R", "wss://po/"), heard("R", '0{"sid":"x","pingInterval":25000,"pingTimeout":20000}'),
        heard("R", '40{"sid":"y"}'), heard("R", "2"), heard("R", '42["NotAuthorized"]'), heard("R", "41"),
    )  # fmt: skip
    assert [event for event in events if isinstance(event, Send | Opened)] == []
    assert {type(event) for event in events} <= {Ignored}


def test_a_closed_socket_and_a_closed_page_are_forgotten() -> None:
    made = decoder()
    take(made, heard("R", HEADER), message("Network.webSocketClosed", requestId="R"))
    assert take(made, heard("R", TICK)) == []  # of a new socket: its header is missing
    take(made, heard("Q", HEADER), message("Target.detachedFromTarget", "", sessionId="S"))
    assert take(made, heard("Q", TICK)) == []


def test_chrome_is_asked_for_something_while_its_pages_are_quiet() -> None:
    made = decoder()
    assert made.due(100.0) == ()
    assert made.due(100.0 + ASK_EVERY_S - 0.1) == ()
    assert commands(made.due(100.0 + ASK_EVERY_S)) == [("Browser.getVersion", None)]
    assert made.due(100.1 + ASK_EVERY_S) == ()
    assert made.silence_limit_s > 2 * ASK_EVERY_S


def test_as_many_sockets_as_a_page_may_open_are_kept() -> None:
    made = decoder("po")
    take(made, *(created(f"R{i}", "wss://po/") for i in range(MOST_SOCKETS + 50)))
    assert len(made._sockets) == MOST_SOCKETS


def test_history_and_lists_come_through() -> None:
    history = orjson.dumps({"asset": "EURGBP_otc", "period": 60, "history": [[1756866700.1, 0.87]], "candles": []})
    made = decoder()
    header = '451-["updateHistoryNewFast",{"_placeholder":true,"num":0}]'
    events = take(made, heard("R", header), heard("R", history))
    assert [type(event) for event in events] == [HistoryRows]


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"[]", b"7", b'"x"', b"\xff\xfe", b'{"method":7}', b'{"method":"Network.webSocketFrameReceived"}',
        b'{"method":"Network.webSocketFrameReceived","params":[]}',
        b'{"method":"Network.webSocketFrameReceived","params":{"requestId":"R"}}',
        b'{"method":"Network.webSocketFrameReceived","params":{"requestId":{},"response":{"opcode":2,"payloadData":"%%"}}}',
        b'{"method":"Network.webSocketFrameReceived","params":{"requestId":"R","response":{"opcode":true,"payloadData":""}}}',
        b'{"method":"Network.webSocketFrameReceived","sessionId":7,"params":{}}',
        b'{"method":"Network.webSocketCreated","params":{"requestId":1,"url":2}}',
        b'{"method":"Target.attachedToTarget","params":{"sessionId":1}}',
        b'{"method":"Target.attachedToTarget","params":{"sessionId":"S","targetInfo":[]}}',
        b'{"method":"Target.detachedFromTarget","params":{}}',
        b'{"id":null}', b'{"id":"1"}', b"[" * 5000,
    ],
)  # fmt: skip
def test_hostile_messages_crash_nothing_and_are_no_ticks(payload: bytes) -> None:
    made = decoder()
    events = [*take(made, payload), *made.receive([(BINARY, payload)])]
    assert {type(event) for event in events} <= {Malformed, Send}
    assert [type(event) for event in take(made, heard("R", HEADER), heard("R", TICK))] == [LiveRows]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)


@given(
    method=st.sampled_from(sorted(decoder()._methods)),
    params=st.fixed_dictionaries(
        {},
        optional={
            "requestId": values | st.just("R"), "url": values, "sessionId": values | st.just("S"), "targetInfo": values,
            "response": values
            | st.fixed_dictionaries({"opcode": values | st.sampled_from([1, 2]), "payloadData": values}),
        },
    ),
)  # fmt: skip
def test_no_message_of_the_methods_we_know_crashes_it(method: str, params: dict[str, Any]) -> None:
    for event in take(decoder(), json.dumps({"method": method, "params": params}).encode()):
        assert isinstance(event, Malformed | Send | Ignored | AssetChosen)
