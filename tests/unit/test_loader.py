"""The loader: precedence, QuFLX's names, everything wrong at once, no secret where it does not belong."""

import base64
import json
from pathlib import Path

import pytest

from tickwire.config.loader import ConfigError, Loaded, load
from tickwire.config.sources import Given, environment_name, setting_paths
from tickwire.config.urls import RedisServer, SupabaseStore


def flag(value: object, name: str = "--flag") -> Given:
    return Given(value=value, origin=f"flag {name}")


def problems(folder: Path, environ: dict[str, str] | None = None, flags: dict[str, Given] | None = None) -> list[str]:
    """What is wrong, a line each."""
    with pytest.raises(ConfigError) as caught:
        load(flags, environ=environ or {}, folder=folder)
    return [str(problem) for problem in caught.value.problems]


def role_key(role: str) -> str:
    """A JSON web token of Supabase's kind."""
    part = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{part}.c2lnbmF0dXJl"


# -- precedence ----------------------------------------------------------------------------------------------------


def test_nothing_given_is_all_defaults(tmp_path: Path) -> None:
    loaded = load(environ={}, folder=tmp_path)
    assert loaded.origins == {}
    assert loaded.file is None
    assert {origin for _, _, origin in loaded.shown()} == {"default"}


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "tickwire.toml").write_text(
        'market_data = true\n[batch]\ninterval_s = 10\nearly_ticks = 7\n[http]\naddress = "127.0.0.1:1"\n'
    )
    loaded = load(
        {"batch.interval_s": flag("5", "--batch-interval")},
        environ={"TICKWIRE_BATCH__INTERVAL_S": "20", "TICKWIRE_HTTP__ADDRESS": "127.0.0.1:2"},
        folder=tmp_path,
    )
    settings = loaded.settings
    assert settings.batch.interval_s == 5
    assert settings.http.port == 2
    assert settings.batch.early_ticks == 7
    assert settings.market_data is True
    assert settings.buffer.size == 1000
    assert loaded.origins["batch.interval_s"] == "flag --batch-interval"
    assert loaded.origins["http.address"] == "environment TICKWIRE_HTTP__ADDRESS"
    assert loaded.origins["batch.early_ticks"] == f"file {tmp_path / 'tickwire.toml'}"
    assert "buffer.size" not in loaded.origins


def test_the_file_is_named_by_flag_else_environment_else_the_folder(tmp_path: Path) -> None:
    for name, size in (("tickwire.toml", 1), ("by_environment.toml", 2), ("by_flag.toml", 3)):
        (tmp_path / name).write_text(f"[buffer]\nsize = {size}\n")
    environ = {"TICKWIRE_CONFIG": "by_environment.toml"}
    assert load(environ={}, folder=tmp_path).settings.buffer.size == 1
    assert load(environ=environ, folder=tmp_path).settings.buffer.size == 2
    assert load(environ=environ, folder=tmp_path, config=Path("by_flag.toml")).settings.buffer.size == 3


def test_every_setting_can_be_given_by_its_environment_name(tmp_path: Path) -> None:
    """The names are derived, so a new setting has one; this finds one that can't be set."""
    samples = {
        "data_dir": "there", "feeds": "push:", "assets": "EURUSD", "market_data": "yes", "log_format": "json",
        "log_level": "debug", "redis.url": "redis://h", "store.url": "sqlite:x.db", "http.address": "localhost:1",
        "http.allowed_origins": "https://h", "http.open": "yes", "http.token_secret": "s" * 32,
        "spool.sync": "full", "outbox.window_bytes": "2000000", "spool.max_bytes": "2000000",
        "pocketoption_session": "s",
        "supabase_service_role_key": "k", "supabase_anon_key": "a",
    }  # fmt: skip
    for path, _ in setting_paths():
        text = samples.get(path, "x:{asset}{timeframe}{producer}" if path.startswith("keys.") else "3")
        if path.startswith("keys."):
            text = {"historical_template": "h{asset}{timeframe}"}.get(path[5:], "x{asset}")
            text = "x{producer}" if path[5:] in ("outbox_template", "acked_template") else text
        name = environment_name(path)
        assert load(environ={name: text}, folder=tmp_path).origins[path] == f"environment {name}"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    environ = {"TICKWIRE_BATCH__INTERVAL_S": "", "REDIS_URL": "", "SUPABASE_URL": "", "TICKWIRE_CONFIG": ""}
    assert load(environ=environ, folder=tmp_path).origins == {}


