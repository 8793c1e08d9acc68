"""Who is let in where other machines can reach: tokens, Hosts, Origins, with real clients on a real socket."""

import base64
import json
import threading
import time
from collections.abc import Iterator

import httpx
import jwt
import pytest
import structlog
import websocket
from support.gateway import RunningGateway, running_gateway
from support.ticks import columns, received
from support.tickwire_process import eventually
from support.ws_client import WsClient

from tickwire.config.http_settings import HttpSettings
from tickwire.messages.lifecycle import FeedChanged, LinkChanged
from tickwire.runtime.gateway.admission import Access, access_of
from tickwire.runtime.gateway.tokens import Tokens

pytestmark = pytest.mark.timeout(60)

SECRET = "a-secret-of-tokens-that-is-long-enough"
ORIGIN = "https://charts.example"


def access(**more: object) -> Access:
    http = {"address": "0.0.0.0:0", "token_secret": SECRET, "allowed_origins": ORIGIN, "allowed_hosts": "ticks.local"}
    return access_of(HttpSettings.model_validate(http | more), (SECRET,))


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    """Listening on all addresses, as other machines would reach it."""
    with running_gateway(access=access(), host="0.0.0.0") as running:
        yield running


def mint(ttl_s: float = 600, audience: str = "tickwire", secret: str = SECRET) -> str:
    return Tokens(secret, audience).mint(ttl_s)


def get(gateway: RunningGateway, path: str, **headers: str) -> httpx.Response:
    return httpx.get(gateway.url + path, headers=headers, trust_env=False, timeout=20)


def unsigned() -> str:
    claims = {"aud": "tickwire", "exp": int(time.time() + 600)}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
             for part in ({"alg": "none", "typ": "JWT"}, claims)]  # fmt: skip
    return ".".join([*parts, ""])


def bad_tokens() -> dict[str, str]:
    now = int(time.time())
    head, claims, signature = mint().split(".")
    return {
        "none at all": "",
        "garbage": "x",
        "three dots": "...",
        "expired": mint(-5),
        "another audience": mint(audience="elsewhere"),
        "another secret": mint(secret="another-secret-of-the-same-length-000"),
        "no expiry": jwt.encode({"aud": "tickwire"}, SECRET, algorithm="HS256"),
        "no audience": jwt.encode({"exp": now + 600}, SECRET, algorithm="HS256"),
        "endless": jwt.encode({"aud": "tickwire", "exp": float("inf")}, SECRET, algorithm="HS256"),
        "another algorithm": jwt.encode({"aud": "tickwire", "exp": now + 600}, SECRET * 2, algorithm="HS512"),
        "the same secret, HS384": jwt.encode({"aud": "tickwire", "exp": now + 600}, SECRET + SECRET, algorithm="HS384"),
        "no signature": unsigned(),
        "signature cut": f"{head}.{claims}.",
        "signature of other claims": f"{head}.{mint(9999).split('.')[1]}.{signature}",
    }


@pytest.mark.parametrize("kind", bad_tokens())
def test_without_a_good_token_nothing_of_the_market_is_told(gateway: RunningGateway, kind: str) -> None:
    token = bad_tokens()[kind]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for path in ("/api/v1/assets", "/api/v1/ticks/A", "/api/v1/status", "/metrics", "/openapi.json", "/nowhere"):
        answer = get(gateway, path, **headers)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert len(token) < 5 or token not in answer.text
    for query, header in ((f"?token={token}", []), ("", [f"Authorization: Bearer {token}"])):
        with pytest.raises(websocket.WebSocketBadStatusException, match="401"):
            WsClient(gateway.url, query=query, header=header)


def test_a_good_token_opens_http_and_ws(gateway: RunningGateway) -> None:
    gateway.tell(received(1, columns("A", 1, 3)))
    token = mint()
    assert get(gateway, "/api/v1/ticks/A", Authorization=f"Bearer {token}").json()["count"] == 3
    for query, header in ((f"?token={token}", []), ("", [f"Authorization: bearer {token}"])):
        with WsClient(gateway.url, query=query, header=header) as client:
            assert client.subscribe("A")["seq"] == 3


def test_http_takes_no_token_from_its_address(gateway: RunningGateway) -> None:
    """Addresses get into histories and logs of proxies."""
    assert get(gateway, f"/api/v1/assets?token={mint()}").status_code == 401


def test_the_page_and_the_probes_need_none_and_tell_strangers_no_details(gateway: RunningGateway) -> None:
    gateway.make_ready()
    assert get(gateway, "/").status_code == 200
    assert get(gateway, "/static/dashboard.js").status_code == 200
    assert get(gateway, "/healthz").status_code == 200
    assert (get(gateway, "/readyz").status_code, get(gateway, "/readyz").json()) == (200, {"ready": True})
    gateway.tell(FeedChanged(feed="f1", state="down", detail="10.0.0.9 refused"))
    gateway.settle()
    assert (get(gateway, "/readyz").status_code, get(gateway, "/readyz").json()) == (503, {"ready": False})
    known = get(gateway, "/readyz", Authorization=f"Bearer {mint()}").json()
    assert known["feeds"]["f1"]["detail"] == "10.0.0.9 refused"


def test_a_connection_ends_with_its_token(gateway: RunningGateway) -> None:
    with WsClient(gateway.url, query=f"?token={mint(2)}") as client:
        closed = client.closed()
    assert closed.code == 1008
    assert "expired" in closed.reason


