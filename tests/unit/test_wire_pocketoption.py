"""PocketOption's protocol: handshake, auth, pings, attachments, events; the recorded session above all."""

import base64
import json
from collections import Counter

import orjson
import pytest
from support.recordings import recording
from support.wire import HANDSHAKE, announced, bad_of, binary, one_by_one, rows_of, sent_by, stream, text

from tickwire.market.wire import (
    SAMPLE_BYTES,
    AssetInfo,
    AssetsListed,
    AuthRefused,
    CandleRows,
    ClosedByVenue,
    Event,
    Frame,
    HistoryRows,
    Ignored,
    LiveRows,
    Malformed,
    Opened,
    Send,
)
from tickwire.market.wire.pocketoption import MAX_ATTACHED, PocketOptionDecoder

SUCCESS = announced("successauth", b'{"id":1}')
TICK = b'[["EURGBP_otc",1756866774.962,0.87852]]'
ROW = ("EURGBP_otc", 1756866774.962, 0.87852)


def decoder() -> PocketOptionDecoder:
    return PocketOptionDecoder("s3cret", demo=True)


def opened() -> PocketOptionDecoder:
    """A decoder whose session is open."""
    one = decoder()
    one.receive([text(HANDSHAKE), text('40{"sid":"x"}'), *SUCCESS])
    return one


def recorded_frames() -> list[Frame]:
    lines = [json.loads(line) for line in recording("pocketoption.frames.jsonl").read_text().splitlines()]
    return [text(line["data"]) if line["type"] == "text" else binary(base64.b64decode(line["data"])) for line in lines]


# -- the session


def test_the_server_speaks_first_and_each_step_of_the_handshake_is_answered() -> None:
    one = decoder()
    assert one.greeting() == ()
    assert sent_by(one.receive([text(HANDSHAKE)])) == ["40"]
    auth = '42["auth",{"session":"s3cret","isDemo":1,"uid":0,"platform":2}]'
    assert one.receive([text('40{"sid":"x"}')]) == [Send(auth)]
    assert one.receive(SUCCESS) == [Opened()]


def test_a_session_given_as_the_browsers_whole_text_is_sent_as_it_is() -> None:
    whole = '42["auth",{"session":"a:1:{s:10:\\"x\\";}","isDemo":0,"uid":7,"platform":1}]'
    one = PocketOptionDecoder(f" {whole}\n")
    one.receive([text(HANDSHAKE)])
    assert sent_by(one.receive([text("40")])) == [whole]


def test_a_session_with_quotes_cannot_leave_its_place() -> None:
    one = PocketOptionDecoder('a"],"x":[\\')
    (auth,) = sent_by(one.receive([text("40")]))
    assert orjson.loads(str(auth)[2:])[1]["session"] == 'a"],"x":[\\'


@pytest.mark.parametrize("frame", ['42["NotAuthorized"]', "41"])
def test_a_refusal_before_the_session_is_open_is_said_to_be_one(frame: str) -> None:
    one = decoder()
    one.receive([text(HANDSHAKE), text("40")])
    (event,) = one.receive([text(frame)])
    assert isinstance(event, AuthRefused)


def test_a_venue_that_wants_a_session_where_none_was_given_is_a_refusal() -> None:
    assert PocketOptionDecoder().receive([text("40")]) == [AuthRefused("no session was given")]


@pytest.mark.parametrize("frame", ["41", '44{"message":"x"}', "1"])
def test_an_open_session_that_the_venue_ends_is_closed(frame: str) -> None:
    (event,) = opened().receive([text(frame)])
    assert isinstance(event, ClosedByVenue)


def test_an_open_session_may_still_be_refused_later() -> None:
    assert opened().receive([text('42["NotAuthorized"]')]) == [AuthRefused("NotAuthorized")]


def test_successauth_twice_opens_once() -> None:
    assert opened().receive(SUCCESS) == []


def test_a_ping_is_answered() -> None:
    assert opened().receive([text("2")]) == [Send("3")]


