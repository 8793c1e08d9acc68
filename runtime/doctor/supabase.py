"""A store in a Supabase project: its key first, since the anonymous one alone writes nothing."""

import base64
import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx
from pydantic import SecretStr

from tickwire.actors.ports import StoreError
from tickwire.config.settings import Settings
from tickwire.config.urls import SupabaseStore as SupabaseUrl
from tickwire.runtime.doctor.findings import Finding, failed, ok, told, warned
from tickwire.runtime.doctor.redis_server import compared
from tickwire.runtime.stores.supabase import SupabaseStore
from tickwire.runtime.stores.table import OWN_COLUMNS, TABLE

TIMEOUT_S = 10.0
KEY = "set SUPABASE_SERVICE_ROLE_KEY (or SUPABASE_SERVICE_ROLE_KEY_FILE) to the project's service-role key"


def check_supabase(url: SupabaseUrl, settings: Settings) -> Iterator[Finding]:
    key = settings.supabase_service_role_key or settings.supabase_anon_key
    assert key is not None  # settings without one are refused
    store = SupabaseStore(url.url, key)
    try:
        store.open()
    except StoreError as error:
        yield _explained("store", url, error)
        return
    else:
        yield ok("store", f"{url.masked} answers")
        yield ok("store schema", f"{TABLE} with {', '.join(OWN_COLUMNS)}")
        yield _key(store, settings)
        yield _candles(store)
    finally:
        store.close()
    yield from _clock(url, key)


def _key(store: SupabaseStore, settings: Settings) -> Finding:
    """Tried by a row that no table takes. Anybody has the anonymous key: it must not be what ticks are written with."""
    refused = None
    try:
        store.check_key()
    except StoreError as error:
        refused = str(error)
    if settings.supabase_service_role_key is None and _anonymous(settings.supabase_anon_key):
        seen = "the anonymous key is the only one set"
        if refused is None:
            return failed("store key", f"{seen}, and everybody who has it may write ticks", KEY)
        return failed("store key", f"{seen}: it may read, and write nothing ({refused})", KEY)
    if refused is not None:
        return told("store rights", refused)
    name = "service-role" if settings.supabase_service_role_key is not None else "SUPABASE_ANON_KEY's"
    return ok("store key", f"the {name} key may write, and the unique index is there")


def _candles(store: SupabaseStore) -> Finding:
    """Ticks are stored all the same."""
    try:
        store.check_candles()
    except StoreError as error:
        return warned("store candles", f"candles are not stored: {error}")
    return ok("store candles", "candles could be written")


def _anonymous(key: SecretStr | None) -> bool:
    """Whether a key is the anonymous one, or does not say whose it is. Keys are JWTs with a claim `role`."""
    text = key.get_secret_value() if key is not None else ""
    payload = text.split(".")[1] if text.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return True
    return not isinstance(claims, dict) or claims.get("role", "anon") == "anon"


def _clock(url: SupabaseUrl, key: SecretStr) -> Iterator[Finding]:
    """From the header Date, to the second."""
    try:
        before = time.time()
        answer = httpx.get(
            f"{url.url}/rest/v1/",
            headers={"apikey": key.get_secret_value()},
            timeout=httpx.Timeout(TIMEOUT_S),
            trust_env=False,
        )
        middle = (before + time.time()) / 2
        told_s = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError):
        return  # it does not tell
    yield compared("store clock", told_s + 0.5 - middle, exact_s=0.5)


def _explained(name: str, url: SupabaseUrl, error: StoreError) -> Finding:
    text = f"{url.masked}: {error}"
    return told(name, text if "; " in str(error) else f"{text}; check the store's URL and whether the project is awake")
