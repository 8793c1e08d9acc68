"""Feed, Redis and store URLs as architecture.md, section 3, has them."""

import math
import re
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickwire.config.urls import (
    DEFAULT_FEED,
    ChromeFeed,
    EmbeddedRedis,
    FeedUrl,
    JsonFeed,
    PocketOptionFeed,
    PostgresStore,
    PushFeed,
    RedisServer,
    RedisUrl,
    ReplayFeed,
    SimulatedFeed,
    SqliteStore,
    StoreUrl,
    SupabaseStore,
    UrlError,
    mask,
    parse_feed,
    parse_redis,
    parse_replay,
    parse_store,
)


@pytest.mark.parametrize("url", [DEFAULT_FEED, "simulated:", "SIMULATED:"])
def test_the_default_feed_is_a_broker_of_two_assets_at_two_ticks_a_second(url: str) -> None:
    assert parse_feed(url) == SimulatedFeed(assets=("EURUSD_otc", "GBPUSD_otc"), rate=2.0)


def test_assets_are_percent_decoded_kept_in_order_and_named_once() -> None:
    feed = parse_feed("simulated:?assets=%23AAPL_otc,XBT/USD,#MSFT_otc,XBT/USD&rate=0.5")
    assert feed == SimulatedFeed(assets=("#AAPL_otc", "XBT/USD", "#MSFT_otc"), rate=0.5)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("replay:ticks/a.csv", "ticks/a.csv"),
        ("replay:/tmp/with space #1.csv?speed=2", "/tmp/with space #1.csv"),
        (r"replay:C:\ticks\a.csv?speed=2", r"C:\ticks\a.csv"),
        ("replay:what?.csv?", "what?.csv"),
        ("replay:what?.csv?speed=2", "what?.csv"),
        ("replay:100%25.csv", "100%25.csv"),
    ],
)
def test_a_path_is_literal_up_to_the_last_question_mark(url: str, path: str) -> None:
    feed = parse_feed(url)
    assert isinstance(feed, ReplayFeed)
    assert feed.path == path


def test_every_option_of_a_replay_is_read() -> None:
    options = "speed=max&loop=1&delay=3&asset=%23AAPL_otc&date=2025-10-13&unique=1&source=pocketoption&rebase=1"
    assert parse_feed(f"replay:a.csv?{options}") == ReplayFeed(
        path="a.csv",
        speed=math.inf,
        loop=True,
        delay_s=3.0,
        asset="#AAPL_otc",
        day=date(2025, 10, 13),
        unique=True,
        source="pocketoption",
        rebase=True,
    )


def test_replay_is_implied_where_the_command_says_it() -> None:
    assert parse_replay(r"C:\a.csv?speed=1000") == ReplayFeed(path=r"C:\a.csv", speed=1000.0)
    assert parse_replay("replay:a.csv") == ReplayFeed(path="a.csv")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("replay:/tmp/a.csv", "replay:a.csv"),
        (r"replay:C:\ticks\a.csv", "replay:a.csv"),
        ("simulated:", "simulated"),
        ("push:", "push"),
        ("pocketoption+wss://api.example.org/", "pocketoption:api.example.org"),
        ("json+wss://ticks.example.org/x", "json:ticks.example.org"),
    ],
)
def test_a_feed_has_a_name_for_people(url: str, name: str) -> None:
    assert parse_feed(url).name == name


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("pocketoption+wss://h.example", "wss://h.example/socket.io/?EIO=4&transport=websocket"),
        ("pocketoption+ws://h.example:81/", "ws://h.example:81/socket.io/?EIO=4&transport=websocket"),
        ("pocketoption+wss://h.example/other/", "wss://h.example/other/?EIO=4&transport=websocket"),
        (
            "pocketoption+wss://h.example/socket.io/?EIO=4&transport=websocket&demo=1",
            "wss://h.example/socket.io/?EIO=4&transport=websocket",
        ),
    ],
)
def test_the_brokers_address_is_completed(url: str, address: str) -> None:
    feed = parse_feed(url)
    assert isinstance(feed, PocketOptionFeed)
    assert feed.websocket_url == address
    assert feed.demo is ("demo=1" in url)


