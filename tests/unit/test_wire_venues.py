"""The registered venues, and the exchanges whose captures are read."""

import gzip
from collections import Counter

import pytest
from support.recordings import recording
from support.wire import bad_of, text

from tickwire.market.intake import Intake
from tickwire.market.ordinals import Ordinals
from tickwire.market.wire import Frame, Ignored, LiveRows, Opened, Send
from tickwire.market.wire.generic import JsonDecoder
from tickwire.market.wire.pocketoption import PocketOptionDecoder
from tickwire.market.wire.registry import VENUES, DecoderOptions, UnknownVenue, venue
from tickwire.messages.ticks import RECEIVED


def received(name: str) -> list[Frame]:
    lines = gzip.decompress(recording(f"exchanges/{name}").read_bytes()).splitlines()
    return [text(line.partition(b": ")[2]) for line in lines if line[:1].isdigit()]


def test_a_venue_is_found_by_its_scheme_with_or_without_transport() -> None:
    assert venue("pocketoption+wss") is venue("pocketoption") is VENUES["pocketoption"]
    assert venue("json+ws") is VENUES["json"]


@pytest.mark.parametrize("scheme", ["", "nosuch", "nosuch+wss", "POCKETOPTION"])
def test_an_unknown_venue_is_refused_with_the_known_ones(scheme: str) -> None:
    with pytest.raises(UnknownVenue, match=rf"no venue '{scheme.replace('+', '.')}'; known are pocketoption, json, "):
        venue(scheme)


def test_a_decoder_is_made_anew_for_each_connection() -> None:
    make = VENUES["pocketoption"].make_decoder
    assert make(DecoderOptions()) is not make(DecoderOptions())


def test_each_venue_takes_the_options_that_it_knows() -> None:
    one = VENUES["pocketoption"].make_decoder(DecoderOptions(session="s", demo=True, subscribe="x"))
    assert isinstance(one, PocketOptionDecoder)
    assert '"isDemo":1' in str(list(one.receive([text("40")])))
    other = VENUES["json"].make_decoder(DecoderOptions(subscribe="hello", asset_field="s"))
    assert isinstance(other, JsonDecoder)
    assert other.greeting() == (Send("hello"),)
    assert VENUES["coinbase"].make_decoder(DecoderOptions(subscribe="hello")).greeting() == (Send("hello"),)


@pytest.mark.parametrize("scheme", VENUES)
def test_a_recorded_connection_is_told_nothing(scheme: str) -> None:
    one = VENUES[scheme].make_decoder(DecoderOptions(recorded=True, session="s", subscribe="hello"))
    assert not one.greeting()
    assert not one.subscribe("A")
    assert not one.due(1e9)
    assert not [event for event in one.receive([text('0{"sid":"x"}'), text("40"), text("2")]) if type(event) is Send]


def test_a_session_is_not_shown() -> None:
    assert "s3cret" not in repr(DecoderOptions(session="s3cret", subscribe="s3cret"))


@pytest.mark.parametrize("scheme", VENUES)
def test_what_a_venue_is_called_in_each_tick_obeys_its_grammar(scheme: str) -> None:
    one = VENUES[scheme]
    assert one.source.isascii()
    assert one.source.islower()
    assert 1 <= len(one.source) <= 32


@pytest.mark.parametrize(
    ("scheme", "file", "trades", "first"),
    [
        ("coinbase", "COINBASE.ws.28.0.gz", 107, ("BAND-GBP", 1618677810244075, "14.7775", "881613")),
        ("bitstamp", "BITSTAMP.ws.1.0.gz", 10, ("ethusd", 1641343699596000, "3805.44", "216000477")),
        ("binance", "BINANCE.ws.1.0.gz", 2, ("NKNUSDT", 1633998523963000, "0.35280000", "15683430")),
        ("kraken", "KRAKEN.ws.50.0.gz", 0, None),
    ],
)
def test_of_an_exchanges_capture_the_trades_are_read_and_the_rest_is_quiet(
    scheme: str, file: str, trades: int, first: tuple[str, int, str, str] | None
) -> None:
    one = VENUES[scheme]
    decoder, frames = one.make_decoder(DecoderOptions(recorded=True)), received(file)
    events = [event for at in range(0, len(frames), 50) for event in decoder.receive(frames[at : at + 50])]
    box = Intake(unit=one.unit, unique_stamps=one.unique_stamps, ordinals=Ordinals())
    ticks = [
        tick
        for rows in events
        if isinstance(rows, LiveRows)
        for good in box.live(rows, 1_700_000_000_000_000)
        for tick in zip([good.asset] * len(good.raw_us), good.raw_us, good.prices, good.trade_ids or [], strict=True)
    ]
    kinds = Counter(type(event) for event in events)
    assert len(ticks) == len(set(ticks)) == trades
    assert (ticks[0] if ticks else None) == first
    assert not bad_of(events)
    assert {count.reason for count in box.take_counts()} <= {RECEIVED}
    assert (kinds[Opened], kinds[Ignored] + trades) == (1, len(frames))


def test_krakens_trades_are_rows_of_one_pair() -> None:
    trades = b'["5541.2","0.1","1534614057.321597","s","l",""],["5541.3","0.2","1534614057.32","b","l",""]'
    payload = b"[337,[" + trades + b'],"trade","XBT/USD"]'
    opened, rows = VENUES["kraken"].make_decoder(DecoderOptions()).receive([text(payload)])
    assert opened == Opened()
    assert rows == LiveRows(["XBT/USD"] * 2, ["1534614057.321597", "1534614057.32"], ["5541.2", "5541.3"])


@pytest.mark.parametrize("time", ['"2021-04-17"', '"2021-04-17T16:43:37"', '"soon"', "5", "null", "[]"])
def test_a_time_of_coinbases_that_is_none_is_refused_by_the_checks(time: str) -> None:
    payload = f'{{"type":"match","product_id":"A","price":"1","trade_id":1,"time":{time}}}'
    *_, rows = VENUES["coinbase"].make_decoder(DecoderOptions()).receive([text(payload)])
    assert isinstance(rows, LiveRows)
    box = Intake(unit="s", unique_stamps=False, ordinals=Ordinals())
    assert box.live(rows, 1_700_000_000_000_000) == []
    assert [(c.asset, c.reason) for c in box.take_counts()] == [("A", RECEIVED), ("A", "bad_stamp")]
