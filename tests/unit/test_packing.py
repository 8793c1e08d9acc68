"""Accepted ticks as bytes and back: what the spool and the outbox keep."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.market.candle_rows import CandleRow
from tickwire.market.identity import tick_uids
from tickwire.market.packing import UnknownPacking, pack, pack_candles, unpack, unpack_rows
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.messages.ticks import BackfillReceived, HistoryColumns, TickColumns, TicksReceived

OFFSET_US = 7_200_000_000


def live(asset: str, ticks: list[tuple[int, str]], trade_ids: list[str] | None = None) -> TicksReceived:
    columns = TickColumns(
        asset=asset,
        epoch="E",
        first_seq=1,
        offset_us=OFFSET_US,
        ts_us=[us for us, _ in ticks],
        stamps=[str((us + OFFSET_US) / 1e6) for us, _ in ticks],
        prices=[price for _, price in ticks],
        ordinals=[0] * len(ticks),
        trade_ids=trade_ids,
        encoded=[b""] * len(ticks),
    )
    return TicksReceived(
        sender="s", number=1, feed="f", source="pocketoption", recv_us=5, ticks=len(ticks), columns=[columns]
    )


def past(asset: str, us: int, price: str) -> BackfillReceived:
    columns = HistoryColumns(
        asset=asset,
        offset_us=OFFSET_US,
        ts_us=[us],
        stamps=[str((us + OFFSET_US) / 1e6)],
        prices=[price],
        ordinals=[0],
    )
    return BackfillReceived(
        sender="s", number=2, feed="f", source="pocketoption", recv_us=6, ticks=1, columns=[columns]
    )


def test_a_row_is_unpacked_with_the_uid_of_its_raw_stamp() -> None:
    (row,) = unpack_rows(pack([live("EURGBP_otc", [(1756859574962000, "0.87951")])]))
    # The golden vector of test_identity.
    uid = "01990d6b-87b2-8d8f-a38e-34aac12e79f9"
    assert row == Row(uid, "EURGBP_otc", "0.87951", 1756859574962000, 5, "pocketoption")


def test_the_same_tick_live_and_in_history_is_one_row() -> None:
    rows = unpack_rows(pack([live("A", [(1_000_000_000, "1.5")]), past("A", 1_000_000_000, "1.5")]))
    assert len(rows) == 2
    assert len({row.uid for row in rows}) == 1


def test_rows_come_in_the_order_of_their_messages() -> None:
    rows = unpack_rows(pack([live("A", [(1, "1"), (2, "2")]), past("B", 3, "3"), live("A", [(4, "4")])]))
    assert [(row.pair, row.price, row.recv_us) for row in rows] == [
        ("A", "1", 5), ("A", "2", 5), ("B", "3", 6), ("A", "4", 5),
    ]  # fmt: skip


def test_trade_ids_take_the_ordinals_place() -> None:
    ticks = [(1_000_000, "1.5"), (1_000_000, "1.5")]
    rows = unpack_rows(pack([live("A", ticks, ["x", "y"])]))
    stamp = str((1_000_000 + OFFSET_US) / 1e6)
    expected = tick_uids(
        source="pocketoption", asset="A", raw_us=[1_000_000 + OFFSET_US] * 2, stamps=[stamp] * 2, prices=["1.5"] * 2,
        ordinals=["x", "y"],
    )  # fmt: skip
    assert [row.uid for row in rows] == expected


@given(
    st.lists(
        st.tuples(st.integers(1, 2**52), st.decimals("0.0001", "99999", places=5).map(str)), min_size=1, max_size=30
    )
)
def test_stamps_and_prices_survive_to_the_last_digit(ticks: list[tuple[int, str]]) -> None:
    assert [(row.ts_us, row.price) for row in unpack_rows(pack([live("A", ticks)]))] == ticks


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"[2,[]]",
        b"[2]",
        b"[2,5,[]]",
        b"[2,[[1]],[]]",
        b"null",
        b'[2,[["s",1,"A",0,[1],["1"],[],[0],null]],[]]',
        b'[2,[],[["A",1]]]',
    ],
)
def test_bytes_of_another_making_are_refused(payload: bytes) -> None:
    with pytest.raises(UnknownPacking):
        unpack_rows(payload)


def test_a_newer_packing_is_named() -> None:
    with pytest.raises(UnknownPacking, match="packing version 4, this tickwire knows 2 and 3"):
        unpack_rows(orjson.dumps([4, [], []]))


def test_candles_are_unpacked_as_they_were_packed() -> None:
    candle = Candle(
        timestamp=1_756_866_780, open=1.0653, high=1.06548, low=0.0000000123, close=1.0652, volume=0, is_closed=True,
        timeframe="1m", ticks=118, quality="gap",
    )  # fmt: skip
    rows = [CandleRow("#AAPL_otc", candle), CandleRow("XBT/USD", replace(candle, ticks=0, quality="live", volume=2.5))]
    unpacked = unpack(pack_candles(rows))
    assert list(unpacked.candles) == rows
    assert (list(unpacked.rows), list(unpacked.counted)) == ([], [])


def test_an_entry_of_ticks_reads_as_it_did_before_there_were_candles() -> None:
    """Entries wait in spools when tickwire is brought up to date, and back."""
    payload = pack([live("A", [(1, "1")])])
    assert orjson.loads(payload)[0] == 2
    assert list(unpack(payload).candles) == []


@pytest.mark.parametrize("candle", [[], ["A", "1m"], "x", None, 7])
def test_damaged_candles_are_named(candle: object) -> None:
    with pytest.raises(UnknownPacking):
        unpack(orjson.dumps([3, [], [], [candle]]))


def test_nothing_is_packed_as_nothing() -> None:
    assert unpack_rows(pack([])) == []
