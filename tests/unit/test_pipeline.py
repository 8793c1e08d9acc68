"""From events to numbered messages: clock offset, history, crashes in mid-step."""

import pytest

from tickwire.market.offset import OffsetEstimator
from tickwire.market.pipeline import EARLY_HISTORY_MAX, FeedMemory, FeedPipeline, PipelineSettings
from tickwire.market.wire import CandleRows, HistoryRows, LiveRows
from tickwire.messages.ticks import BackfillReceived, Count, TicksReceived

NOW_S = 1_756_866_774.0
NOW_US = round(NOW_S * 1e6)
AHEAD_S = 7_200.0
AHEAD_US = 7_200_000_000


def pipeline(memory: FeedMemory | None = None, *, unique: bool = True, estimates: bool = True) -> FeedPipeline:
    settings = PipelineSettings(sender="run/f", feed="f", source="v", unique_stamps=unique, estimates_offset=estimates)
    return FeedPipeline(settings, memory or FeedMemory(), OffsetEstimator())


def live(one: FeedPipeline, *rows: tuple[str, float, float], at_us: int = NOW_US) -> list[str]:
    assets, stamps, prices = zip(*rows, strict=True)
    return one.live(LiveRows(assets, stamps, prices), at_us, at_us)


def test_live_ticks_go_out_with_stamps_in_utc_and_raw_ones_beside_them() -> None:
    one = pipeline()
    assert live(one, ("A", NOW_S + AHEAD_S - 0.5, 1.5)) == ["A"]
    one.grant("A", "E", 1)
    (message,) = one.messages()
    assert isinstance(message, TicksReceived)
    (columns,) = message.columns
    assert (columns.offset_us, columns.ts_us, columns.stamps) == (
        AHEAD_US, [NOW_US - 500_000], [repr(NOW_S + AHEAD_S - 0.5)],
    )  # fmt: skip
    assert [change.offset_us for change in one.offset_changes] == [AHEAD_US]


def test_history_waits_for_the_offset_that_a_live_tick_shows() -> None:
    one = pipeline()
    one.past(HistoryRows("A", [NOW_S + AHEAD_S - 10_000], [1.4]), NOW_US, NOW_US)  # old: would show another offset
    assert one.messages() == []
    live(one, ("A", NOW_S + AHEAD_S, 1.5))
    one.grant("A", "E", 1)
    messages = one.messages()
    (past,) = [message for message in messages if isinstance(message, BackfillReceived)]
    assert past.columns[0].offset_us == AHEAD_US
    assert past.columns[0].ts_us == [NOW_US - 10_000 * 1_000_000]


def test_where_no_live_tick_comes_the_newest_history_shows_the_offset() -> None:
    one = pipeline()
    one.past(HistoryRows("OLD", [NOW_S + AHEAD_S - 9_000], [1.4]), NOW_US, NOW_US)
    one.past(HistoryRows("A", [NOW_S + AHEAD_S - 60, NOW_S + AHEAD_S - 1], [1.4, 1.5]), NOW_US, NOW_US)
    one.past(CandleRows("A", 60, [(NOW_S + AHEAD_S - 54, 1, 2, 1, 2)]), NOW_US, NOW_US)
    one.take_early()
    (message,) = one.messages()
    assert isinstance(message, BackfillReceived)
    assert [(column.asset, column.offset_us) for column in message.columns] == [("OLD", AHEAD_US), ("A", AHEAD_US)]
    assert message.candles[0].rows[0][0] == (NOW_US - 54_000_000) // 1_000_000


def test_bad_rows_of_history_that_waited_are_counted_once() -> None:
    one = pipeline()
    one.past(HistoryRows("A", [NOW_S, NOW_S], [1.4, -1]), NOW_US, NOW_US)
    one.take_early()
    assert one.take_counts() == [Count(asset="A", reason="bad_price", count=1)]


def test_history_of_more_assets_than_are_held_is_not_taken_at_the_wrong_time() -> None:
    one = pipeline()
    for i in range(EARLY_HISTORY_MAX + 10):
        one.past(HistoryRows(f"A{i}", [NOW_S + AHEAD_S - 1], [1.5]), NOW_US, NOW_US)
    columns = [column for message in one.messages() for column in message.columns]
    assert len(columns) == EARLY_HISTORY_MAX + 10
    assert {column.offset_us for column in columns} == {AHEAD_US}


def test_a_feed_whose_clock_is_right_needs_no_estimate() -> None:
    one = pipeline(estimates=False)
    one.past(HistoryRows("A", [NOW_S - 10], [1.4]), NOW_US, NOW_US)
    assert one.messages()[0].columns[0].offset_us == 0
    live(one, ("A", NOW_S + AHEAD_S, 1.5))
    assert (one.offset_us, one.offset_changes) == (0, [])


def test_a_tick_live_and_in_history_is_taken_both_times() -> None:
    one = pipeline(estimates=False)
    live(one, ("A", NOW_S, 1.5))
    one.grant("A", "E", 1)
    one.past(HistoryRows("A", [NOW_S], [1.5]), NOW_US, NOW_US)
    assert [type(message) for message in one.messages()] == [TicksReceived, BackfillReceived]
    assert one.take_counts() == []


def test_messages_are_numbered_on_over_steps_and_incarnations() -> None:
    memory = FeedMemory()
    one = pipeline(memory, estimates=False)
    live(one, ("A", NOW_S, 1.5))
    one.grant("A", "E", 1)
    assert [message.number for message in one.messages()] == [1]
    one.settle()
    assert one.messages() == []
    again = pipeline(memory, estimates=False)
    live(again, ("A", NOW_S + 1, 1.6))
    again.grant("A", "F", 1)
    (message,) = again.messages()
    assert message.number == 2