def test_a_json_feed_names_its_fields_unit_and_greeting() -> None:
    url = "json+wss://h.example/ws?q=1?asset=s&price=p&time=T&unit=ms&subscribe=%7B%22op%22%3A%22sub%22%7D&unique=1"
    assert parse_feed(url) == JsonFeed(
        websocket_url="wss://h.example/ws?q=1",
        unit="ms",
        asset_field="s",
        price_field="p",
        time_field="T",
        subscribe='{"op":"sub"}',
        unique=True,
    )


def test_a_host_can_push() -> None:
    assert parse_feed("push:") == PushFeed()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("simulatd:", ["simulatd:", "simulated:", "replay:PATH", "json+wss://", "push:"]),
        ("ticks.csv", ["ticks.csv", "replay:PATH"]),
        (r"C:\ticks.csv", ["unknown scheme", "replay:PATH"]),
        ("simulated:?rates=2", ["'rates'", "assets, rate"]),
        ("simulated:EURUSD", ["EURUSD", "simulated:?"]),
        ("simulated:?rate=0", ["rate=0", "above 0"]),
        ("simulated:?rate=5000", ["rate=5000", "1000"]),
        ("simulated:?assets=EUR USD", ["assets=EUR USD", "A-Z"]),
        ("simulated:?rate", ["rate has no value"]),
        ("simulated:?rate=1&rate=2", ["rate is given twice"]),
        ("replay:", ["replay:PATH"]),
        ("replay:a.csv?speed=0", ["speed=0", "above 0, or max"]),
        ("replay:a.csv?speed=-1", ["speed=-1"]),
        ("replay:a.csv?speed=nan", ["speed=nan"]),
        ("replay:a.csv?speed=inf", ["speed=inf"]),
        ("replay:a.csv?loop=yes", ["loop=yes", "1 or 0"]),
        ("replay:a.csv?date=13.10.2025", ["date=13.10.2025", "YYYY-MM-DD"]),
        ("replay:a.csv?source=Pocket Option", ["source=Pocket Option", "a-z"]),
        ("replay:a.csv?asset=%ff", ["asset=%ff"]),
        ("replay:what?.csv", ["path with a ? in it ends in a ?"]),
        ("json+wss://h.example/?unit=min", ["unit=min", "s or ms or us or ns"]),
        ("json+wss:///nowhere", ["names no usable host"]),
        ("json+wss://h.example:99999/", ["host or port"]),
        ("pocketoption+wss://h.example/?EIO=3", ["EIO=3", "write 4"]),
        ("push:?x=1", ["'x'", "none"]),
    ],
)
def test_a_wrong_feed_url_is_refused_with_name_value_and_remedy(url: str, words: list[str]) -> None:
    with pytest.raises(UrlError) as refused:
        parse_feed(url)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "pocketoption+wss://h.example/?session=canary",
        "pocketoption+wss://h.example/?assets=A&SSID=canary",
        "pocketoption+wss://user:canary@h.example/",
        "json+wss://h.example/x?token=canary",
        "json+wss://h.example/x?api_key=canary?unit=ms",
        "json+wss://h.example/x?access-token=canary",
    ],
)
def test_a_secret_in_a_feed_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UrlError, match=r"secret.*never belongs in a URL.*environment|TICKWIRE_POCKETOPTION") as refused:
        parse_feed(url)
    assert "canary" not in str(refused.value)
    assert "canary" not in mask(url)


def test_redis_is_embedded_or_a_server() -> None:
    assert parse_redis("embedded:") == EmbeddedRedis()
    assert parse_redis("redis://localhost") == RedisServer(host="localhost")
    assert parse_redis("redis://[::1]:6380/2") == RedisServer(host="::1", port=6380, db=2)
    secured = parse_redis("rediss://u%40x:p%2Fw@h.example:6381/1?ssl_ca_certs=/etc/ca%20.pem")
    tls = {"ssl_ca_certs": "/etc/ca .pem"}
    assert secured == RedisServer(host="h.example", port=6381, db=1, username="u@x", password="p/w", tls=tls)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("embedded:", "embedded:"),
        ("redis://:canary@h/3", "redis://:***@h:6379/3"),
        ("rediss://me:canary@[::1]:1", "rediss://me:***@[::1]:1/0"),
    ],
)
def test_a_redis_url_shows_no_password(url: str, shown: str) -> None:
    parsed = parse_redis(url)
    assert parsed.masked == shown
    assert "canary" not in repr(parsed)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("embedded:6379", "--data-dir"),
        ("redis+cluster://h", "embedded:, redis://"),
        ("redis://", "no usable host"),
        ("redis://h/first", "whole number"),
        ("redis://h:0", "no usable host"),
        ("redis://h?ssl_ca_certs=x", "known are: db"),
        ("redis://u:can#ary@h", "%23"),
        ("redis://u:can/ary@h", "%2F"),
        ("redis://u:can?ary@h", "%3F"),
    ],
)
def test_a_wrong_redis_url_is_refused_without_its_password(url: str, word: str) -> None:
    with pytest.raises(UrlError) as refused:
        parse_redis(url)
    assert word in str(refused.value)
    assert "ary" not in str(refused.value)


