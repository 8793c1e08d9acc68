"""The replay server, seen by clients over real sockets."""

import base64
import gzip
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs
from support.feeds_clients import RealClock, SteppedClock, connected, read_to_the_end, receive_to_the_end, receive_until
from support.recordings import recording
from support.tickwire_process import eventually

from tickwire.actors.ports import BINARY, PING, PONG, TEXT, Clock, FeedClosed
from tickwire.config.urls import parse_replay
from tickwire.runtime.feeds.recordings import RecordingError
from tickwire.runtime.feeds.replay import ReplayServer

pytestmark = pytest.mark.timeout(60)

SESSION = "pocketoption.frames.jsonl"


@contextmanager
def replaying(
    path: Path | str, options: str = "speed=max", *, ready: bool = True, clock: Clock | None = None
) -> Iterator[ReplayServer]:
    server = ReplayServer(parse_replay(f"{path}?{options}"), clock or RealClock())
    server.start()
    try:
        if ready:
            server.ready()
        yield server
    finally:
        server.stop()


def recorded_frames(path: Path) -> list[tuple[int, bytes]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (TEXT, line["data"].encode()) if line["type"] == "text" else (BINARY, base64.b64decode(line["data"]))
        for line in lines
    ]


def data_frames(frames: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [frame for frame in frames if frame[0] in (TEXT, BINARY)]


def rows(messages: Sequence[str | bytes]) -> list[tuple[str, float, float]]:
    parsed = [orjson.loads(message) for message in messages]
    assert all(len(message) == 1 for message in parsed)
    return [tuple(row) for message in parsed for row in message]


@pytest.mark.parametrize(
    ("name", "asset", "count"),
    [
        ("AEDCNY_otc_20251013.csv", "AEDCNY_otc", 10_517),
        ("AUDCAD_otc_20251020.csv", "AUDCAD_otc", 9_699),
        ("CADJPY_otc_20251013.csv", "CADJPY_otc", 29_000),
        ("DOGE_otc_20251011.csv", "DOGE_otc", 9_330),
        ("EURUSD_otc_20251015.csv", "EURUSD_otc", 5_582),
        ("EURUSD_otc_subsecond.csv", "EURUSD_otc", 25_297),
    ],
)
def test_a_client_gets_every_data_row_of_a_csv_and_the_end(name: str, asset: str, count: int) -> None:
    with replaying(recording(f"ticks/{name}")) as server:
        messages, code, reason = read_to_the_end(server.url)
    ticks = rows(messages)
    assert len(ticks) == count
    assert {tick[0] for tick in ticks} == {asset}
    assert (code, reason) == (1000, "ended")


def test_a_csv_without_doubles_counts_its_distinct_rows() -> None:
    with replaying(recording("ticks/EURUSD_otc_subsecond.csv")) as server:
        messages, _, _ = read_to_the_end(server.url)
    assert len(set(messages)) == 8_772
    assert messages[0] == '[["EURUSD_otc",1752960407.177,1.15838]]'  # as the file spells it


def test_a_csv_that_passes_midnight_goes_on_with_the_next_day() -> None:
    with replaying(recording("ticks/AUDCAD_otc_20251020.csv")) as server:
        messages, _, _ = read_to_the_end(server.url)
    stamps = [tick[1] for tick in rows(messages)]
    assert stamps[0] == 1_760_999_967  # 2025-10-20 22:39:27 UTC
    steps = [after - before for before, after in pairwise(stamps)]
    assert min(steps) >= 0
    assert max(steps) < 600
    assert stamps[9_495] < 1_761_004_800 <= stamps[9_496]  # 2025-10-21 00:00 UTC


def test_a_recorded_session_is_sent_verbatim_with_its_times_of_arrival() -> None:
    path = recording(SESSION)
    with replaying(path) as server, connected(server.url) as feed:
        frames, closed = receive_to_the_end(feed)
    expected = recorded_frames(path)
    assert len(expected) == 319
    assert data_frames(frames) == expected
    assert (closed.code, closed.reason) == (1000, "ended")
    times = [json.loads(line)["t"] for line in path.read_text().splitlines()]
    announced: list[int] = []
    arrivals: list[int] = []
    for opcode, payload in frames:
        if opcode == PING:
            assert payload.startswith(b"t=")
            announced.append(int(payload[2:]))
        else:
            arrivals.append(announced[-1])
    assert arrivals == [round(t * 1e6) for t in times]
    assert announced == list(dict.fromkeys(announced))


def test_nothing_is_sent_before_ready_and_the_delay_counts_from_there() -> None:
    path = recording(SESSION)
    with replaying(path, "speed=max&delay=0.2", ready=False) as server, connected(server.url) as feed:
        feed.ping()
        early = receive_until(feed, lambda frames: bool(frames))
        assert data_frames(early) == []  # the pong came, so the server is up and silent
        server.ready()
        frames, closed = receive_to_the_end(feed)
    assert len(data_frames(frames)) == 319
    assert closed.reason == "ended"


def test_a_cut_connection_is_resumed_with_the_handshake_and_the_next_event(tmp_path: Path) -> None:
    path = tmp_path / "parts.frames.jsonl"
    handshake = [(TEXT, b'0{"sid":"a"}'), (TEXT, b'40{"sid":"b"}')]
    header = '451-["updateStream",{"_placeholder":true,"num":0}]'
    lines: list[dict[str, object]] = [{"t": 1000, "type": "text", "data": text.decode()} for _, text in handshake]
    for part in range(4):
        for i in range(200):
            lines.append({"t": 1000 + part * 60, "type": "text", "data": header})
            payload = b'[["A_otc",%d.5,1.5]]' % (1_700_000_000 + part * 1000 + i)
            lines.append({"t": 1000 + part * 60, "type": "binary", "data": base64.b64encode(payload).decode()})
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    expected = recorded_frames(path)
    clock = SteppedClock()
    with replaying(path, "speed=2", clock=clock) as server:
        for part in range(4):
            with connected(server.url) as feed:
                frames = receive_until(feed, lambda frames: len(data_frames(frames)) >= 402)
                assert data_frames(frames) == handshake + expected[2 + part * 400 : 402 + part * 400]
                assert (PING, b"t=%d" % ((1000 + part * 60) * 1_000_000)) in frames
                if part < 3:
                    server.drop_clients()
                    clock.seconds += 30
                _, closed = receive_to_the_end(feed)
                assert (closed.reason == "ended") is (part == 3)


def test_events_leave_when_they_are_due_at_the_speed_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "A_20250101.csv"
    path.write_text("timestamp,asset,price\n10:00:00Z,A,1\n10:00:10Z,A,2\n10:00:05Z,A,3\n10:00:20Z,A,4\n")
    clock = SteppedClock()
    with replaying(path, "speed=10&delay=3", clock=clock) as server, connected(server.url) as feed:
        for seconds, prices in [(2.9, []), (0.1, [1]), (0.9, []), (0.1, [2, 3]), (1.0, [4])]:
            clock.seconds += seconds
            feed.ping()
            payloads: list[tuple[int, bytes]] = []
            # Its answer to a second ping comes behind whatever the first one made it look at.
            receive_until(feed, lambda frames: PONG in dict(frames), payloads)
            with suppress(FeedClosed):  # after the last row comes the end
                feed.ping()
                receive_until(feed, lambda frames: [op for op, _ in frames].count(PONG) >= 2, payloads)
            assert [orjson.loads(payload)[0][2] for _, payload in data_frames(payloads)] == prices


def test_nothing_is_lost_or_sent_twice_where_the_network_delivers_what_it_took() -> None:
    path = recording("ticks/CADJPY_otc_20251013.csv")
    with replaying(path) as server:
        whole = read_to_the_end(server.url)[0]
    with replaying(path) as server:
        with connected(server.url) as feed:
            before = receive_until(feed, lambda frames: len(frames) > 10)
            server.drop_clients()  # in the middle of a write: more than all buffers hold is left
            rest, closed = receive_to_the_end(feed)
        messages, _, reason = read_to_the_end(server.url)
    assert closed.code is None
    assert reason == "ended"
    assert [payload.decode() for _, payload in before + rest] + messages == whole
    assert len(messages) > 1000


def test_after_the_end_another_client_is_told_so_too() -> None:
    with replaying(recording(SESSION)) as server:
        read_to_the_end(server.url)
        messages, code, reason = read_to_the_end(server.url)
    assert len(messages) == 2  # the handshake
    assert (code, reason) == (1000, "ended")


def test_the_newest_client_is_the_one_that_is_served() -> None:
    with replaying(recording(SESSION), ready=False) as server, connected(server.url) as first:
        first.ping()
        receive_until(first, lambda frames: bool(frames))
        with connected(server.url) as second:
            _, closed = receive_to_the_end(first)
            assert closed.code is None
            server.ready()
            frames, _ = receive_to_the_end(second)
    assert len(data_frames(frames)) == 319


def test_a_paced_replay_comes_to_its_end() -> None:
    with replaying(recording("ticks/EURUSD_otc_20251015.csv"), "speed=10000") as server:
        messages, code, _ = read_to_the_end(server.url)
    assert len(messages) == 5_582
    assert code == 1000


def test_a_loop_begins_again_and_never_ends(tmp_path: Path) -> None:
    path = tmp_path / "A_20250101.csv"
    path.write_text("timestamp,asset,price\n10:00:00Z,A,1.5\n10:00:01Z,A,1.6\n")
    with replaying(path, "speed=max&loop=1") as server, connected(server.url) as feed:
        frames = receive_until(feed, lambda frames: len(frames) >= 1001)
    assert set(frames[0::2]) == {(TEXT, b'[["A",1735725600,1.5]]')}
    assert set(frames[1::2]) == {(TEXT, b'[["A",1735725601,1.6]]')}


def test_an_empty_recording_ends_at_once_even_in_a_loop(tmp_path: Path) -> None:
    path = tmp_path / "A_20250101.csv"
    path.write_text("timestamp,asset,price\n")
    with replaying(path, "loop=1") as server:
        assert read_to_the_end(server.url) == ([], 1000, "ended")


@pytest.mark.parametrize("name", [SESSION, "ticks/EURUSD_otc_20251015.csv"])
def test_a_rebased_recording_looks_live_and_keeps_its_prices(name: str) -> None:
    path = recording(name)
    with replaying(path, "speed=max&rebase=1") as server, connected(server.url) as feed:
        now_s = RealClock().now_us() / 1e6
        frames, _ = receive_to_the_end(feed)
    with replaying(path) as server, connected(server.url) as feed:
        originals, _ = receive_to_the_end(feed)

    def ticks(all_frames: Sequence[tuple[int, bytes]]) -> list[tuple[str, float, float]]:
        payloads = [payload for _, payload in data_frames(all_frames) if payload.startswith(b"[[")]
        return [tuple(row) for payload in payloads for row in orjson.loads(payload) if len(row) == 3]

    before, after = ticks(originals), ticks(frames)
    assert [(a, p) for a, _, p in after] == [(a, p) for a, _, p in before]
    shifts = {round(moved[1] - tick[1], 3) for tick, moved in zip(before, after, strict=True)}
    assert len(shifts) == 1
    ahead = 7200 if name == SESSION else 0
    assert abs(after[0][1] - ahead - now_s) < 120


@pytest.mark.parametrize("source", [SESSION, "ticks/EURUSD_otc_20251015.csv"])
def test_a_gzipped_recording_is_the_same(tmp_path: Path, source: str) -> None:
    plain = recording(source)
    packed = tmp_path / f"{plain.name}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with replaying(packed) as server:
        from_packed = read_to_the_end(server.url)
    with replaying(plain) as server:
        assert read_to_the_end(server.url) == from_packed


@pytest.mark.parametrize(
    "name", ["BINANCE.ws.1.0.gz", "BITSTAMP.ws.1.0.gz", "COINBASE.ws.28.0.gz", "KRAKEN.ws.50.0.gz"]
)
def test_an_exchange_capture_is_sent_as_it_was_received(name: str) -> None:
    path = recording(f"exchanges/{name}")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    expected = [line.partition(": ")[2] for line in lines if line[:1].isdigit()]
    with replaying(path) as server:
        messages, code, _ = read_to_the_end(server.url)
        assert server.recording.source == name.partition(".")[0].lower()
    assert messages == expected
    assert code == 1000


def test_coinbases_capture_has_its_matches() -> None:
    with replaying(recording("exchanges/COINBASE.ws.28.0.gz")) as server:
        messages, _, _ = read_to_the_end(server.url)
    kinds = Counter(orjson.loads(message)["type"] for message in messages)
    assert (kinds["match"], kinds["last_match"]) == (97, 10)


def test_a_stopped_server_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with replaying(recording(SESSION), ready=False) as server, connected(server.url) as feed:
        feed.ping()
        receive_until(feed, lambda frames: bool(frames))
    eventually(lambda: set(threading.enumerate()) <= before, "the end of its threads, a cancelled timer's included", 15)


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("nothing.csv", None, "", ["no such file", "relative to"]),
        ("ticks.txt", b"", "", ["unknown kind", "*.frames.jsonl, *.csv"]),
        ("a.csv", b"", "", ["empty", "timestamp,asset,price"]),
        ("a_20250101.csv", b"timestamp,open,close\n", "", ["no column price", "timestamp,open,close"]),
        ("plain.csv", b"time,price\n1752960407.1,1.5\n", "", ["names no asset", "asset=ASSET"]),
        ("bad name_20250101.csv", b"time,price\n", "", ["names no asset"]),
        ("A.csv", b"timestamp,asset,price\n10:00:00Z,A,1.5\n", "", ["no date", "date=YYYY-MM-DD"]),
        ("A.csv", b"timestamp,asset,price\n1.5,A,1.5\n", "asset=B", ["asset=B", "leave asset= out"]),
        ("a.frames.jsonl", b'{"t":1,"type":"text","data":"[]"}\n', "asset=B", ["leave asset= and date= out"]),
        ("a.frames.jsonl", b'{"t":1,"type":"text","data":"[]"}\n', "rebase=1", ["rebase=1"]),
        ("a.csv.gz", b"no gzip", "", ["can't be read"]),
        ("a.frames.jsonl", b"", "", ["is empty", "Name another"]),
        ("a.frames.jsonl", b"\n\x00\xff\n{}\n", "", ["no line of it is a frame", "line 2 is", "Name another"]),
        ("A.ws.1", b"hello\nworld\n", "", ["line 1 is 'hello'", "seconds: payload"]),
        ("A.csv", b"timestamp,asset,price\n\nx,y,z\n1,A\n", "", ["line 3 is 'x,y,z'", "a time and a price"]),
        ("A.csv", b"timestamp,asset,price\n1.5,A,n/a\n", "", ["line 2 is '1.5,A,n/a'"]),
    ],
)
def test_a_recording_that_cannot_be_played_is_named_with_its_remedy(
    tmp_path: Path, name: str, content: bytes | None, options: str, words: list[str]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError) as refused:
        ReplayServer(parse_replay(f"{path}?{options}"), RealClock())
    for word in words:
        assert word in str(refused.value)


