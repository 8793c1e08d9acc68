"""The past over HTTP: ranges, pages, revalidation, exports."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from support.gateway import RunningGateway, running_gateway
from support.tickwire_process import eventually

from tickwire.messages.candles import Candle
from tickwire.messages.history import HistoryRequested, StoredTicksRequested
from tickwire.messages.lifecycle import AssetsAnnounced
from tickwire.runtime.gateway import export
from tickwire.runtime.gateway.export import PIECE
from tickwire.runtime.gateway.routes_export import MOST_EXPORTS

pytestmark = pytest.mark.timeout(60)

BEGIN = 1_756_866_600
US = 1_000_000


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running_gateway() as running:
        running.tell(AssetsAnnounced(feed="f1", assets=["A", "#B_otc"]))
        running.settle()
        yield running


@pytest.fixture
def http(gateway: RunningGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=20, trust_env=False) as client:
        yield client


def minutes(count: int, first: int = BEGIN) -> list[Candle]:
    return [
        Candle(
            timestamp=first + 60 * i, open=1.5, high=2.0, low=1.0, close=1.75, volume=0, is_closed=True,
            timeframe="1m", ticks=i, quality="live",
        )
        for i in range(count)
    ]  # fmt: skip


# -- ranges and pages


@pytest.mark.parametrize("path", ["candles", "history"])
def test_older_pages_follow_on_each_other_without_hole_or_repeat(
    gateway: RunningGateway, http: httpx.Client, path: str
) -> None:
    gateway.cache.candles["A", "1m"] = minutes(250)
    got: list[int] = []
    query: dict[str, str | int] = {"limit": 90}
    for _ in range(10):
        answer = http.get(f"/api/v1/{path}/A", params=query).json()
        got = [candle["timestamp"] for candle in answer["candles"]] + got
        if answer["older"] is None:
            break
        query["to"] = answer["older"]
    assert got == [BEGIN + 60 * i for i in range(250)]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (str(BEGIN + 60), str(BEGIN + 180)),
        (f"{BEGIN}.5", f"{BEGIN + 120}.25"),
        ("2025-09-03T02:31:00Z", "2025-09-03T02:33:00+00:00"),
        ("2025-09-03 02:31", "2025-09-03T04:33:00+02:00"),
    ],
)
def test_a_range_is_in_seconds_or_iso_8601(gateway: RunningGateway, http: httpx.Client, since: str, until: str) -> None:
    gateway.cache.candles["A", "1m"] = minutes(10)
    answer = http.get("/api/v1/candles/A", params={"from": since, "to": until}).json()
    assert [candle["timestamp"] for candle in answer["candles"]] == [BEGIN + 60, BEGIN + 120]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "yesterday"}, "2025-09-03T02:32:54Z"),
        ({"to": "1756866774000"}, "milliseconds"),
        ({"from": "-5"}, "1970"),
        ({"to": "NaN"}, "1756866774"),
        ({"from": "20", "to": "10"}, "not before"),
    ],
)
@pytest.mark.parametrize("path", ["candles", "history", "ticks", "export"])
def test_what_is_no_range_is_refused_with_the_remedy(
    http: httpx.Client, path: str, query: dict[str, str], said: str
) -> None:
    answer = http.get(f"/api/v1/{path}/A", params=query)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "invalid_range")
    assert said in answer.json()["user_message"]


def test_an_empty_range_of_a_known_asset_is_an_answer_and_of_an_unknown_one_an_error(
    gateway: RunningGateway, http: httpx.Client
) -> None:
    gateway.cache.candles["STORED", "1m"] = minutes(1)
    for asset in ("A", "STORED"):
        answer = http.get(f"/api/v1/candles/{asset}?to=100")
        assert (answer.status_code, answer.json()["candles"], answer.json()["older"]) == (200, [], None)
    assert http.get("/api/v1/candles/NOPE?to=100").json()["error_code"] == "unknown_asset"
    assert http.get("/api/v1/ticks/NOPE?to=100").json()["error_code"] == "unknown_asset"
    assert http.get("/api/v1/export/NOPE").json()["error_code"] == "unknown_asset"


def test_ticks_of_a_range_come_from_the_store_in_pages(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.cache.ticks = [(BEGIN * US + 271 * i, f"1.{1000 + i}") for i in range(25)]
    got: list[tuple[float, float]] = []
    query: dict[str, str | int | float] = {"limit": 10, "from": BEGIN}
    for _ in range(5):
        answer = http.get("/api/v1/ticks/A", params=query).json()
        got = [(tick["timestamp"], tick["price"]) for tick in answer["ticks"]] + got
        assert {tick["asset"] for tick in answer["ticks"]} == {"A"}
        if answer["older"] is None:
            break
        query["to"] = answer["older"]
    assert got == [(us / 1e6, float(price)) for us, price in gateway.cache.ticks]


# -- revalidation


@pytest.mark.parametrize("path", ["candles/A", "history/A", f"ticks/A?from={BEGIN}"])
def test_what_is_the_same_is_not_sent_again(gateway: RunningGateway, http: httpx.Client, path: str) -> None:
    gateway.cache.candles["A", "1m"] = minutes(3)
    gateway.cache.ticks = [(BEGIN * US, "1.5")]
    first = http.get(f"/api/v1/{path}")
    assert first.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    again = http.get(f"/api/v1/{path}", headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert http.get(f"/api/v1/{path}", headers={"If-None-Match": "*"}).status_code == 304
    gateway.cache.candles["A", "1m"] = minutes(4)
    gateway.cache.ticks.append((BEGIN * US + 5, "1.75"))
    changed = http.get(f"/api/v1/{path}", headers=known)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_a_stale_answer_is_sent_again_once_the_store_has_confirmed_it(
    gateway: RunningGateway, http: httpx.Client
) -> None:
    gateway.cache.candles["A", "1m"] = minutes(3)
    gateway.cache.stale = True
    first = http.get("/api/v1/candles/A")
    gateway.cache.stale = False
    again = http.get("/api/v1/candles/A", headers={"If-None-Match": first.headers["etag"]})
    assert (first.json()["stale"], again.status_code) == (True, 200)
    assert (again.json()["stale"], again.json()["candles"]) == (False, first.json()["candles"])


# -- status


def test_status_says_how_questions_were_answered(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.make_ready()
    history = http.get("/api/v1/status").json()["history"]
    assert history == {"hits": 5, "misses": 4, "stale": 3, "waits": 2, "failed": 1}


# -- export


def test_candles_are_exported_whole_and_in_order_in_pieces(gateway: RunningGateway, http: httpx.Client) -> None:
    years_before = minutes(3, BEGIN - 60 * 3_000_000)
    every = [*years_before, *minutes(2 * PIECE + 7)]
    gateway.cache.candles["A", "1m"] = every
    with http.stream("GET", "/api/v1/export/A?format=jsonl") as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answer.headers["content-disposition"] == 'attachment; filename="A-1m.jsonl"'
        rows = [json.loads(line) for line in answer.iter_lines()]
    assert [row["timestamp"] for row in rows] == [candle.timestamp for candle in every]
    asked = gateway.cache.got(HistoryRequested)
    assert len(asked) < 150
    assert max(question.limit for question in asked) == PIECE
    lines = http.get("/api/v1/export/A", params={"from": BEGIN, "to": BEGIN + 120}).text.splitlines()
    assert lines == [
        "timestamp,open,high,low,close,volume,ticks,quality",
        f"{BEGIN},1.5,2.0,1.0,1.75,0,0,live",
        f"{BEGIN + 60},1.5,2.0,1.0,1.75,0,1,live",
    ]


def test_an_answer_that_ended_early_is_asked_again_in_smaller_pieces(
    gateway: RunningGateway, http: httpx.Client
) -> None:
    gateway.cache.candles["A", "1m"] = minutes(PIECE)
    gateway.cache.most = 100
    lines = http.get("/api/v1/export/A", params={"format": "jsonl", "from": BEGIN, "to": BEGIN + 60 * PIECE}).text
    rows = [json.loads(line)["timestamp"] for line in lines.splitlines()]
    assert rows == [BEGIN + 60 * i for i in range(PIECE)]


def test_what_clients_offered_is_not_exported(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.cache.candles["A", "1m"] = minutes(3)
    gateway.cache.source = "client"
    assert http.get("/api/v1/export/A?format=jsonl").text == ""


def test_the_forming_candle_is_not_exported(gateway: RunningGateway, http: httpx.Client) -> None:
    closed, forming = minutes(2)
    object.__setattr__(forming, "is_closed", False)
    gateway.cache.candles["A", "1m"] = [closed, forming]
    assert len(http.get("/api/v1/export/A?format=jsonl").text.splitlines()) == 1


def test_ticks_are_exported_whole_and_in_order_however_dense(gateway: RunningGateway, http: httpx.Client) -> None:
    dense = [(BEGIN * US + 5 * i, f"1.{100_000 + i}") for i in range(3 * PIECE)]
    gateway.cache.ticks = [(86_400 * US, "1.5"), *dense, ((BEGIN + 5_000_000) * US, "1.25")]
    answer = http.get("/api/v1/export/%23B_otc?what=ticks")
    assert answer.headers["content-disposition"] == 'attachment; filename="_B_otc-ticks.csv"'
    text = answer.text.splitlines()
    assert text[0] == "timestamp,asset,price"
    rows = [row.split(",") for row in text[1:]]
    assert [(round(float(at) * US), asset, price) for at, asset, price in rows] == [
        (us, "#B_otc", price) for us, price in gateway.cache.ticks
    ]
    assert len(gateway.cache.got(StoredTicksRequested)) < 300
    (one,) = http.get("/api/v1/export/A?what=ticks&format=jsonl&to=90000").text.splitlines()
    assert json.loads(one) == {"asset": "A", "price": 1.5, "timestamp": 86_400.0}


def test_an_export_that_fails_at_once_is_an_error_and_not_an_empty_file(
    gateway: RunningGateway, http: httpx.Client
) -> None:
    gateway.cache.failing = "the store is away"
    answer = http.get("/api/v1/export/A")
    assert (answer.status_code, answer.json()["error_code"]) == (503, "history_unavailable")


@pytest.mark.parametrize(
    ("query", "code"), [("what=books", "invalid_request"), ("format=xml", "invalid_request"),
                        ("timeframe=1w", "invalid_timeframe")],
)  # fmt: skip
def test_an_export_of_nothing_known_is_refused(http: httpx.Client, query: str, code: str) -> None:
    answer = http.get(f"/api/v1/export/A?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (422, code)


def test_an_export_waits_out_what_fails_for_a_moment_and_breaks_off_where_it_lasts(
    gateway: RunningGateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "RETRY_S", 0.01)
    gateway.cache.candles["A", "1m"] = minutes(3 * PIECE)
    asked: list[HistoryRequested] = []

    def fail(first: int, last: int) -> None:
        asked.clear()

        def before(question: HistoryRequested) -> None:
            asked.append(question)
            gateway.cache.failing = "the store is away" if first <= len(asked) <= last else ""

        gateway.cache.before = before

    path = f"/api/v1/export/A?format=jsonl&from={BEGIN}&to={BEGIN + 180 * PIECE}"
    fail(3, 4)
    assert len(http.get(path).text.splitlines()) == 3 * PIECE
    assert len(asked) > 5
    fail(3, 1000)
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(path)


def test_more_exports_than_there_are_places_are_refused_and_a_place_is_free_again_after(
    gateway: RunningGateway, http: httpx.Client
) -> None:
    gateway.cache.candles["A", "1m"] = minutes(3 * PIECE)
    path = f"/api/v1/export/A?from={BEGIN}&to={BEGIN + 180 * PIECE}"

    def before(asked: HistoryRequested) -> None:
        gateway.cache.silent = asked.from_ts is not None and asked.from_ts > BEGIN  # the second piece never comes

    gateway.cache.before = before
    with ExitStack() as stack:
        for _ in range(MOST_EXPORTS):
            answer = stack.enter_context(http.stream("GET", path))
            assert answer.status_code == 200
        refused = http.get(path)
        assert (refused.status_code, refused.json()["error_code"]) == (503, "too_many_exports")
    gateway.cache.before = lambda _: None
    gateway.cache.silent = False
    eventually(lambda: http.get(path).status_code == 200, "a free place", 20)
