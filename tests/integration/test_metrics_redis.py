"""INFO and `system_status` of a whole relay, on a real Redis and on one that has no INFO."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from support.redis_server import FakeRedisServer, RedisServer
from support.tickwire_process import eventually

from tickwire.config.settings import HttpSettings, RedisSettings, Settings
from tickwire.runtime.relay import Relay

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["redis-server", "fakeredis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "fakeredis":
        with FakeRedisServer() as fake:
            yield fake.url
    else:
        with RedisServer(tmp_path / "redis") as server:
            yield server.url


def test_a_relay_says_how_it_is_and_shows_redis_figures_where_there_are_any(
    url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", redis=RedisSettings(url=url), http=HttpSettings(address="127.0.0.1:0")
    )
    client = redis.Redis.from_url(url, protocol=2, socket_timeout=15)
    listener = client.pubsub()  # type: ignore[no-untyped-call]  # redis-py
    listener.subscribe("system_status")
    try:
        with Relay(settings) as relay:
            status = eventually(lambda: next_status(listener, "up"), "a status of `up`")
            page = eventually(lambda: live_page(relay), "the feed is live in the metrics")
    finally:
        listener.close()
        client.close()
    assert set(status) == {"service", "status", "timestamp", "details"}
    assert status["details"]["redis"]["buffer_keeper"]["state"] == "up"
    assert ("tickwire_redis_used_memory_bytes" in page) is ("fakeredis" not in request.node.name)
    assert 'tickwire_link_state{link="redis",owner="publisher",state="up"} 1.0' in page
    assert 'tickwire_actor_state{actor="metrics_collector",state="running"} 1.0' in page


def live_page(relay: Relay) -> str | None:
    text = relay.metrics.render().decode()
    return text if 'tickwire_feed_state{feed="simulated",state="live"} 1.0' in text else None


def next_status(listener: Any, wanted: str) -> dict[str, Any] | None:
    message = listener.get_message(timeout=0.5)
    if message is None or message["type"] != "message":
        return None
    status: dict[str, Any] = orjson.loads(message["data"])
    return status if status["status"] == wanted else None
