"""`/api/v1/holes/ASSET` and `tickwire history --holes` with real clients on a real socket."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.commands import command, succeed
from support.gateway import RunningGateway, running_gateway

from tickwire.messages.candles import Hole

pytestmark = pytest.mark.timeout(60)

START_US = 1_756_866_774_250_000


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running_gateway() as running:
        yield running


@pytest.fixture
def http(gateway: RunningGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=20, trust_env=False) as client:
        yield client


def test_an_assets_holes_are_listed_oldest_first(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.cache.holes["#AAPL_otc"] = [
        Hole(from_us=START_US, until_us=START_US + 2_500_000, refilled=False),
        Hole(from_us=START_US + 60_000_000, until_us=START_US + 61_000_000, refilled=True),
    ]
    answer = http.get("/api/v1/holes/%23AAPL_otc")
    assert answer.status_code == 200
    assert answer.json() == {
        "asset": "#AAPL_otc",
        "count": 2,
        "holes": [
            {
                "from": 1_756_866_774.25,
                "to": 1_756_866_776.75,
                "seconds": 2.5,
                "from_utc": "2025-09-03T02:32:54Z",
                "to_utc": "2025-09-03T02:32:56Z",
                "refilled": False,
            },
            {
                "from": 1_756_866_834.25,
                "to": 1_756_866_835.25,
                "seconds": 1.0,
                "from_utc": "2025-09-03T02:33:54Z",
                "to_utc": "2025-09-03T02:33:55Z",
                "refilled": True,
            },
        ],
    }


def test_an_asset_without_a_hole_has_an_empty_list(gateway: RunningGateway, http: httpx.Client) -> None:
    gateway.cache.holes["XBT/USD"] = []
    assert http.get("/api/v1/holes/XBT/USD").json() == {"asset": "XBT/USD", "count": 0, "holes": []}


def test_an_asset_that_nobody_knows_is_not_found(http: httpx.Client) -> None:
    answer = http.get("/api/v1/holes/NOBODY")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "unknown_asset")


def test_a_name_that_is_no_asset_is_refused(http: httpx.Client) -> None:
    assert http.get("/api/v1/holes/a%20b").status_code == 422


def test_the_command_prints_them_as_a_table_or_as_json(gateway: RunningGateway, tmp_path: Path) -> None:
    gateway.cache.holes["#AAPL_otc"] = [Hole(from_us=START_US, until_us=START_US + 2_500_000, refilled=True)]
    ask = ("history", "#AAPL_otc", "--holes", "--url", gateway.url)
    titles, _, hole = succeed(*ask, folder=tmp_path).splitlines()
    assert (titles.split(), hole.split()) == (
        ["from", "(UTC)", "to", "(UTC)", "seconds", "minutes"],
        ["2025-09-03", "02:32:54", "2025-09-03", "02:32:56", "2.5", "whole"],
    )
    (told,) = json.loads(succeed(*ask, "--json", folder=tmp_path))
    assert (told["from"], told["to"], told["seconds"]) == (1_756_866_774.25, 1_756_866_776.75, 2.5)


def test_the_command_says_what_does_not_go_with_it(tmp_path: Path) -> None:
    done = command("history", "EURUSD_otc", "--holes", "--from", "2025-09-03", "-n", "5", folder=tmp_path)
    assert (done.returncode, "leave --limit and --from out" in done.stderr) == (2, True)