def test_what_the_url_gives_stands_in_for_what_the_file_lacks(tmp_path: Path) -> None:
    path = tmp_path / "odd name.csv"
    path.write_text("time,price\n23:59:59Z,1.50\n00:00:01Z,1.60\n")
    with replaying(path, "speed=max&asset=%23X&date=2025-01-01") as server:
        messages, _, _ = read_to_the_end(server.url)
    assert messages == ['[["#X",1735775999,1.50]]', '[["#X",1735776001,1.60]]']


def test_a_row_that_is_no_tick_goes_out_for_the_relay_to_count(tmp_path: Path) -> None:
    path = tmp_path / "A_20250101.csv"
    path.write_text(
        'timestamp,asset,price\n\n10:00:00Z,A,abc\n25:00:00Z,A,1.5\nhalf,a\n10:00:01Z,"A,1.5\n10:00:02.25Z,A,1e5\n10:00:03Z,A,1.6\n'
    )
    with replaying(path) as server:
        messages, _, _ = read_to_the_end(server.url)
    assert messages == [
        '[["A",1735725600,"abc"]]',
        '[["A","25:00:00Z",1.5]]',
        '[["half","a"]]',
        '[["\\"A",1735725601,1.5]]',
        '[["A",1735725602.25,"1e5"]]',
        '[["A",1735725603,1.6]]',
    ]


