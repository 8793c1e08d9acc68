"""The faults by name: how each strikes, how it is healed, and the words by which `/readyz` must show it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from faults.servers import PASSWORD, Servers

Act = Callable[[Servers], object]


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    strike: Act
    heal: Act
    shown: str = ""
    """Part of what `/readyz` must say before it is healed; empty where the fault is over before anybody looks."""


def nothing(servers: Servers) -> None:
    """It heals by itself."""


# -- Redis


def kill_redis(servers: Servers) -> None:
    servers.redis.kill()


def start_redis(servers: Servers) -> None:
    servers.forget_admin()
    servers.redis.start()


def use_durable(servers: Servers) -> None:
    servers.use_redis(servers.durable)


def kill_durable(servers: Servers) -> None:
    use_durable(servers)
    kill_redis(servers)


def fail_over(servers: Servers) -> None:
    """To a server that has nothing of the outbox, or an old copy of it."""
    servers.use_redis(servers.durable if servers.redis is servers.volatile else servers.volatile)


def fill_redis(servers: Servers) -> None:
    servers.admin.config_set("maxmemory", "1")


def empty_redis(servers: Servers) -> None:
    servers.admin.config_set("maxmemory", "0")


def make_replica(servers: Servers) -> None:
    """Of a server that is not there: read-only, with what it has."""
    servers.admin.replicaof("127.0.0.1", 1)


def make_master(servers: Servers) -> None:
    servers.admin.replicaof("NO", "ONE")


def fail_saves(servers: Servers) -> None:
    """A snapshot that fails: from then on the server takes no writes."""
    gone = servers.folder / "gone"
    gone.mkdir()
    servers.admin.config_set("save", "3600 1")
    servers.admin.config_set("dir", str(gone))
    shutil.rmtree(gone)
    servers.admin.bgsave()


def mend_saves(servers: Servers) -> None:
    servers.admin.config_set("dir", str(servers.redis.folder))
    servers.admin.config_set("save", "")


def flush_redis(servers: Servers) -> None:
    servers.admin.flushall()


def kill_clients(servers: Servers) -> None:
    servers.admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def destroy_group(servers: Servers) -> None:
    for key in servers.admin.scan_iter("tickwire:outbox:*"):
        servers.admin.xgroup_destroy(key, "tickwire")


def delete_outbox(servers: Servers) -> None:
    for key in servers.admin.scan_iter("tickwire:outbox:*"):
        servers.admin.delete(key)


def rotate_password(servers: Servers) -> None:
    servers.admin.config_set("requirepass", "second-password")
    kill_clients(servers)


def restore_password(servers: Servers) -> None:
    servers.admin.config_set("requirepass", PASSWORD)


def close_doors(servers: Servers) -> None:
    servers.admin.config_set("maxclients", "1")
    kill_clients(servers)


def open_doors(servers: Servers) -> None:
    servers.admin.config_set("maxclients", "1000")


REDIS = (
    Fault("redis killed, restarted without persistence", kill_redis, start_redis, "redis degraded: down"),
    Fault("redis failed over, killed, restarted with append-only", kill_durable, start_redis, "redis degraded: down"),
    Fault("redis stopped (SIGSTOP)", lambda s: s.redis.freeze(), lambda s: s.redis.thaw(), "redis degraded: timeout"),
    Fault("redis out of memory", fill_redis, empty_redis, "redis degraded: out of memory"),
    Fault("redis read-only (replica of a dead master)", make_replica, make_master, "redis degraded: read-only"),
    Fault("redis cannot save (MISCONF)", fail_saves, mend_saves, "redis degraded: misconf"),
    Fault("redis flushed", flush_redis, nothing),
    Fault("redis' clients killed", kill_clients, nothing),
    Fault("redis' group destroyed", destroy_group, nothing),
    Fault("redis' outbox deleted", delete_outbox, nothing),
    Fault("redis' password rotated", rotate_password, restore_password, "redis degraded: wrong password"),
    Fault("redis takes no more clients", close_doors, open_doors, "redis degraded: max clients"),
    Fault("redis failed over to an older copy", fail_over, nothing),
    Fault("redis slow (100 ms each way)", lambda s: s.redis_proxy.delay(0.1), lambda s: s.redis_proxy.normal()),
    Fault("redis cut", lambda s: s.redis_proxy.cut(), nothing),
    Fault("redis' replies cut", lambda s: s.redis_proxy.cut_replies(), nothing),
    Fault("redis' pipelines cut in half", lambda s: s.redis_proxy.cut_half(), nothing),
    Fault("redis refused", lambda s: s.redis_proxy.refuse(), lambda s: s.redis_proxy.normal(), "redis degraded: down"),
    Fault("redis half-open", lambda s: s.redis_proxy.freeze(), lambda s: s.redis_proxy.normal(), "degraded: timeout"),
)  # fmt: skip


# -- the store


def kill_store(servers: Servers) -> None:
    servers.postgres.kill()


def start_store(servers: Servers) -> None:
    servers.postgres.start()


def restart_store(servers: Servers) -> None:
    servers.postgres.stop()
    servers.postgres.start()


def revoke_rights(servers: Servers) -> None:
    servers.sql("revoke insert on historical_ticks from authenticated")


def grant_rights(servers: Servers) -> None:
    servers.sql("grant insert on historical_ticks to authenticated")


def fill_disk(servers: Servers) -> None:
    """The file system where one could be mounted, else a trigger that says the same."""
    if servers.disk.mounted:
        servers.disk.fill()
        return
    servers.sql(
        "create function full_disk() returns trigger language plpgsql as"
        " $$ begin raise exception 'no space left on device' using errcode = '53100'; end $$"
    )
    servers.sql("create trigger full_disk before insert on historical_ticks execute function full_disk()")


def empty_disk(servers: Servers) -> None:
    if servers.disk.mounted:
        servers.disk.empty()
        return
    servers.sql("drop function full_disk() cascade")


def end_sessions(servers: Servers) -> None:
    servers.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'writer'")


def fill_relay(servers: Servers) -> None:
    """The relay's own disk, with its spool."""
    if servers.relay_disk.mounted:
        servers.relay_disk.fill()


def empty_relay(servers: Servers) -> None:
    if servers.relay_disk.mounted:
        servers.relay_disk.empty()


OWN = (Fault("the relay's own disk full", fill_relay, empty_relay, "disk is full"),)

STORE = (
    Fault("postgres killed", kill_store, start_store, "store degraded"),
    Fault("postgres restarted", restart_store, nothing),
    Fault("postgres stopped (SIGSTOP)", lambda s: s.postgres.freeze(), lambda s: s.postgres.thaw(), "store degraded"),
    Fault("postgres' rights revoked", revoke_rights, grant_rights, "42501"),
    Fault("postgres' disk full", fill_disk, empty_disk, "53100"),
    Fault("postgres' sessions ended", end_sessions, nothing),
    Fault("postgres slow (100 ms each way)", lambda s: s.store_proxy.delay(0.1), lambda s: s.store_proxy.normal()),
    Fault("postgres cut", lambda s: s.store_proxy.cut(), nothing),
    Fault("postgres' replies cut", lambda s: s.store_proxy.cut_replies(), nothing),
    Fault("postgres' commands cut in half", lambda s: s.store_proxy.cut_half(), nothing),
    Fault("postgres refused", lambda s: s.store_proxy.refuse(), lambda s: s.store_proxy.normal(), "store degraded"),
)  # fmt: skip