def test_foreign_variables_are_left_alone(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "TICKER": "x", "TICKWIRE_RECORDINGS": "/somewhere"}
    assert load(environ=environ, folder=tmp_path).origins == {}


# -- QuFLX's names -------------------------------------------------------------------------------------------------


def redis_of(loaded: Loaded) -> RedisServer:
    url = loaded.settings.redis.parsed
    assert isinstance(url, RedisServer)
    return url


def test_quflx_redis_parts_make_a_url_with_its_defaults(tmp_path: Path) -> None:
    environ = {"REDIS_DB": "3", "REDIS_PASSWORD": "p@ss/w:rd"}
    loaded = load(environ=environ, folder=tmp_path)
    assert redis_of(loaded) == RedisServer(host="localhost", port=6379, db=3, password="p@ss/w:rd")
    assert loaded.origins["redis.url"] == "environment REDIS_DB, REDIS_PASSWORD"
    ipv6 = load(environ={"REDIS_HOST": "::1", "REDIS_PORT": "7"}, folder=tmp_path)
    assert (redis_of(ipv6).host, redis_of(ipv6).port) == ("::1", 7)


def test_redis_url_wins_over_its_parts_and_our_own_name_over_both(tmp_path: Path) -> None:
    environ = {"REDIS_HOST": "parts", "REDIS_PORT": "not a port", "REDIS_URL": "redis://url:1/2"}
    assert redis_of(load(environ=environ, folder=tmp_path)).host == "url"
    environ["TICKWIRE_REDIS__URL"] = "redis://own"
    assert redis_of(load(environ=environ, folder=tmp_path)).host == "own"


def test_a_container_platforms_redis_port_is_named_unless_something_better_is_given(tmp_path: Path) -> None:
    environ = {"REDIS_PORT": "tcp://10.0.0.1:6379"}
    [problem] = problems(tmp_path, environ)
    assert problem.startswith("redis.url=tcp://10.0.0.1:6379 (environment REDIS_PORT): not a whole number")
    assert redis_of(load({"redis.url": flag("redis://h")}, environ=environ, folder=tmp_path)).host == "h"
    assert redis_of(load(environ=environ | {"REDIS_URL": "redis://u"}, folder=tmp_path)).host == "u"


def test_supabase_url_is_a_store_and_needs_a_key(tmp_path: Path) -> None:
    environ = {"SUPABASE_URL": "https://project.supabase.co"}
    [problem] = problems(tmp_path, environ)
    assert "SUPABASE_SERVICE_ROLE_KEY" in problem
    environ["SUPABASE_ANON_KEY"] = role_key("anon")
    loaded = load(environ=environ, folder=tmp_path)
    assert loaded.settings.store.parsed == SupabaseStore(url="https://project.supabase.co")
    assert loaded.origins["store.url"] == "environment SUPABASE_URL"


# -- what is wrong -------------------------------------------------------------------------------------------------


def test_everything_wrong_is_said_at_once_with_setting_value_origin_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "tickwire.toml").write_text("spare = 1\n[batch]\nearly_ticks = 0.5\n")
    environ = {
        "TICKWIRE_BUFFER__SIZE": "many",
        "TICKWIRE_BUFER__SIZE": "3",
        "SUPABASE_URL": "https://project.supabase.co",
    }
    found = problems(tmp_path, environ, {"feeds": flag(["replay:"], "--feed")})
    file = f"file {tmp_path / 'tickwire.toml'}"
    assert len(found) == 6
    assert any(line.startswith(f"spare ({file}): no such setting") for line in found)
    assert f"batch.early_ticks=0.5 ({file}): write a whole number" in found
    assert "buffer.size=many (environment TICKWIRE_BUFFER__SIZE): write a whole number" in found
    assert any(line.startswith("TICKWIRE_BUFER__SIZE (environment): no such setting; did you mean") for line in found)
    assert "feeds=replay: (flag --feed): replay: names no file; write replay:PATH" in found
    assert any(line.startswith("supabase_service_role_key (not set): a supabase store needs it") for line in found)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TICKWIRE_BATCH__INTERVAL", "TICKWIRE_BATCH__INTERVAL_S"),
        ("TICKWIRE_BATCH_INTERVAL_S", "TICKWIRE_BATCH__INTERVAL_S"),
        ("TICKWIRE_FEED_", "TICKWIRE_FEEDS"),
        ("TICKWIRE_REDIS", "TICKWIRE_REDIS__URL"),
        ("TICKWIRE_STORE", "TICKWIRE_STORE__URL"),
        ("TICKWIRE_HTTP", "TICKWIRE_HTTP__ADDRESS"),
        ("TICKWIRE_SUPABASE_ANON_KEY", "SUPABASE_ANON_KEY"),
    ],
)
def test_a_misspelt_name_is_an_error_that_knows_what_was_meant(name: str, meant: str, tmp_path: Path) -> None:
    [problem] = problems(tmp_path, {name: "x"})
    assert f"did you mean {meant}?" in problem


