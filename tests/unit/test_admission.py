"""Places, allowances, the limits that clients are promised, and the policy's judgement apart from any socket."""

from pathlib import Path

import pytest

from tickwire.config.http_settings import HttpSettings
from tickwire.runtime.gateway.admission import Access, Allowance, Limits, Places, Policy, access_of
from tickwire.runtime.gateway.redaction import Redaction

HTTP_DOC = Path(__file__).resolve().parents[2] / "docs" / "http.md"


def test_the_limits_are_those_that_are_promised() -> None:
    limits = Limits()
    assert (limits.message_bytes, limits.messages_per_s, limits.messages_burst) == (4096, 20, 300)
    assert (limits.channels, limits.handshake_s, limits.queue_bytes) == (512, 5, 1024 * 1024)
    text = HTTP_DOC.read_text(encoding="utf-8")
    for promised in ("| message | 4 KiB |", "20 a second, 300 at once", "| channels of a connection | 512 |",
                     f"| clients | {limits.clients}, {limits.clients_per_address} of one address |",
                     f"{limits.connections} TCP connections, {limits.connections_per_address} of one address",
                     "| handshake | 5 s |", "more than 1 MiB"):  # fmt: skip
        assert promised in text, promised


def test_places_are_limited_in_all_and_for_one_address() -> None:
    places = Places(3, 2)
    assert [places.take("a"), places.take("a"), places.take("a")] == [True, True, False]
    assert [places.take("b"), places.take("c")] == [True, False]
    places.give_back("a")
    assert [places.take("a"), places.take("b")] == [True, False]


def test_an_allowance_is_spent_at_once_and_earned_with_time() -> None:
    allowance = Allowance(burst=3, per_s=2, now=10.0)
    assert [allowance.spend() for _ in range(4)] == [True, True, True, False]
    allowance = Allowance(burst=3, per_s=2, now=10.0)
    for _ in range(3):
        allowance.spend()
    allowance.earn(10.5)
    assert [allowance.spend(), allowance.spend()] == [True, False]
    allowance.earn(1000.0)
    assert [allowance.spend() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("bound", ["127.0.0.1", "127.8.9.1", "::1"])
def test_on_loopback_everything_local_is_good_without_any_setting(bound: str) -> None:
    policy = Policy(bound, Access())
    for host in ("localhost", "LOCALHOST:3001", "127.0.0.1:3001", "[::1]:3001"):
        for origin in (None, "http://localhost:5173", "https://127.0.0.1", "http://[::1]:80"):
            assert policy.refusal(host, origin) is None
    assert policy.until(None) == float("inf")
    hosts = (None, "", "evil.example", "10.0.0.1", "127.0.0.1.evil.example", "localhost.evil.example", "[", "a b")
    for stranger in hosts:
        assert policy.refusal(stranger, None) is not None
    for origin in ("null", "", "file://", "http://evil.example", "ws://localhost", "http://localhost@evil.example"):
        assert policy.refusal("localhost", origin) is not None


def test_the_name_that_is_listened_on_is_good_for_host() -> None:
    settings = HttpSettings(address="Ticks.Example:80", open=True)
    policy = Policy("192.0.2.1", access_of(settings, ()))
    assert policy.refusal("ticks.example", None) is None
    assert policy.refusal("other.example", None) is not None


def test_a_body_keeps_its_length_when_a_secret_is_taken_out() -> None:
    redact = Redaction(['pa"ss\\word', "abc"])
    body = b'{"a":"pa\\"ss\\\\word","b":"pa%22ss%5Cword"}'
    assert redact(body) == b'{"a":"' + b"*" * 12 + b'","b":"' + b"*" * 14 + b'"}'
    assert redact(b"nothing, abc") == b"nothing, abc", "too short a secret would black out words"
