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
    Interrupted,
    Lacking,
    LiveRows,
    Malformed,
    Opened,
    Send,
)
from tickwire.market.wire.chrome import ASK_EVERY_S, NETWORK, ChromeDecoder
from tickwire.market.wire.page_sockets import MOST_SOCKETS, NO_PAGE
from tickwire.market.wire.pocketoption import PocketOptionDecoder
from tickwire.market.wire.pocketoption_page import asked_by_page

HEADER = '451-["updateStream",{"_placeholder":true,"num":0}]'
TICK = b'[["EURGBP_otc",1756866774.962,0.87852]]'


def decoder(*match: str) -> ChromeDecoder:
    return ChromeDecoder(lambda: PocketOptionDecoder(recorded=True), asked_by_page, match=match)


def message(method: str, session: str = "S", **params: Any) -> bytes:
    return orjson.dumps({"method": method, "params": params, "sessionId": session})


def heard(request: str, payload: str | bytes, session: str = "S", method: str = "Received") -> bytes:
    binary = isinstance(payload, bytes)
    data = base64.b64encode(payload).decode() if isinstance(payload, bytes) else payload
    response = {"opcode": BINARY if binary else TEXT, "mask": False, "payloadData": data}
    return message(f"Network.webSocketFrame{method}", session, requestId=request, response=response)


def created(request: str, url: str, session: str = "S") -> bytes:
    return message("Network.webSocketCreated", session, requestId=request, url=url)


def told(made: ChromeDecoder, *messages: bytes) -> Sequence[Event]:
    return made.receive([(TEXT, each) for each in messages])


def take(made: ChromeDecoder, *messages: bytes) -> Sequence[Event]:
    """Apart from what it says of holes and of what is missing."""
    return [event for event in told(made, *messages) if not isinstance(event, Interrupted | Lacking)]


def loads(kind: str, frame: str, session: str = "S") -> bytes:
    return message("Network.requestWillBeSent", session, requestId="L", frameId=frame, type=kind)


def attached(session: str = "S", target: str = "T") -> bytes:
    info = {"type": "page", "targetId": target}
    return message("Target.attachedToTarget", "", sessionId=session, targetInfo=info)


def doubted(events: Sequence[Event]) -> list[Sequence[str] | None]:
    return [event.assets for event in events if isinstance(event, Interrupted)]


def commands(events: Sequence[Event]) -> list[tuple[str, str | None]]:
    said = [orjson.loads(event.payload) for event in events if isinstance(event, Send)]
    return [(each["method"], each.get("sessionId")) for each in said]


def test_it_asks_to_be_attached_to_every_page_and_to_hear_its_network() -> None:
    made = decoder()
    assert commands(made.greeting()) == [("Target.setAutoAttach", None)]
    assert told(made, b'{"id":1,"result":{}}') == [Opened(), Lacking(NO_PAGE)]
    assert told(made, b'{"id":2,"result":{}}') == []
    assert commands(take(made, attached("S1"))) == [("Network.enable", "S1"), ("Target.setAutoAttach", "S1")]
    other = message("Target.attachedToTarget", "", sessionId="S2", targetInfo={"type": "browser_ui"})
    assert take(made, other) == []


@pytest.mark.parametrize("kind", ["page", "iframe", "worker", "shared_worker", "service_worker"])
def test_whatever_may_open_a_socket_is_heard(kind: str) -> None:
    target = {"type": kind, "targetId": "T"}
    found = message("Target.attachedToTarget", "a page's session", sessionId="S", targetInfo=target)
    assert commands(take(decoder(), found)) == [("Network.enable", "S"), ("Target.setAutoAttach", "S")]


def test_a_target_that_several_others_bring_is_heard_once() -> None:
    made = decoder()
    assert commands(take(made, attached("S1", "T1"))) != []
    assert take(made, attached("S2", "T1")) == []
    take(made, message("Target.detachedFromTarget", "", sessionId="S2"))
    assert take(made, attached("S3", "T1")) == []
    take(made, message("Target.detachedFromTarget", "", sessionId="S1"))
    assert commands(take(made, attached("S4", "T1"))) != []


