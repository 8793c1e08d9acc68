"""Secrets planted in every setting that may hold one never show, whatever goes wrong: real processes and servers."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support.commands import command
from support.redis_server import RedisServer
from support.servers import free_port
from support.tickwire_process import Tickwire, clean_environment, eventually
from support.ws_client import WsClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tickwire.runtime.gateway.tokens import Tokens

pytestmark = pytest.mark.timeout(240)

CANARY = "canary"
SESSION = 'canary-session/7d1f"\\e0'
SERVICE = "canary-service-role-31c9a2"
ANON = "canary-anon-key-99be04"
TOKEN = "canary-token-secret-that-is-long-enough-5ab1"
REDIS = "canary redis/p@ss:word"
STORE = "canary-store%p/ss"
SPELLINGS = [CANARY, quote(REDIS, safe=""), quote(STORE, safe="")]
LEAKING = Path(__file__).parents[1] / "support" / "leaking_tickwire.py"
SECRETS = {
    "TICKWIRE_POCKETOPTION_SESSION": SESSION,
    "SUPABASE_SERVICE_ROLE_KEY": SERVICE,
    "SUPABASE_ANON_KEY": ANON,
    "TICKWIRE_HTTP__TOKEN_SECRET": TOKEN,
}
PATHS = [
    "/", "/healthz", "/readyz", "/health", "/metrics", "/openapi.json", "/api/v1/status", "/api/v1/actors",
    "/api/v1/assets?announced=1", "/api/v1/audit", "/api/v1/ticks/A", "/api/v1/history/A",
]  # fmt: skip


@contextmanager
def repeating_broker() -> Iterator[str]:
    """A broker that refuses every session and repeats it wherever it can."""

    def refuse(client: ServerConnection) -> None:
        with suppress(ConnectionClosed, TimeoutError):
            client.send('0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
            client.recv(timeout=20)
            client.send('40{"sid":"s"}')
            client.recv(timeout=20)
            client.send(f"42[{json.dumps(SESSION)},{json.dumps({SESSION: SESSION})}]")
            client.send(f"garbage {SESSION}")
            client.send(f'42["NotAuthorized","{SERVICE}"]')
            client.close(1008, f"no session {SESSION}")

    with serve(refuse, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"pocketoption+ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join(20)


@contextmanager
def running(program: list[str], folder: Path, environment: dict[str, str]) -> Iterator[Tickwire]:
    log = folder / "stderr.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*program, "run", "--data-dir", "data", "--http", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL, text=True, cwd=folder,
            env=clean_environment() | environment,
        )  # fmt: skip
    app: Tickwire | None = None
    try:
        app = Tickwire(process, log, folder / "data")
        yield app
    finally:
        if app is not None:
            app.end()
        elif process.poll() is None:
            process.kill()
            process.wait()


def everything_http_says(url: str) -> dict[str, str]:
    bearer = {"Authorization": f"Bearer {Tokens(TOKEN, 'tickwire').mint(600)}"}
    told: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        for path in PATHS:
            for headers in ({}, bearer):
                answer = client.get(path, headers=headers)
                told[f"{path} {len(headers)}"] = answer.text + str(answer.headers.raw)
    with WsClient(url, query=f"?token={Tokens(TOKEN, 'tickwire').mint(600)}") as client:
        client.say(type="subscribe", asset="A")
        told["/ws"] = str([client.read(), client.read()])
    return told


def everything_commands_say(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    told = {}
    for line in (
        ["config", "show"], ["config", "show", "--json"], ["status", "--data-dir", "data"],
        ["migrate"], ["doctor", "--data-dir", "data"], ["token"],
    ):  # fmt: skip
        done = command(*line, folder=folder, environment=environment)
        told[" ".join(line)] = done.stdout + done.stderr
    return told


def expect_no_canary(told: dict[str, str]) -> None:
    for where, text in told.items():
        for spelling in SPELLINGS:
            assert spelling not in text, f"{where} shows a secret: {text[max(0, text.find(spelling) - 300) :][:600]}"


def files_of(folder: Path) -> dict[str, str]:
    """All that was written, logs and run.json included."""
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("latin-1")
        for path in folder.rglob("*")
        if path.is_file() and "redis-server" not in path.parts
    }


@pytest.mark.parametrize(("kind", "style"), [("postgresql", "text"), ("supabase", "json")])
def test_while_every_server_refuses_no_secret_shows(tmp_path: Path, kind: str, style: str) -> None:
    store = f"postgresql://u:{quote(STORE, safe='')}@127.0.0.1:{free_port()}/db"
    if kind == "supabase":
        store = f"supabase+http://127.0.0.1:{free_port()}"
    with repeating_broker() as feed, RedisServer(tmp_path / "redis-server", password="another") as redis:
        environment = SECRETS | {
            "TICKWIRE_FEEDS": feed,
            "TICKWIRE_REDIS__URL": f"redis://:{quote(REDIS, safe='')}@127.0.0.1:{redis.port}/0",
            "TICKWIRE_STORE__URL": store,
            "TICKWIRE_LOG_LEVEL": "debug",
            "TICKWIRE_LOG_FORMAT": style,
        }
        with running([sys.executable, "-m", "tickwire.runtime.cli"], tmp_path, environment) as app:
            eventually(lambda: "1008" in app.logged() or "NotAuthorized" in app.logged(), "the broker refused", 30)
            eventually(lambda: "WRONGPASS" in app.logged() or "auth" in app.logged().lower(), "Redis refused", 30)
            told = everything_http_says(app.http) | everything_commands_say(tmp_path, environment)
            app.signal(signal.SIGTERM)
            app.wait()
            assert app.process.stdout is not None
            told["stdout"] = app.process.stdout.read() + app.redis
    assert len(told["/api/v1/actors 1"]) > 300, "the API was open to the test"
    expect_no_canary(told | files_of(tmp_path))


def test_errors_that_hold_every_secret_show_none(tmp_path: Path) -> None:
    """An actor crashes until the supervisor gives up; its error says all that it knows."""
    with repeating_broker() as feed, RedisServer(tmp_path / "redis-server", password=REDIS) as redis:
        environment = SECRETS | {"TICKWIRE_FEEDS": feed, "TICKWIRE_REDIS__URL": redis.url}
        with running([sys.executable, str(LEAKING)], tmp_path, environment) as app:
            told: dict[str, Any] = {}

            def looked() -> bool:
                with suppress(httpx.HTTPError, OSError):
                    told.update(everything_http_says(app.http))
                return "Leak" in told.get("/api/v1/actors 1", "")

            eventually(looked, "the API shows the actor's error", 30)
            told |= everything_commands_say(tmp_path, environment)
            eventually(lambda: "Traceback" in app.logged(), "the log shows its traceback", 30)
            app.signal(signal.SIGTERM)
            app.wait()
    expect_no_canary(told | files_of(tmp_path))