@pytest.mark.parametrize(
    ("interval", "timeout", "limit"),
    [(25000, 20000, 45.0), (45000, 5000, 50.0), (1, 1, 5.0), (10**9, 10**9, 300.0)],
)
def test_the_silence_that_the_handshake_allows_is_read_within_reason(interval: int, timeout: int, limit: float) -> None:
    one = decoder()
    one.receive([text(b"0" + orjson.dumps({"sid": "x", "pingInterval": interval, "pingTimeout": timeout}))])
    assert one.silence_limit_s == limit


@pytest.mark.parametrize("values", ["{}", '{"pingInterval":"25000","pingTimeout":true}', '{"pingInterval":-1}', "{"])
def test_a_handshake_without_its_values_is_reported_and_the_usual_limit_kept(values: str) -> None:
    one = decoder()
    assert len(bad_of(one.receive([text("0" + values)]))) == 1
    assert one.silence_limit_s == 45.0


def test_the_application_ping_is_due_every_20_s_of_an_open_session() -> None:
    closed, one = decoder(), opened()
    assert closed.due(0.0) == closed.due(100.0) == ()
    due = [now for now in range(1000, 1062) if one.due(float(now))]
    assert due == [1020, 1040, 1060]
    assert one.due(1100.0) == (Send('42["ps"]'),)


def test_subscribing_asks_for_history_and_ticks() -> None:
    one = opened()
    assert one.subscribe("EURUSD_otc") == (
        Send('42["changeSymbol",{"asset":"EURUSD_otc","period":60}]'),
        Send('42["subfor","EURUSD_otc"]'),
    )
    assert one.unsubscribe("EURUSD_otc") == (Send('42["unsubfor","EURUSD_otc"]'),)
    assert one.older_candles("A", index=7, before_s=1756866000, span_s=9000, period_s=60) == (
        Send('42["loadHistoryPeriod",{"asset":"A","index":7,"time":1756866000,"offset":9000,"period":60}]'),
    )


def test_a_replay_is_told_nothing_and_its_refusals_were_anothers() -> None:
    one = PocketOptionDecoder(recorded=True)
    frames = [text(HANDSHAKE), text("40"), text("2"), text('42["NotAuthorized"]'), text("41"), *stream(TICK)]
    events = one.receive(frames)
    assert events[0] == Opened()
    assert rows_of(events) == [ROW]
    assert {type(event) for event in events} == {Opened, LiveRows, Ignored}
    assert one.due(1e9) == one.subscribe("A") == one.unsubscribe("A") == ()


# -- attachments


def test_a_header_and_its_attachment_may_come_in_different_reads() -> None:
    one = opened()
    header, attachment = stream(TICK)
    assert one.receive([header]) == []
    assert rows_of(one.receive([attachment])) == [ROW]


def test_connections_do_not_share_their_attachments() -> None:
    one, other = opened(), opened()
    header, attachment = stream(TICK)
    one.receive([header])
    assert bad_of(other.receive([attachment])) == [("an attachment that nothing announced", 1)]
    assert rows_of(one.receive([attachment])) == [ROW]


def test_a_ping_between_header_and_attachment_changes_nothing() -> None:
    header, attachment = stream(TICK)
    events = opened().receive([header, text("2"), attachment])
    assert sent_by(events) == ["3"]
    assert rows_of(events) == [ROW]


def test_a_missing_attachment_costs_its_event_and_no_other() -> None:
    header, attachment = stream(TICK)
    events = opened().receive([header, header, attachment])
    assert bad_of(events) == [("1 attachments missing", 1)]
    assert rows_of(events) == [ROW]


def test_an_attachment_too_many_is_reported_alone() -> None:
    events = opened().receive([*stream(TICK), binary(b"[]"), *stream(TICK)])
    assert bad_of(events) == [("an attachment that nothing announced", 1)]
    assert rows_of(events) == [ROW, ROW]


@pytest.mark.parametrize("num", [0, 1, 2])
def test_of_several_attachments_the_numbered_one_is_taken(num: int) -> None:
    payloads = [b"[]", b"[]", b"[]"]
    payloads[num] = TICK
    assert rows_of(opened().receive(announced("updateStream", *payloads, num=num))) == [ROW]


def test_a_number_without_attachment_is_malformed() -> None:
    assert bad_of(opened().receive(announced("updateStream", TICK, num=1))) == [("updateStream: no attachment 1", 1)]


