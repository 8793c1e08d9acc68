"""Metrics that are read when somebody asks, not kept: the actors as the supervisor sees them, Redis' own figures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from tickwire.actors.kernel import ChildState
from tickwire.actors.kernel.child import State

STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelReading:
    """The supervisor at one moment."""

    actors: Sequence[ChildState] = ()
    dead_letters: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(recipient, reason) → how many so far, in the recipient's units."""
    zombies: int = 0
    """Threads given up as hung that have not ended."""


class KernelCollector(Collector):
    """The actors: states, restarts, mailboxes."""

    def __init__(self, read: Callable[[], KernelReading]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        reading = self._read()
        state = GaugeMetricFamily("tickwire_actor_state", "1 for the state the actor is in.", labels=["actor", "state"])
        restarts = CounterMetricFamily("tickwire_actor_restarts", "Restarts of the actor.", labels=["actor"])
        depth = GaugeMetricFamily(
            "tickwire_actor_mailbox_depth", "Messages waiting in the actor's mailbox.", labels=["actor"]
        )
        age = GaugeMetricFamily(
            "tickwire_actor_mailbox_oldest_age_seconds", "How long the oldest has waited.", labels=["actor"]
        )
        for actor in reading.actors:
            for word in STATES:
                state.add_metric([actor.id, word], word == actor.state)
            restarts.add_metric([actor.id], actor.restarts)
            depth.add_metric([actor.id], actor.mailbox_depth)
            age.add_metric([actor.id], actor.oldest_age_s)
        zombies = GaugeMetricFamily("tickwire_actor_zombies", "Hung threads that were given up and live on.")
        zombies.add_metric([], reading.zombies)
        yield from (state, restarts, depth, age, zombies)
        letters = CounterMetricFamily(
            "tickwire_dead_letters", "What nobody took, in the actor's units.", labels=["actor", "reason"]
        )
        for place, weight in reading.dead_letters.items():
            letters.add_metric(place, weight)
        yield letters


REDIS_GAUGES = {
    "used_memory": ("tickwire_redis_used_memory_bytes", "Memory that Redis has allocated."),
    "maxmemory": ("tickwire_redis_max_memory_bytes", "Its limit; 0 is none."),
    "connected_clients": ("tickwire_redis_connected_clients", "Clients connected to Redis, ours among them."),
    "uptime_in_seconds": ("tickwire_redis_uptime_seconds", "Since the server started."),
    "instantaneous_ops_per_sec": ("tickwire_redis_ops_per_second", "Commands a second, as Redis measures them."),
}
REDIS_COUNTERS = {
    "total_commands_processed": ("tickwire_redis_commands_processed", "Commands since the server started."),
    "keyspace_hits": ("tickwire_redis_keyspace_hits", "Look-ups that found their key."),
    "keyspace_misses": ("tickwire_redis_keyspace_misses", "Look-ups that did not."),
    "evicted_keys": ("tickwire_redis_evicted_keys", "Keys that Redis threw away for want of memory."),
    "rejected_connections": ("tickwire_redis_rejected_connections", "Connections refused by maxclients."),
}


class RedisInfoCollector(Collector):
    """INFO as last read; nothing where it is not known."""

    def __init__(self) -> None:
        self.info: Mapping[str, str] = {}

    def collect(self) -> Iterable[Metric]:
        info = self.info
        if "redis_version" in info:
            version = {"version": info["redis_version"], "mode": info.get("redis_mode", "")}
            yield InfoMetricFamily("tickwire_redis", "The server that INFO was read from.", version)
        for known, (name, text) in REDIS_GAUGES.items():
            if known in info:
                yield GaugeMetricFamily(name, text, float(info[known]))
        for known, (name, text) in REDIS_COUNTERS.items():
            if known in info:
                yield CounterMetricFamily(name, text, float(info[known]))
