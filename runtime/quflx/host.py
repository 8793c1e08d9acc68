"""The relay that QuFLX's calls run on: started at the first of them, in the host's process.

Its settings are the environment's, QuFLX's names included. What differs from `tickwire run`, unless it is set: Redis
is QuFLX's `localhost:6379`, the data directory `tickwire-quflx` (a relay beside it has its own), HTTP takes a free port
(the host itself may be on 3001), and the only feed is what the host adds.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import redis

from tickwire.actors.kernel import AddressDead, AskTimeout, ReplyTo
from tickwire.config.loader import load
from tickwire.config.settings import Settings
from tickwire.config.sources import Given
from tickwire.config.urls import EmbeddedRedis, RedisServer, parse_redis
from tickwire.runtime.relay import Relay

HERE = {
    "feeds": "push:",
    "redis.url": "redis://localhost:6379/0",
    "data_dir": "tickwire-quflx",
    "http.address": "127.0.0.1:0",
}
ANSWER_S = 8.0
SOCKET_TIMEOUT_S = 5.0
"""QuFLX's."""

T = TypeVar("T")


class QuflxError(ConnectionError):
    """Something is not there to be asked: Redis, or the relay. Never told as an empty list or None."""


def host_settings() -> Settings:
    """Of this process' environment and configuration file. Raises ConfigError."""
    given = load().origins
    ours = {path: Given(value=value, origin="tickwire.quflx") for path, value in HERE.items() if path not in given}
    return load(ours).settings


class Host:
    """One relay and one client of its Redis. All methods from any thread."""

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._relay: Relay | None = None
        self._client: redis.Redis | None = None
        self._closed = False

    @property
    def relay(self) -> Relay:
        """Started, if it was not. Raises StartError, ConfigError; QuflxError after the end."""
        with self._lock:
            if self._closed:
                raise QuflxError("this integration was closed; make a new one")
            if self._relay is None:
                relay = Relay(self._settings or host_settings())
                relay.start()
                self._relay = relay
            return self._relay

    @property
    def server(self) -> RedisServer:
        """The relay's Redis."""
        relay = self.relay
        url = relay.settings.redis.parsed
        found = parse_redis(relay.redis_url) if isinstance(url, EmbeddedRedis) else url
        assert isinstance(found, RedisServer)
        return found

    def in_redis(self, act: Callable[[redis.Redis], T]) -> T:
        """What `act` makes of the client. Raises QuflxError."""
        try:
            return act(self._connected())
        except redis.RedisError as error:
            raise QuflxError(f"Redis {self.server.masked}: {error}") from error

    def _connected(self) -> redis.Redis:
        server = self.server
        with self._lock:
            if self._client is None:
                options: dict[str, Any] = {"ssl": True, **server.tls} if server.tls is not None else {}
                options |= {"socket_timeout": SOCKET_TIMEOUT_S, "socket_connect_timeout": SOCKET_TIMEOUT_S}
                self._client = redis.Redis(
                    host=server.host,
                    port=server.port,
                    db=server.db,
                    username=server.username,
                    password=server.password,
                    **options,
                )
            return self._client

    def ask(self, actor: str, build: Callable[[ReplyTo], object], kind: type[T]) -> T:
        """An actor's answer. Raises QuflxError where there is none, or another."""
        try:
            answer = self.relay.supervisor.address(actor).ask(build, timeout_s=ANSWER_S)
        except (AskTimeout, AddressDead) as error:
            raise QuflxError(f"{actor} did not answer: {error}") from error
        if not isinstance(answer, kind):
            raise QuflxError(f"{actor}: {getattr(answer, 'reason', type(answer).__name__)}")
        return answer

    def close(self) -> bool:
        """Drain and stop; whether the store has all. What it lacks is in the spool. Idempotent."""
        with self._lock:
            self._closed = True
            relay, client, self._client = self._relay, self._client, None
        if client is not None:
            client.close()
        return relay.stop() if relay is not None else True