@pytest.mark.parametrize("origin", [ORIGIN, "HTTPS://charts.example"])
def test_an_allowed_page_may_ask_with_a_token(gateway: RunningGateway, origin: str) -> None:
    answer = get(gateway, "/api/v1/assets", Origin=origin, Authorization=f"Bearer {mint()}")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
    asked = httpx.options(
        f"{gateway.url}/api/v1/assets",
        headers={"Origin": origin, "Access-Control-Request-Headers": "authorization"},
        trust_env=False, timeout=20,
    )  # fmt: skip
    assert asked.status_code == 204
    assert "Authorization" in asked.headers["access-control-allow-headers"]
    with WsClient(gateway.url, origin=origin, query=f"?token={mint()}") as client:
        assert client.read()["type"] == "status"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://charts.example:444", "http://charts.example", "https://charts.example.evil",
     "null", "http://localhost:3001", "https://a.charts.example"],
)  # fmt: skip
def test_any_other_page_is_refused_though_its_token_is_good(gateway: RunningGateway, origin: str) -> None:
    answer = get(gateway, "/api/v1/assets", Origin=origin, Authorization=f"Bearer {mint()}")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")
    assert "access-control-allow-origin" not in answer.headers
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        WsClient(gateway.url, origin=origin, query=f"?token={mint()}")


@pytest.mark.parametrize(
    ("host", "status"),
    [("192.0.2.7:3001", 200), ("[2001:db8::1]", 200), ("charts.example", 200), ("ticks.local:80", 200),
     ("localhost:1", 200), ("evil.example", 403), ("ticks.local.evil.example", 403), ("192.0.2.7.evil.example", 403)],
)  # fmt: skip
def test_a_rebound_name_is_refused_and_addresses_and_known_names_are_not(
    gateway: RunningGateway, host: str, status: int
) -> None:
    assert get(gateway, "/api/v1/assets", Host=host, Authorization=f"Bearer {mint()}").status_code == status
    assert get(gateway, "/", Host=host).status_code == status


def test_on_loopback_a_secret_asks_for_tokens_too() -> None:
    """A proxy in front of it hands on who comes from elsewhere."""
    with running_gateway(access=access(address="127.0.0.1:0")) as gateway:
        assert get(gateway, "/api/v1/assets").status_code == 401
        local = {"Origin": "http://localhost:5173", "Authorization": f"Bearer {mint()}"}
        assert get(gateway, "/api/v1/assets", **local).status_code == 200
        assert get(gateway, "/api/v1/assets", **(local | {"Origin": ORIGIN})).status_code == 200


def test_an_open_relay_says_so_in_its_log_and_still_holds_pages_to_the_list() -> None:
    with structlog.testing.capture_logs() as logs:
        opened = access(token_secret=None, open=True)
        with running_gateway(access=opened, host="0.0.0.0") as gateway:
            assert get(gateway, "/api/v1/assets").status_code == 200
            assert get(gateway, "/api/v1/assets", Origin="https://evil.example").status_code == 403
            assert get(gateway, "/api/v1/assets", Host="evil.example").status_code == 403
    warned = [entry for entry in logs if entry["event"] == "http_is_open_to_other_machines"]
    assert [entry["log_level"] for entry in warned] == ["warning"]


def test_an_address_that_others_reach_without_secret_and_word_serves_nobody() -> None:
    """Settings refuse it at the start; a name that resolves elsewhere than it says would get past them."""
    with running_gateway(host="0.0.0.0") as gateway:
        assert get(gateway, "/").status_code == 403
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            WsClient(gateway.url)


def test_no_answer_repeats_a_secret_whatever_text_it_got_into(gateway: RunningGateway) -> None:
    gateway.tell(
        FeedChanged(feed="f1", state="down", detail=f"refused: {SECRET}"),
        LinkChanged(owner="publisher", link="redis", state="degraded", detail=f"AUTH {SECRET}"),
    )
    gateway.settle()
    bearer = {"Authorization": f"Bearer {mint()}"}
    for path in ("/readyz", "/api/v1/status"):
        text = get(gateway, path, **bearer).text
        assert SECRET not in text
        assert "*" * len(SECRET) in text


def test_tokens_get_into_no_log(gateway: RunningGateway) -> None:
    good, bad = mint(), mint(secret="another-secret-of-the-same-length-000")
    with structlog.testing.capture_logs() as logs:
        with WsClient(gateway.url, query=f"?token={good}") as client:
            client.read()
            client.socket.send_binary(b"{}")
            client.closed()
        with pytest.raises(websocket.WebSocketBadStatusException):
            WsClient(gateway.url, query=f"?token={bad}")
        get(gateway, "/metrics", Authorization=f"Bearer {bad}")
        gateway.settle()
    assert good not in str(logs)
    assert bad not in str(logs)


def test_many_who_ask_at_once_are_each_judged_by_their_own_token(gateway: RunningGateway) -> None:
    wrong: list[str] = []

    def ask(token: str, status: int) -> None:
        for _ in range(10):
            answer = get(gateway, "/api/v1/assets", Authorization=f"Bearer {token}")
            if answer.status_code != status:
                wrong.append(answer.text)

    asking = [threading.Thread(target=ask, args=each) for each in [(mint(), 200), (mint(-5), 401)] * 3]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(40)
    assert not wrong
    eventually(lambda: get(gateway, "/healthz").status_code == 200, "it still serves", 20)
