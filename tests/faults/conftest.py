"""Servers are started once for all faults; the long form (`--long`, `make prove`) takes its time."""

from collections.abc import Iterator

import pytest
from faults.drill import Drill
from faults.servers import Servers

SHORT_S, LONG_S = 120, 3_600


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seconds = LONG_S if config.getoption("--long") else SHORT_S
    for item in items:
        if "faults" in item.path.parts and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture(scope="session")
def long_form(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, long_form: bool) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("servers"), rate=1000, laps=25 if long_form else 5) as made:
        yield made


@pytest.fixture(scope="module")
def drill(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    with Drill(servers, tmp_path_factory.mktemp("relay")) as made:
        yield made