def test_a_page_that_makes_up_long_names_fills_no_memory() -> None:
    made = decoder()
    long = orjson.dumps([["A" * 100_000, 1756866774.962, 0.5]])
    (rows,) = take(made, heard("R", HEADER), heard("R", long))
    assert isinstance(rows, LiveRows)  # refused further on, by name
    assert doubted(told(made, message("Network.webSocketClosed", requestId="R"))) == []


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
    assert events == [
        LiveRows(
            ["AUDCAD_otc", "EURGBP_otc", "AUDCAD_otc"],
            [1756866775.1, 1756866774.962, 1756866775.1],
            [0.9, 0.87852, 0.9],
        )
    ]


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
        '42["subfor",{"asset":"A"}]',
        '42["changeSymbol",{"asset":"' + "A" * 2000 + '"}]',
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
    assert len(made._pages) == MOST_SOCKETS


def test_history_and_lists_come_through() -> None:
    history = orjson.dumps({"asset": "EURGBP_otc", "period": 60, "history": [[1756866700.1, 0.87]], "candles": []})
    made = decoder()
    header = '451-["updateHistoryNewFast",{"_placeholder":true,"num":0}]'
    events = take(made, heard("R", header), heard("R", history))
    assert [type(event) for event in events] == [HistoryRows]


def test_a_page_that_is_loaded_anew_or_crashes_leaves_a_doubt_about_what_it_carried() -> None:
    for end in (
        loads("Document", "T"),
        message("Inspector.targetCrashed"),
        message("Target.detachedFromTarget", "", sessionId="S"),
        message("Network.webSocketClosed", requestId="R"),
    ):
        made = decoder()
        take(made, attached(), heard("R", HEADER), heard("R", TICK))
        events = told(made, end)
        assert events == [Interrupted(["EURGBP_otc"]), Lacking(NO_PAGE)]
        assert told(made, end) == []


def test_what_else_a_page_loads_is_no_doubt() -> None:
    made = decoder()
    take(made, attached(), heard("R", HEADER), heard("R", TICK))
    assert told(made, loads("XHR", "T"), loads("Document", "a frame in it"), loads("Document", "T", "other")) == []


def test_an_asset_that_another_page_goes_on_with_is_in_no_doubt() -> None:
    made = decoder()
    take(made, *(each for session in "SU" for each in (heard("R", HEADER, session), heard("R", TICK, session))))
    assert told(made, message("Network.webSocketClosed", "S", requestId="R")) == []
    assert told(made, message("Network.webSocketClosed", "U", requestId="R")) == [
        Interrupted(["EURGBP_otc"]), Lacking(NO_PAGE),
    ]  # fmt: skip


def test_what_a_tab_that_stood_still_brings_late_is_left_out_where_another_tab_brought_it() -> None:
    def tick(session: str, *at: float) -> tuple[bytes, bytes]:
        rows = orjson.dumps([["A", stamp, 1.5] for stamp in at])
        return heard("R", HEADER, session), heard("R", rows, session)

    def stamps(events: Sequence[Event]) -> list[float]:
        return [stamp for event in events if isinstance(event, LiveRows) for stamp in event.stamps]

    made = decoder()
    take(made, *tick("S", 100.0), *tick("U", 100.0))
    take(made, *(each for at in range(101, 200) for each in tick("U", at)))
    late = take(made, *tick("S", 101.0, 150.0), *tick("S", 195.0, 198.0, 199.0, 200.0))
    assert stamps(late) == [198.0, 199.0, 200.0]
    assert sum(isinstance(event, Ignored) for event in late) == 2
    assert stamps(take(made, *tick("S", 1e12), *tick("U", 201.0))) == [1e12, 201.0]  # a bad stamp shuts nobody out
    take(made, message("Network.webSocketClosed", "U", requestId="R"))
    assert stamps(take(made, *tick("S", 150.0))) == [150.0]  # alone, what it says counts


def test_an_asset_that_a_page_comes_back_to_is_in_doubt() -> None:
    def show(asset: str) -> bytes:
        return heard("R", "42" + json.dumps(["changeSymbol", {"asset": asset, "period": 60}]), method="Sent")

    made = decoder()
    take(made, show("EURGBP_otc"), heard("R", HEADER), heard("R", TICK))
    assert doubted(told(made, show("EURGBP_otc"))) == []  # another timeframe
    assert doubted(told(made, show("AUDCAD_otc"))) == [["AUDCAD_otc"]]
    take(made, heard("R", HEADER), heard("R", TICK))  # one that was under way
    assert doubted(told(made, show("EURGBP_otc"))) == [["EURGBP_otc"]]


