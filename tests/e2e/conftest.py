"""The browser, and pages of `web/` in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from support.browser import chromium
from support.web_page import build, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page of `web/` is that the module names as its PAGE."""
    folder = tmp_path_factory.mktemp("page")
    build(request.module.PAGE, folder)
    with served(folder) as url:
        yield url
