"""A relay that asks for tokens, as its users have it: the commands, and the page in a real browser."""

from pathlib import Path

import httpx
import jwt
import pytest
from support.browser import Watched, chromium
from support.commands import command, succeed
from support.tickwire_process import eventually, tickwire

pytestmark = pytest.mark.timeout(180)

SECRET = "a-secret-of-tokens-that-is-long-enough"
ASKING = {"TICKWIRE_HTTP__TOKEN_SECRET": SECRET}


def test_commands_make_their_own_token_and_the_page_takes_one_from_its_address(tmp_path: Path) -> None:
    with tickwire("run", "--feed", "simulated:?assets=A&rate=5", folder=tmp_path, environment=ASKING) as app:
        assert httpx.get(f"{app.http}/api/v1/assets", trust_env=False).status_code == 401
        assert "A" in succeed("status", "--data-dir", "data", folder=tmp_path, environment=ASKING)
        stranger = command("status", "--data-dir", "data", folder=tmp_path)
        assert (stranger.returncode, "a token is needed" in stranger.stderr) == (1, True)
        token = succeed("token", "--ttl", "10m", folder=tmp_path, environment=ASKING).strip()
        with chromium() as browser:
            page = browser.new_page()
            seen = Watched(page, f"{app.http}/#token={token}")
            eventually(lambda: seen.price("A"), "a price", 60)
            assert token not in page.url
            page.reload()
            eventually(lambda: seen.price("A"), "a price after a reload", 60)
            assert seen.complaints == []
        assert token not in app.log.read_text()


def test_a_token_is_meant_for_whom_and_how_long_it_was_said(tmp_path: Path) -> None:
    made = succeed("token", "--audience", "charts", "--ttl", "2h", folder=tmp_path, environment=ASKING).strip()
    claims = jwt.decode(made, SECRET, algorithms=["HS256"], audience="charts")
    assert jwt.get_unverified_header(made)["alg"] == "HS256"
    assert set(claims) == {"aud", "exp"}


@pytest.mark.parametrize("ttl", ["0", "-1", "soon", "1y", "99999999d", "1.5h"])
def test_a_ttl_that_is_none_is_named_with_its_remedy(tmp_path: Path, ttl: str) -> None:
    done = command("token", f"--ttl={ttl}", folder=tmp_path, environment=ASKING)
    assert done.returncode == 2
    assert f"--ttl {ttl}" in done.stderr


def test_without_a_secret_there_is_no_token_and_no_other_address(tmp_path: Path) -> None:
    assert "TICKWIRE_HTTP__TOKEN_SECRET" in command("token", folder=tmp_path).stderr
    refused = command("run", "--http", "0.0.0.0:0", folder=tmp_path)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "http.address" in line
    assert "TICKWIRE_HTTP__TOKEN_SECRET" in line
    assert "http.open" in line
    assert list(tmp_path.iterdir()) == []
