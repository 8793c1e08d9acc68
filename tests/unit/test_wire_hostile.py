"""Hand-made hostile frames on every decoder and through the checks: no crash, no bad tick accepted, good ones kept."""

import pytest
from support.hostile import ENVELOPES, GOOD, HEADERS, PAYLOADS, ROWS
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


@pytest.mark.parametrize("header", HEADERS, ids=shortly)
def test_a_hostile_header_costs_at_most_its_own_event(header: bytes) -> None:
    one = decoder("pocketoption")
    judged(list(one.receive([text(header), *announced("updateStream", b"[" + GOOD + b"]")])))
    assert rows_of(one.receive(announced("updateStream", b"[" + GOOD + b"]"))) == [("A", NOW_S, 1.5)]


@pytest.mark.parametrize("venue", ENVELOPES)
@pytest.mark.parametrize(
    "value", [*PAYLOADS.values(), *ROWS.values(), b'{"id":1,"price_str":[],"microtimestamp":{}}'], ids=shortly
)
def test_an_exchanges_hostile_message_is_never_a_tick(venue: str, value: bytes) -> None:
    one = decoder(venue)
    for envelope in [*ENVELOPES[venue], b"%b"]:
        payload = envelope.replace(b"%b", value)
        assert judged(list(one.receive([text(payload)])))[0] == []