def test_more_attachments_than_any_event_has_are_refused_at_the_header() -> None:
    events = opened().receive([text('4517-["updateStream",{"_placeholder":true,"num":0}]'), *stream(TICK)])
    assert bad_of(events) == [("17 attachments announced", 1)]
    assert rows_of(events) == [ROW]


def test_attachments_that_wait_for_others_are_bounded_and_one_that_is_whole_is_not() -> None:
    header = text('453-["unheard",{"_placeholder":true,"num":0}]')
    one = opened()
    events = one.receive([header, binary(b" " * MAX_ATTACHED), binary(b" ")])
    assert bad_of(events) == [(f"attachments of over {MAX_ATTACHED} bytes", 1)]
    assert rows_of(one.receive(stream(TICK))) == [ROW]
    assert rows_of(one.receive(announced("updateStream", TICK + b" " * MAX_ATTACHED))) == [ROW]


def test_a_payload_may_come_as_text() -> None:
    one = opened()
    assert rows_of(one.receive([text(b'42["updateStream",' + TICK + b"]")])) == [ROW]
    assert rows_of(one.receive([text(b'450-["updateStream",' + TICK + b"]")])) == [ROW]


def test_another_spelling_of_the_streams_header_is_learnt_and_read_as_well() -> None:
    header = text('451-["updateStream", {"num": 0, "_placeholder": true}]')
    frames = [header, binary(TICK)] * 6
    whole, apart = opened(), opened()
    assert rows_of(whole.receive(frames)) == rows_of(one_by_one(apart, frames)) == [ROW] * 6
    assert rows_of(whole.receive(stream(TICK))) == [ROW]


# -- events


def test_all_rows_of_a_stream_are_taken() -> None:
    payload = b'[["A",1756866774.1,1.5],["B",1756866774.2,"2.50"],["A",1756866775,3]]'
    rows = [("A", 1756866774.1, 1.5), ("B", 1756866774.2, "2.50"), ("A", 1756866775, 3)]
    assert rows_of(opened().receive(stream(payload))) == rows


def test_bad_rows_are_counted_with_a_sample_and_good_ones_kept() -> None:
    events = opened().receive(stream(b'[["A",1,1.5],["B",2],{"x":1},null,["C",3,2.5]]'))
    assert rows_of(events) == [("A", 1, 1.5), ("C", 3, 2.5)]
    assert [event for event in events if isinstance(event, Malformed)] == [
        Malformed("no row of asset, stamp, price", b'["B",2]', 3)
    ]


def test_history_gives_its_ticks_and_its_candles_in_our_order_and_ascending() -> None:
    body = {
        "asset": "EURGBP_otc",
        "period": 60,
        "history": [[1756866000.1, 1.1], [1756866000.6, 1.2]],
        "candles": [[1756865940, 1.3, 1.2, 1.4, 1.1], [1756865880, 1.0, 1.3, 1.35, 0.9]],
    }
    assert opened().receive(announced("updateHistoryNewFast", orjson.dumps(body))) == [
        HistoryRows("EURGBP_otc", (1756866000.1, 1756866000.6), (1.1, 1.2)),
        CandleRows(
            "EURGBP_otc", 60, [(1756865880, 1.0, 1.35, 0.9, 1.3), (1756865940, 1.3, 1.4, 1.1, 1.2)]
        ),  # open, high, low, close
    ]


def test_bad_rows_of_history_are_counted_and_good_ones_kept() -> None:
    body = {"asset": "A", "period": 60, "history": [[1, 1.1], [2], "x"], "candles": [[1, 1, 1, 1, 1], [1, 2]]}
    events = opened().receive(announced("updateHistoryNewFast", orjson.dumps(body)))
    assert [event for event in events if not isinstance(event, Malformed)] == [
        HistoryRows("A", (1,), (1.1,)),
        CandleRows("A", 60, [(1, 1, 1, 1, 1)]),
    ]
    assert bad_of(events) == [("history row", 2), ("candle row", 1)]


@pytest.mark.parametrize("period", [0, -60, True, "60", None, 1e999, 10**9])
def test_candles_of_a_period_in_doubt_are_refused(period: object) -> None:
    body = b'{"asset":"A","period":%b,"candles":[[1,1,1,1,1]]}' % json.dumps(period).encode()
    events = opened().receive(announced("updateHistoryNewFast", body))
    assert [type(event) for event in events] == [Malformed]


