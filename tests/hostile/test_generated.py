"""Generated bad input on every decoder and through the checks: a few thousand frames, 100,000 with `--long`.

The same frames in every run. Mixed frames have a known answer: their good rows, all of them, and nothing else. Of
mangled and random ones nothing is known but that they crash nothing, and that whatever is accepted is a good tick by an
independent judgement.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import orjson
import pytest
from support.hostile import ENVELOPES, HEADERS, PAYLOADS, ROWS
from support.wire import HANDSHAKE, announced, binary, text

from tickwire.market.intake import GoodTicks, Intake
from tickwire.market.ordinals import Ordinals
from tickwire.market.wire import CandleRows, Event, Frame, HistoryRows, LiveRows, Malformed
from tickwire.market.wire.registry import VENUES, DecoderOptions
from tickwire.messages.ticks import RECEIVED

pytestmark = pytest.mark.timeout(300)

NOW_S = 1_756_866_774
SHORT, LONG = 1_500, 100_000
A_DAY_US = 86_400_000_000
ASSET = re.compile(r"[A-Za-z0-9#._/-]{1,20}", re.ASCII)
EVENTS = [
    "updateStream",
    "updateStream",
    "updateStream",
    "updateHistoryNewFast",
    "loadHistoryPeriod",
    "updateAssets",
    "successauth",
    "other",
]
REAL = {
    "pocketoption": [HANDSHAKE, b'40{"sid":"s"}', b'451-["updateStream",{"_placeholder":true,"num":0}]',
                     b'[["EURUSD_otc",1756866774.125,1.08451]]', b'[["#AAPL_otc",1756866774,150.25]]',
                     b'[["A",1756866774,"1.5"],["B",1756866774.5,2.5],["C",1756866775,0.125]]'],
    "json": [b'[["A",1756866774.5,1.25],["B",1756866774,"0.75"]]', b'{"asset":"A","price":1.5,"timestamp":1756866774}',
             b'[{"symbol":"A","p":"1.5","t":1756866774}]', b'["A",1756866774,1.5]'],
    "coinbase": [b'{"type":"match","trade_id":280232,"price":"0.00001305","product_id":"SKL-BTC",'
                 b'"time":"2025-09-03T02:32:54.089723Z","size":"1"}'],
    "bitstamp": [b'{"event":"trade","channel":"live_trades_ethusd","data":{"id":216000477,"price_str":"3805.44",'
                 b'"microtimestamp":"1756866774000000"}}'],
    "binance": [b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1756866774000,"s":"BTCUSDT","a":5,'
                b'"p":"61000.5","q":"0.1","T":1756866774000}}'],
    "kraken": [b'[337,[["61000.50000","0.01","1756866774.123456","b","l",""]],"trade","XBT/USD"]'],
}  # fmt: skip
"""Frames as each venue sends them, to be mangled."""
PIECES = [b"[", b"]", b"{", b"}", b'"', b",", b":", b"\\", b"\\ud800", b"1e999", b"-", b"NaN", b"null", b"true",
          b"\x00", b"\xff", b"9" * 400, b"[" * 3000, b"0", b'"A"', b"1756866774"]  # fmt: skip


@pytest.fixture
def frames(request: pytest.FixtureRequest) -> int:
    """How many of one decoder and kind."""
    return LONG if request.config.getoption("--long") else SHORT


def through(venue: str, sent: Sequence[Frame], box: Intake) -> tuple[list[GoodTicks], list[Event]]:
    """What is accepted of frames on a new connection, and all events."""
    decoder = VENUES[venue].make_decoder(DecoderOptions(recorded=True))
    events = list(decoder.receive(sent))
    accepted: list[GoodTicks] = []
    for event in events:
        match event:
            case LiveRows():
                accepted += box.live(event, NOW_S * 1_000_000)
            case HistoryRows():
                past = box.history(event, NOW_S * 1_000_000)
                accepted += [past] if past is not None else []
            case CandleRows():
                box.candles(event, 0, NOW_S * 1_000_000)
    return accepted, events


def intake(venue: str) -> Intake:
    unit: Any = VENUES[venue].unit
    return Intake(unit=unit, unique_stamps=False, ordinals=Ordinals())


def expect_good(ticks: GoodTicks) -> None:
    """By the grammar and the limits as they are written down, not as they are coded."""
    assert type(ticks.asset) is str
    assert ASSET.fullmatch(ticks.asset), ticks.asset
    assert len(ticks.prices) == len(ticks.raw_us) == len(ticks.ordinals) > 0
    for price, stamp_us in zip(ticks.prices, ticks.raw_us, strict=True):
        value = Decimal(price)
        sign, digits, exponent = value.normalize().as_tuple()
        assert value.is_finite(), price
        assert 0 < value < 10_000_000_000, price
        assert sign == 0
        assert len(digits) <= 15, price
        assert isinstance(exponent, int)
        assert -exponent <= 10, price
        assert 0 < stamp_us <= NOW_S * 1_000_000 + A_DAY_US, stamp_us


def wired(venue: str, event: str, payload: bytes) -> list[Frame]:
    return announced(event, payload) if venue == "pocketoption" else [text(payload)]


@pytest.mark.parametrize("venue", ["pocketoption", "json"])
def test_of_mixed_frames_exactly_the_good_rows_are_kept(venue: str, frames: int) -> None:
    random = Random(f"mixed {venue}")
    bad = list(ROWS.values())
    box = intake(venue)
    for number in range(frames):
        rows: list[bytes] = []
        good: list[tuple[str, str]] = []
        for _ in range(random.randint(1, 12)):
            if random.random() < 0.5:
                rows.append(random.choice(bad))
            else:
                asset, price = random.choice(["A", "#B_otc", "X/Y"]), f"1.{random.randint(1, 99999):05}"
                rows.append(b'["%b",%d,"%b"]' % (asset.encode(), NOW_S + number % 60, price.encode()))
                good.append((asset, price))
        if venue == "json" and not good:  # a list without any tick in it is a message of some other kind
            rows, good = [*rows, b'["A",%d,"1.5"]' % NOW_S], [("A", "1.5")]
        accepted, events = through(venue, wired(venue, "updateStream", b"[" + b",".join(rows) + b"]"), box)
        got = sorted((ticks.asset, price) for ticks in accepted for price in ticks.prices)
        assert got == sorted(good), rows
        malformed = sum(event.count for event in events if isinstance(event, Malformed))
        refused = sum(count.count for count in box.take_counts() if count.reason != RECEIVED)
        assert malformed + refused == len(rows) - len(good), rows


def mangled(random: Random, frame: bytes) -> bytes:
    """A frame cut, turned over, doubled, or with foreign pieces in it."""
    data = bytearray(frame)
    for _ in range(random.randint(0, 3)):
        at = random.randrange(len(data) + 1)
        match random.randrange(6):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + random.randint(1, 5)]
            case 2:
                data[at:at] = random.choice(PIECES)
            case 3:
                data[at:at] = data[: random.randint(0, len(data))]
            case 4 if data:
                data[at % len(data)] = random.randrange(256)
            case _:
                other = random.randrange(len(data) + 1)
                data[min(at, other) : max(at, other)] = random.choice(PIECES)
    return bytes(data)


def tree(random: Random, depth: int = 0) -> Any:
    """A value of JSON, often near to what a venue would send."""
    plain = [None, True, "A", "1.5", "", 0, -1, 1.5, NOW_S, 1e300, "e", "trade", "match", "p", "id", 10**18]
    kind = random.randrange(5 if depth < 4 else 3)
    if kind == 3:
        return [tree(random, depth + 1) for _ in range(random.randrange(5))]
    if kind == 4:
        names = [
            "asset",
            "symbol",
            "price",
            "p",
            "t",
            "time",
            "e",
            "s",
            "T",
            "a",
            "data",
            "type",
            "event",
            "channel",
            "id",
        ]
        return {random.choice(names): tree(random, depth + 1) for _ in range(random.randrange(6))}
    return random.choice(plain)


def junk(random: Random, venue: str) -> list[Frame]:
    """One frame, or an announced pair, that nobody sends."""
    match random.randrange(6):
        case 0:
            payload = random.randbytes(random.randint(0, 200))
        case 1:
            payload = orjson.dumps(tree(random))
        case 2:
            payload = random.choice(HEADERS)
        case 3:
            payload = random.choice([*PAYLOADS.values()])[:5000]
        case _:
            payload = mangled(random, random.choice(REAL[venue]))
    if venue in ENVELOPES and random.random() < 0.3:
        payload = random.choice(ENVELOPES[venue]).replace(b"%b", payload[:5000])
    if venue == "pocketoption" and random.random() < 0.5:
        return announced(random.choice(EVENTS), payload, num=random.choice([0, 0, 0, 1]))
    return [binary(payload) if random.random() < 0.2 else text(payload)]


def batches(venue: str, count: int) -> Iterator[list[Frame]]:
    """Frames by reads of the socket: alone and in runs, on connections that go on."""
    random = Random(f"junk {venue}")
    made = 0
    while made < count:
        batch = [frame for _ in range(random.choice([1, 1, 2, 8])) for frame in junk(random, venue)]
        made += len(batch)
        yield batch


@pytest.mark.parametrize("venue", VENUES)
def test_mangled_and_random_frames_crash_nothing_and_give_no_bad_tick(venue: str, frames: int) -> None:
    box = intake(venue)
    accepted = 0
    for batch in batches(venue, frames):
        for ticks in through(venue, batch, box)[0]:
            expect_good(ticks)
            accepted += len(ticks.prices)
    assert accepted > 0, "some are left whole enough to be ticks, or the test shows nothing"


@pytest.mark.parametrize("venue", VENUES)
def test_a_connection_that_had_junk_still_reads_a_good_frame(venue: str) -> None:
    """One connection for all of it, as a real one would live through it."""
    decoder = VENUES[venue].make_decoder(DecoderOptions(recorded=True))
    kept = 0
    good = [each for each in REAL[venue] if box_takes(venue, each)]
    assert good
    for batch in batches(venue, 500):
        list(decoder.receive(batch))
        sent = wired(venue, "updateStream", good[-1])
        events = list(decoder.receive([*sent, *sent]))  # the first may still be taken for a missing attachment
        kept += any(isinstance(event, LiveRows) for event in events)
    assert kept == sum(1 for _ in batches(venue, 500))


def box_takes(venue: str, payload: bytes) -> bool:
    return bool(through(venue, wired(venue, "updateStream", payload), intake(venue))[0])


def test_the_hand_made_corpus_is_large_enough() -> None:
    each = len(ROWS) * 2 + len(PAYLOADS) * 2 + len(HEADERS)
    exchanges = sum(len(envelopes) + 1 for envelopes in ENVELOPES.values()) * (len(ROWS) + len(PAYLOADS))
    assert each + exchanges >= 200