def test_a_key_of_the_file_that_no_setting_has_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tickwire.toml").write_text('redis = "embedded:"\n[batch]\nintervall_s = 3\n[strange.table]\nx = 1\n')
    found = problems(tmp_path)
    assert [line.split(" ", 1)[0] for line in found] == ["redis", "batch.intervall_s", "strange"]
    assert "did you mean redis.url?" in found[0]
    assert "did you mean batch.interval_s?" in found[1]


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tickwire.toml").write_bytes(content)
    [problem] = problems(tmp_path)
    assert str(tmp_path / "tickwire.toml") in problem
    assert "is no TOML" in problem


def test_a_named_file_that_is_not_there_is_an_error_with_its_origin(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, {"TICKWIRE_CONFIG": "nowhere.toml"})
    assert "nowhere.toml (environment TICKWIRE_CONFIG): No such file" in problem


def test_two_settings_that_do_not_fit_are_blamed_on_the_one_given(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, {"TICKWIRE_FEED__BACKOFF_MIN_S": "40"})
    assert problem.startswith("feed.backoff_min_s (environment TICKWIRE_FEED__BACKOFF_MIN_S)")


# -- secrets -------------------------------------------------------------------------------------------------------

CANARY = "canary-81c4"


def test_secrets_come_from_the_environment_or_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "session").write_text(f"{CANARY}\n")
    by_file = load(environ={"TICKWIRE_POCKETOPTION_SESSION_FILE": "session"}, folder=tmp_path)
    by_name = load(environ={"TICKWIRE_POCKETOPTION_SESSION": CANARY}, folder=tmp_path)
    for loaded in (by_file, by_name):
        assert loaded.settings.pocketoption_session is not None
        assert loaded.settings.pocketoption_session.get_secret_value() == CANARY
        assert CANARY not in repr(loaded) + str(loaded.shown())
    (tmp_path / "tickwire.toml").write_text('pocketoption_session_file = "session"\n')
    in_toml = load(environ={}, folder=tmp_path).settings.pocketoption_session
    assert in_toml is not None
    assert in_toml.get_secret_value() == CANARY


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_secrets_file_that_cannot_be_used_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "session").write_bytes(content)
    [problem] = problems(tmp_path, {"TICKWIRE_POCKETOPTION_SESSION_FILE": "session"})
    assert problem.startswith("pocketoption_session_file=session (environment TICKWIRE_POCKETOPTION_SESSION_FILE)")


def test_a_secret_in_the_file_of_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tickwire.toml").write_text(f'pocketoption_session = "{CANARY}"\n')
    [problem] = problems(tmp_path)
    assert "TICKWIRE_POCKETOPTION_SESSION" in problem
    assert CANARY not in problem


@pytest.mark.parametrize("key", [role_key("service_role"), "sb_secret_0123456789"])
@pytest.mark.parametrize(
    "name", ["SUPABASE_ANON_KEY", "TICKWIRE_STORE__URL", "REDIS_PASSWORD", "TICKWIRE_KEYS__HEARTBEAT", "SUPABASE_URL"]
)
def test_a_service_role_key_anywhere_but_under_its_own_name_is_refused(name: str, key: str, tmp_path: Path) -> None:
    value = f"https://project.supabase.co/{key}" if name.endswith("URL") else key
    environ = {name: value if name != "TICKWIRE_STORE__URL" else f"supabase+{value}"}
    found = problems(tmp_path, environ)
    assert any("holds a service-role key, which belongs in SUPABASE_SERVICE_ROLE_KEY alone" in line for line in found)
    assert key not in "\n".join(line for line in found if "service-role" in line)


def test_a_service_role_key_is_refused_in_flags_and_in_the_file_too(tmp_path: Path) -> None:
    key = role_key("service_role")
    (tmp_path / "tickwire.toml").write_text(f'[keys]\nheartbeat = "{key}"\n')
    found = problems(tmp_path, {}, {"assets": flag(key, "--assets")})
    assert sum("service-role key" in line for line in found) == 2


