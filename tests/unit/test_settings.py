"""Settings: defaults, limits, derived values, and that no secret shows."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from tickwire.config.settings import (
    BatchSettings,
    HttpSettings,
    RedisSettings,
    Settings,
    StoreSettings,
    split_address,
)
from tickwire.config.urls import EmbeddedRedis, PocketOptionFeed, SimulatedFeed, SqliteStore
from tickwire.market.keys import Keys


def test_defaults_are_those_of_quflx_where_it_had_any() -> None:
    settings = Settings()
    assert settings.buffer.size == 1000
    assert settings.cache.ttl_s == 3600
    assert settings.cache.size == 200
    assert settings.batch.interval_s == 30
    assert settings.market_data is False
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 3001)
    assert settings.keys == Keys()


def test_without_any_setting_a_simulated_broker_runs_on_an_embedded_redis_and_sqlite() -> None:
    settings = Settings()
    assert settings.parsed_feeds == (SimulatedFeed(assets=("EURUSD_otc", "GBPUSD_otc"), rate=2.0),)
    assert settings.redis.parsed == EmbeddedRedis()
    assert settings.store.parsed == SqliteStore(path=None)


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.market_data = True


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"bufer": {}}, ("bufer",)),
        ({"batch": {"intervall_s": 3}}, ("batch", "intervall_s")),
        ({"batch": {"interval_s": 0}}, ("batch", "interval_s")),
        ({"batch": {"interval_s": float("nan")}}, ("batch", "interval_s")),
        ({"batch": {"interval_s": float("inf")}}, ("batch", "interval_s")),
        ({"buffer": {"size": 0}}, ("buffer", "size")),
        ({"outbox": {"window_bytes": 5}}, ("outbox", "window_bytes")),
        ({"feeds": ()}, ("feeds",)),
        ({"feeds": ["gopher://x"]}, ("feeds",)),
        ({"assets": ["EUR USD"]}, ("assets",)),
        ({"redis": {"url": "http://localhost"}}, ("redis", "url")),
        ({"store": {"url": "mysql://localhost/x"}}, ("store", "url")),
        ({"http": {"address": "3001"}}, ("http", "address")),
        ({"feed": {"backoff_min_s": 5, "backoff_max_s": 1}}, ("feed",)),
        ({"log_format": "xml"}, ("log_format",)),
    ],
)
def test_a_bad_value_is_refused_at_its_place(given: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(given)
    assert [error["loc"] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize(
    "template", ["ticks", "ticks:{asset}:{other}", "ticks:{", "ticks:{0}", "ticks:{{asset}}", "ticks:{asset.x}"]
)
def test_a_key_template_that_would_mix_assets_up_is_refused(template: str) -> None:
    with pytest.raises(ValidationError, match="ticks_template"):
        Settings.model_validate({"keys": {"ticks_template": template}})


def test_a_key_template_may_make_the_asset_a_hash_tag() -> None:
    settings = Settings(keys=Keys(ticks_template="ticks:{{{asset}}}"))
    assert settings.keys.ticks("EURUSD_otc") == "ticks:{EURUSD_otc}"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:3001", ("127.0.0.1", 3001)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


@pytest.mark.parametrize("text", ["", "3001", ":3001", "host", "host:", "host:65536", "::1:80", "http://h:1", "h:+1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_address(text)


def test_lists_may_come_as_one_string() -> None:
    settings = Settings.model_validate({"feeds": "simulated:\nreplay:a b.csv?speed=max\n", "assets": "A, B,A"})
    assert settings.feeds == ("simulated:", "replay:a b.csv?speed=max")
    assert settings.assets == ("A", "B")
    assert Settings.model_validate({"feeds": '["push:", "simulated:"]'}).feeds == ("push:", "simulated:")


def test_a_pocketoption_feed_needs_a_session_and_a_supabase_store_a_key() -> None:
    given = {"feeds": ["pocketoption+wss://broker.example/"], "store": {"url": "supabase+https://p.supabase.co"}}
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(given)
    assert "TICKWIRE_POCKETOPTION_SESSION" in str(caught.value)
    assert "SUPABASE_SERVICE_ROLE_KEY" in str(caught.value)
    settings = Settings.model_validate(
        given | {"pocketoption_session": SecretStr("abc"), "supabase_anon_key": SecretStr("def")}
    )
    assert isinstance(settings.parsed_feeds[0], PocketOptionFeed)


CANARY = "canary-5f2d"


def test_no_secret_shows_in_repr_str_or_errors() -> None:
    settings = Settings(
        redis=RedisSettings(url=f"redis://user:{CANARY}@localhost/0"),
        store=StoreSettings(url=f"postgresql://user:{CANARY}@localhost/ticks"),
        pocketoption_session=SecretStr(CANARY),
        supabase_service_role_key=SecretStr(CANARY),
        supabase_anon_key=SecretStr(CANARY),
        http=HttpSettings(token_secret=SecretStr(CANARY * 4)),
    )
    assert CANARY not in repr(settings) + str(settings) + repr(settings.redis) + repr(settings.store)
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(
            {"redis": {"url": f"gopher://:{CANARY}@h"}, "store": {"url": f"mysql://u:{CANARY}@h/d"}, "batch": 3}
        )
    assert CANARY not in str(caught.value)
    assert caught.value.error_count() == 3


def test_all_secrets_are_known_for_masking_decoded_and_as_written() -> None:
    settings = Settings(
        redis=RedisSettings(url="redis://:p%40ss@localhost"),
        store=StoreSettings(url="postgresql://user:w%2Ford@localhost/ticks"),
        pocketoption_session=SecretStr('42["auth",{"session":"a:4:{s:10}","isDemo":1}]'),
        supabase_service_role_key=SecretStr("service"),
        supabase_anon_key=SecretStr("anonymous"),
        http=HttpSettings(token_secret=SecretStr("t" * 32)),
    )
    assert {"p@ss", "w%2Ford", "w/ord", "a:4:{s:10}", "service", "anonymous", "t" * 32} <= set(settings.secrets)


def test_a_host_sets_only_what_differs() -> None:
    settings = Settings(batch=BatchSettings(interval_s=5), http=HttpSettings(address="127.0.0.1:0"))
    assert settings.batch.interval_s == 5
    assert settings.batch.early_ticks == 20_000
    assert settings.http.port == 0