@pytest.mark.parametrize("unique", [True, False])
def test_a_step_that_crashed_is_taken_again_with_the_same_ordinals_and_numbers(unique: bool) -> None:
    memory = FeedMemory()
    rows = [("A", NOW_S, 1.5), ("A", NOW_S, 1.5), ("A", NOW_S, 1.6)]
    taken = []
    for _ in range(2):  # the first incarnation never settles
        one = pipeline(memory, unique=unique, estimates=False)
        live(one, *rows)
        one.grant("A", "E", 1)
        (message,) = one.messages()
        taken.append((message.number, list(message.columns[0].ordinals), list(message.columns[0].prices)))
    assert taken[0] == taken[1]
    assert taken[0][1:] == (([0, 0], ["1.5", "1.6"]) if unique else ([0, 1, 0], ["1.5", "1.5", "1.6"]))


def test_ticks_and_history_of_an_asset_that_another_feed_has_are_counted() -> None:
    one = pipeline(estimates=False)
    live(one, ("A", NOW_S, 1.5), ("A", NOW_S + 1, 1.6))
    one.refuse("A", "other")
    live(one, ("A", NOW_S + 2, 1.7))
    one.past(HistoryRows("A", [NOW_S - 1, NOW_S - 2], [1.1, 1.2]), NOW_US, NOW_US)
    assert one.messages() == []
    assert one.take_counts() == [Count(asset="A", reason="not_owner", count=5)]


def test_lateness_is_how_far_a_stamp_is_behind_its_assets_newest() -> None:
    one = pipeline(estimates=False)
    live(one, ("A", NOW_S, 1.5), ("B", NOW_S - 50, 1.5))
    assert one.lateness_us == 0
    live(one, ("A", NOW_S - 3, 1.4))
    assert one.lateness_us == 3_000_000
    assert one.newest_us["A"] == NOW_US


def test_what_came_at_one_moment_is_one_message() -> None:
    one = pipeline(estimates=False)
    live(one, ("A", NOW_S, 1.5), ("B", NOW_S, 2.5))
    for asset in ("A", "B"):
        one.grant(asset, "E", 1)
    live(one, ("A", NOW_S + 1, 1.6), at_us=NOW_US + 5)
    messages = one.messages()
    assert [(message.recv_us, message.ticks) for message in messages] == [(NOW_US, 2), (NOW_US + 5, 1)]


# -- counts --------------------------------------------------------------------------------------------------------


def counted(messages: list[TicksReceived | BackfillReceived]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for message in messages:
        for count in message.counts:
            found[count.asset, count.reason] = found.get((count.asset, count.reason), 0) + count.count
    return found


def test_a_message_says_how_many_ticks_arrived_and_why_not_all_are_in_it() -> None:
    one = pipeline()
    one.grant("A", "E", 1)
    live(one, ("A", NOW_S, 1.5), ("A", NOW_S + 1, -1), ("A", NOW_S + 2, 1.6))
    one.numbering.to_ask()
    one.grant("A", "E", 1)
    assert counted(one.messages()) == {("A", "received"): 3, ("A", "bad_price"): 1}


def test_held_ticks_count_as_received_when_they_go_out() -> None:
    one = pipeline()
    live(one, ("A", NOW_S, 1.5), ("A", NOW_S + 1, -1))
    assert counted(one.messages(counts_at_us=NOW_US)) == {("A", "received"): 1, ("A", "bad_price"): 1}
    one.settle()
    one.grant("A", "E", 1)
    assert counted(one.messages()) == {("A", "received"): 1}


def test_held_ticks_that_are_refused_are_received_and_rejected() -> None:
    one = pipeline()
    live(one, ("A", NOW_S, 1.5), ("A", NOW_S + 1, 1.6))
    one.refuse("A", "f2")
    assert counted(one.messages(counts_at_us=NOW_US)) == {("A", "received"): 2, ("A", "not_owner"): 2}


def test_counts_wait_for_a_tick_unless_told_to_go() -> None:
    one = pipeline()
    one.intake.malformed(2)
    assert one.messages() == []
    (alone,) = one.messages(counts_at_us=NOW_US)
    assert isinstance(alone, TicksReceived)
    assert (alone.ticks, alone.columns, alone.recv_us) == (0, [], NOW_US)
    assert counted([alone]) == {("?", "received"): 2, ("?", "malformed"): 2}


def test_each_message_says_that_its_own_ticks_were_received_whichever_is_accepted() -> None:
    one = pipeline(estimates=False)
    live(one, ("A", NOW_S, 1.5), ("A", NOW_S + 1, 1.6))
    one.settle()
    one.grant("A", "E", 1)  # two ticks that were held, with history and a bad tick behind them, of one moment or later
    one.past(HistoryRows("A", [NOW_S - 60, NOW_S - 59, NOW_S - 58], [1.4, 1.5, -1]), NOW_US, NOW_US)
    live(one, ("A", NOW_S + 2, 1.7), at_us=NOW_US + 1)
    one.past(HistoryRows("B", [NOW_S - 60], [1.4]), NOW_US + 1, NOW_US + 1)
    messages = one.messages()
    assert [message.ticks for message in messages] == [2, 2, 1, 1]
    *before, last = [counted([message]) for message in messages]
    assert before == [{("A", "received"): 2}, {("A", "received"): 2}, {("A", "received"): 1}]
    assert last == {("B", "received"): 1, ("A", "received"): 1, ("A", "bad_price"): 1}