def test_an_opaque_service_role_key_is_recognised_once_it_is_known(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, {"SUPABASE_SERVICE_ROLE_KEY": CANARY, "SUPABASE_ANON_KEY": CANARY})
    assert problem.startswith("supabase_anon_key=*** (environment SUPABASE_ANON_KEY): holds a service-role key")


def test_an_anonymous_key_under_its_own_name_is_fine(tmp_path: Path) -> None:
    environ = {"SUPABASE_ANON_KEY": role_key("anon"), "SUPABASE_SERVICE_ROLE_KEY": role_key("service_role")}
    assert load(environ=environ, folder=tmp_path).settings.supabase_anon_key is not None


def test_no_secret_shows_in_what_is_wrong_nor_in_what_is_shown(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "REDIS_URL": f"redis://:{CANARY}@host:bad/0",
            "TICKWIRE_STORE__URL": f"postgresql://user:{CANARY}@host:bad/db",
            "TICKWIRE_POCKETOPTION_SESSION": CANARY,
        },
        {"feeds": flag([f"pocketoption+wss://h/?session={CANARY}"], "--feed")},
    )
    assert len(found) == 3
    assert CANARY not in "\n".join(found)
    loaded = load(
        environ={
            "REDIS_PASSWORD": CANARY,
            "TICKWIRE_STORE__URL": f"postgresql://user:{CANARY}@host/db",
            "SUPABASE_SERVICE_ROLE_KEY": f"{CANARY}-key",
            "TICKWIRE_HTTP__TOKEN_SECRET": f"{CANARY}-that-is-long-enough-for-tokens",
        },
        folder=tmp_path,
    )
    assert CANARY not in repr(loaded.shown()) + repr(loaded)
    shown = {path: value for path, value, _ in loaded.shown()}
    assert shown["redis.url"] == "redis://:***@localhost:6379/0"
    assert shown["supabase_service_role_key"] == "***"
    assert shown["http.token_secret"] == "***"


def test_an_address_that_others_reach_needs_a_secret_or_a_word_that_it_is_open(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, {"TICKWIRE_HTTP__ADDRESS": "0.0.0.0:3001"}, {})
    assert problem.startswith("http.address (environment TICKWIRE_HTTP__ADDRESS): address 0.0.0.0:3001 can be reached")
    assert "TICKWIRE_HTTP__TOKEN_SECRET" in problem
    assert "http.open" in problem
    secret = "s" * 32
    for more in ({"TICKWIRE_HTTP__TOKEN_SECRET": secret}, {"TICKWIRE_HTTP__OPEN": "true"}):
        loaded = load(environ={"TICKWIRE_HTTP__ADDRESS": "0.0.0.0:3001", **more}, folder=tmp_path)
        assert loaded.settings.http.host == "0.0.0.0"
    both = {"TICKWIRE_HTTP__TOKEN_SECRET": secret, "TICKWIRE_HTTP__OPEN": "true"}
    assert "unset one" in problems(tmp_path, both, {})[0]


def test_a_secret_for_tokens_is_long_and_comes_from_a_file_too(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, {"TICKWIRE_HTTP__TOKEN_SECRET": "s" * 31}, {})
    assert problem.startswith("http.token_secret=*** (environment TICKWIRE_HTTP__TOKEN_SECRET): is shorter than 32")
    (tmp_path / "secret").write_text("s" * 32 + "\n", encoding="utf-8")
    named = {"TICKWIRE_HTTP__TOKEN_SECRET_FILE": "secret"}
    (tmp_path / "tickwire.toml").write_text('[http]\ntoken_secret_file = "secret"\n', encoding="utf-8")
    for environ in (named, {}):
        secret = load(environ=environ, folder=tmp_path).settings.http.token_secret
        assert secret is not None
        assert secret.get_secret_value() == "s" * 32


@pytest.mark.parametrize("origin", ["*", "null", "https://*.example", "https://h/", "h", "https://u@h", "ftp://h"])
def test_an_allowed_page_is_named_exactly(tmp_path: Path, origin: str) -> None:
    (problem,) = problems(tmp_path, {"TICKWIRE_HTTP__ALLOWED_ORIGINS": f"https://ok.example:8443,{origin}"}, {})
    assert "is no origin" in problem