def test_stores_are_sqlite_postgres_and_supabase() -> None:
    assert parse_store("sqlite:") == SqliteStore(path=None)
    assert parse_store("sqlite:dir with space/t#1.db") == SqliteStore(path="dir with space/t#1.db")
    assert parse_store(r"sqlite:C:\t.db") == SqliteStore(path=r"C:\t.db")
    dsn = "postgresql://u:canary@h.example:5433/db?sslmode=require"
    store = parse_store(dsn)
    assert store == PostgresStore(dsn=dsn)
    assert store.masked == "postgresql://u:***@h.example:5433/db?sslmode=require"
    assert "canary" not in repr(store)
    assert parse_store("supabase+https://p.example.co/") == SupabaseStore(url="https://p.example.co")


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("mysql://h/db", "sqlite:PATH, postgresql://HOST/DB, supabase+https://"),
        ("sqlite:t.db?mode=ro", "'mode'"),
        ("postgresql://u:canary@h/db?sslmod=require", "sslmode"),
        ("supabase+https://canary@p.example.co", "SUPABASE_SERVICE_ROLE_KEY"),
        ("supabase+https://", "no usable host"),
    ],
)
def test_a_wrong_store_url_is_refused_without_its_password(url: str, word: str) -> None:
    with pytest.raises(UrlError) as refused:
        parse_store(url)
    assert word in str(refused.value)
    assert "canary" not in str(refused.value)


_SECRET = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1).map(lambda s: f"cAnArY{s}")


def _shown(parse: Callable[[str], RedisUrl | StoreUrl | FeedUrl], url: str) -> str:
    """Everything that parsing may show: of the value, or of the refusal."""
    try:
        parsed = parse(url)
    except UrlError as error:
        return str(error)
    return repr(parsed) + getattr(parsed, "masked", "")


@settings(deadline=None)
@given(secret=_SECRET, scheme=st.sampled_from(["redis", "rediss", "postgresql"]))
def test_no_password_of_any_spelling_shows_in_a_mask_or_an_error(secret: str, scheme: str) -> None:
    url = f"{scheme}://user:{secret}@h.example:6379/0"
    assert "cAnArY" not in mask(url)
    assert "cAnArY" not in _shown(parse_store if scheme == "postgresql" else parse_redis, url)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_parsed_or_refused_but_never_breaks(text: str) -> None:
    for parse in (parse_feed, parse_redis, parse_store, parse_replay):
        assert _shown(parse, text)
    mask(text)


def test_a_chrome_is_named_by_its_devtools_port_and_sockets_by_parts_of_their_address() -> None:
    feed = parse_feed("chrome+ws://127.0.0.1?match=po.market,pocketoption")
    assert feed == ChromeFeed(host="127.0.0.1", port=9222, match=("po.market", "pocketoption"))
    assert feed.name == "chrome:127.0.0.1:9222"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("chrome+ws://10.0.0.5:9222", "remote=1"),
        ("chrome+ws://127.0.0.1:9222/devtools", "HOST:PORT"),
        ("chrome+ws://127.0.0.1:9222?match=", "part of the WebSocket's address"),
        ("chrome+ws://127.0.0.1:9222?tab=1", "known are: match, remote"),
    ],
)
def test_a_wrong_chrome_url_names_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(UrlError, match=re.escape(remedy)):
        parse_feed(url)


def test_this_machine_may_be_named_by_its_ipv6_address() -> None:
    assert parse_feed("chrome+ws://[::1]:9333") == ChromeFeed(host="::1", port=9333)


def test_another_machines_chrome_may_be_meant() -> None:
    assert parse_feed("chrome+ws://10.0.0.5:9333?remote=1") == ChromeFeed(host="10.0.0.5", port=9333)