def test_bad_lines_among_good_ones_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.frames.jsonl"
    good = b'{"t":1,"type":"text","data":"[1]"}\n'
    path.write_bytes(good + b"junk\n" * 25 + b"\n" + good)
    with capture_logs() as logs, replaying(path) as server:
        assert read_to_the_end(server.url) == (["[1]"] * 2, 1000, "ended")
    shown = [line for line in logs if line["event"] == "recording_line_skipped"]
    assert [line["line"] for line in shown] == list(range(2, 12))
    [told] = [line for line in logs if line["event"] == "recording_lines_skipped"]
    assert (told["file"], told["lines"]) == ("a.frames.jsonl", 25)


def test_bad_rows_among_good_ones_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "A_20250101.csv"
    path.write_text("time,price\n10:00:00Z,1.5\njunk\n10:00:01Z,\n10:00:02Z,1.6\n")
    with capture_logs() as logs, replaying(path) as server:
        messages, _, _ = read_to_the_end(server.url)
    assert len(messages) == 4
    [told] = [line for line in logs if line["event"] == "recording_rows_unreadable"]
    assert (told["file"], told["rows"]) == ("A_20250101.csv", 2)


def test_a_recording_cut_off_by_a_kill_plays_up_to_there(tmp_path: Path) -> None:
    whole = b'{"t":1,"type":"text","data":"[1]"}\n'
    (tmp_path / "a.frames.jsonl").write_bytes(whole * 3 + whole[:20])
    packed = gzip.compress(b"".join(b'{"t":%d,"type":"text","data":"[1]"}\n' % i for i in range(5000)))
    (tmp_path / "b.frames.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    with replaying(tmp_path / "a.frames.jsonl") as server:
        assert read_to_the_end(server.url) == (["[1]"] * 3, 1000, "ended")
    with replaying(tmp_path / "b.frames.jsonl.gz") as server:
        messages, code, _ = read_to_the_end(server.url)
    assert 1000 < len(messages) < 5000
    assert code == 1000