def test_an_asset_that_a_page_also_wants_goes_on_when_another_one_is_shown() -> None:
    def wish(name: str, value: object) -> bytes:
        return heard("R", "42" + json.dumps([name, value]), method="Sent")

    made = decoder()
    take(made, wish("changeSymbol", {"asset": "EURGBP_otc"}), wish("subfor", "EURGBP_otc"))
    take(made, heard("R", HEADER), heard("R", TICK))
    assert doubted(told(made, wish("changeSymbol", {"asset": "B"}))) == [["B"]]
    assert doubted(told(made, wish("changeSymbol", {"asset": "EURGBP_otc"}))) == []
    assert (
        doubted(told(made, wish("unsubfor", "EURGBP_otc"), wish("subfor", "EURGBP_otc"))) == []
    )  # shown all the while
    take(made, wish("changeSymbol", {"asset": "B"}), wish("unsubfor", "EURGBP_otc"))
    assert doubted(told(made, wish("subfor", "EURGBP_otc"))) == [["EURGBP_otc"]]


def test_when_the_page_that_shows_an_asset_is_gone_another_ones_counts() -> None:
    def show(asset: str, session: str) -> bytes:
        return heard("R", f'42["changeSymbol",{{"asset":"{asset}"}}]', session, method="Sent")

    made = decoder()
    assert take(made, show("A", "S"), show("B", "U")) == [AssetChosen("A"), AssetChosen("B")]
    assert take(made, message("Target.detachedFromTarget", "", sessionId="U")) == [AssetChosen("A")]
    assert take(made, message("Network.webSocketClosed", requestId="R")) == [AssetChosen(None)]


def test_the_socket_that_was_silent_longest_is_forgotten_first() -> None:
    made = decoder("po")
    take(made, created("R", "wss://po/"))
    for i in range(MOST_SOCKETS + 50):
        take(made, created(f"R{i}", "wss://chat/"), heard("R", HEADER))
        assert [type(event) for event in take(made, heard("R", TICK))] == [LiveRows]


def test_text_that_is_no_unicode_costs_its_frame_alone() -> None:
    strange = heard("R", "451-[X]").replace(b"[X]", rb"\ud800")
    made = decoder("po")
    events = take(made, created("R", "wss://po/"), strange, heard("R", HEADER), heard("R", TICK))
    assert [type(event) for event in events] == [Malformed, LiveRows]


def test_requests_of_pages_are_read_past_whatever_they_hold() -> None:
    made = decoder()
    assert told(made, b'{"method":"Network.responseReceived",' + b"[" * 100_000) == []
    assert told(made, message("Network.dataReceived", requestId="R", data="x" * 100_000)) == []


def test_chrome_is_asked_to_keep_no_bodies_for_us() -> None:
    (network, _) = take(decoder(), attached())
    assert isinstance(network, Send)
    assert orjson.loads(network.payload)["params"] == NETWORK


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
    assert {type(event) for event in events} <= {Malformed, Send, Opened, Interrupted, Lacking}
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
        assert isinstance(event, Malformed | Send | Ignored | AssetChosen | Lacking | Interrupted)


@given(
    frames=st.lists(
        st.sampled_from([HEADER, TICK, "2", "40", '451-["updateHistoryNewFast",{"_placeholder":true,"num":0}]'])
        | st.text(max_size=40)
        | st.binary(max_size=40)
        | values.map(lambda value: orjson.dumps(["updateStream", value], default=str, option=orjson.OPT_NON_STR_KEYS)),
        max_size=12,
    ),
    wishes=st.lists(st.tuples(st.sampled_from(["changeSymbol", "subfor", "unsubfor"]), values), max_size=6),
    ends=st.lists(st.sampled_from(["closed", "crashed", "gone"]), max_size=3),
)
def test_whatever_pages_hear_and_say_the_next_socket_is_read(
    frames: list[str | bytes], wishes: list[tuple[str, Any]], ends: list[str]
) -> None:
    made = decoder("po")
    take(made, attached(), created("R", "wss://po/"))
    take(made, *(heard("R", frame) for frame in frames))
    take(made, *(heard("R", "42" + json.dumps([name, value]), method="Sent") for name, value in wishes))
    said = {
        "closed": message("Network.webSocketClosed", requestId="R"),
        "crashed": message("Inspector.targetCrashed"),
        "gone": message("Target.detachedFromTarget", "", sessionId="S"),
    }
    take(made, *(said[end] for end in ends))
    after = take(made, created("Q", "wss://po/"), heard("Q", HEADER), heard("Q", TICK))
    assert [type(event) for event in after if not isinstance(event, AssetChosen)] == [LiveRows]