def test_older_candles_are_read_by_name() -> None:
    candle = {"symbol_id": 5, "time": 1756865940, "open": 1.0, "close": 1.1, "high": 1.2, "low": 0.9}
    body = {"asset": "A", "index": 1, "period": 60, "data": [candle, {"time": 1}, 5]}
    events = opened().receive(announced("loadHistoryPeriodFast", orjson.dumps(body)))
    assert events == [
        Malformed("candle", b'{"time":1}', 2),
        CandleRows("A", 60, [(1756865940, 1.0, 1.2, 0.9, 1.1)]),
    ]


def test_assets_are_listed_and_rows_that_are_none_counted() -> None:
    row = [5, "#AAPL", "Apple", "stock", 2, 50, 60, 30, 3, 0, 170, 0, [], 1756944000, True, [], 0]
    otc = [6, "EURUSD_otc", "EUR/USD OTC", "currency", 2, 92, 60, 30, 3, 1, 0, 0, [], 0, False, [], 0]
    hostile = [
        [1, "*", *row[2:]],
        [1, "A", "\u0000", *row[3:]],
        [1, "B", "x" * 201, *row[3:]],
        row[:14],
        "x",
    ]
    events = opened().receive(announced("updateAssets", orjson.dumps([row, otc, *hostile])))
    assert events[0] == AssetsListed(
        [
            AssetInfo("#AAPL", "Apple", "stock", is_otc=False, is_open=True),
            AssetInfo("EURUSD_otc", "EUR/USD OTC", "currency", is_otc=True, is_open=False),
        ]
    )
    assert bad_of(events) == [("asset row", 5)]


def test_unknown_events_are_ignored_by_name_and_the_name_is_bounded() -> None:
    one = opened()
    assert one.receive(announced("signals/update", b"{")) == [Ignored("signals/update")]
    assert one.receive([text('42["updateBalance",{"x":1}]')]) == [Ignored("updateBalance")]
    assert one.receive([text('42["' + "n" * 5000 + '"]')]) == [Ignored("n" * 64)]
    assert one.receive([text('42["a\\nb"]')]) == [Ignored("unprintable")]


@pytest.mark.parametrize("frame", ["", "5", "4", "43[]", "hello", '42{"a":1}', "42", "42[", "42[]", "42[5]", "45-[]",
                                   "45x-[]", "451-", "451-[1]", '42["updateStream"]', '42["updateHistoryNewFast",5]',
                                   '42["loadHistoryPeriodFast",[]]', '42["updateAssets",{}]', "452-{}"])  # fmt: skip
def test_a_frame_that_is_not_what_the_protocol_says_is_reported_and_the_next_one_read(frame: str) -> None:
    one = opened()
    events: list[Event] = [*one.receive([text(frame)]), *one.receive(stream(TICK))]
    assert len(bad_of(events)) == 1
    assert rows_of(events) == [ROW]


def test_samples_are_bounded() -> None:
    events = opened().receive([text("9" * 10_000), *stream(b"[[" + b'"' + b"x" * 5000 + b'"' + b"]]")])
    samples = [event.sample for event in events if isinstance(event, Malformed)]
    assert [len(sample) for sample in samples] == [SAMPLE_BYTES, SAMPLE_BYTES]


# -- the recorded session


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_the_recorded_session_decodes_the_same_however_it_is_cut_into_reads(size: int) -> None:
    one, frames = PocketOptionDecoder(recorded=True), recorded_frames()
    events = [event for at in range(0, len(frames), size) for event in one.receive(frames[at : at + size])]
    live = Counter(asset for asset, _, _ in rows_of(events))
    assert (live.total(), len(live), live["EURGBP_otc"], live["AUDCAD_otc"]) == (148, 15, 91, 5)
    assert [len(event.stamps) for event in events if isinstance(event, HistoryRows)] == [1659]
    assert [len(event.rows) for event in events if isinstance(event, CandleRows)] == [97, 150]
    assert {len(event.assets) for event in events if isinstance(event, AssetsListed)} == {183}
    assert bad_of(events) == []
