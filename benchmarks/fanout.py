"""How old ticks are when browsers have them: a paced feed, a relay, and many clients in a process of their own.

    .venv/bin/python benchmarks/fanout.py --clients 100 --rate 1000 --assets 10
    .venv/bin/python benchmarks/fanout.py --clients 1000 --rate 5000 --assets 1 --stalled 5
    .venv/bin/python benchmarks/fanout.py --clients 100 --rate 1000 --assets 10 --over ws socket.io

prints one JSON line for each way that clients listen in: our WebSocket, and QuFLX's Socket.IO. A tick's stamp is the
moment of its sending; its age is told at the read that ends its frame. All clients watch all assets. The reader keeps
what it reads and looks into it afterwards, so as to take little from the relay: it shares the machine's cores with it,
and on a small one its own turns are part of the ages.
"""

import argparse
import gc
import json
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from fanout_speech import SPEECHES, Speech, connect

from tickwire.runtime.cli.bench.scenario import Scenario, _end, _expect, _read_line, _start_feed, _start_redis

FIRST_S = 30.0
QUIET_S = 1.5
PING_BYTES = 3
"""At most: what keeps a connection alive is no sign of ticks."""


def main() -> None:
    options = parse()
    if options.read:
        read(options, SPEECHES[options.over[0]])
        return
    for over in options.over:
        with ExitStack() as stack:
            print(json.dumps({"over": over, **measure(stack, options, over)}), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--over", nargs="+", choices=list(SPEECHES), default=["ws"], help="how clients listen")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--stalled", type=int, default=0, help="clients beside them that read nothing")
    parser.add_argument("--rate", type=float, default=1000.0, help="ticks a second of the feed, over all assets")
    parser.add_argument("--assets", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--read", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ticks", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(stack: ExitStack, options: argparse.Namespace, over: str) -> dict[str, object]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickwire-fanout-")))
    ticks = int(options.rate * options.seconds)
    redis = _start_redis(stack, folder)
    feed, feed_port = _start_feed(stack, Scenario(rate=options.rate, ticks=ticks, assets=options.assets, announce=True))
    log = folder / "relay.log"
    relay = subprocess.Popen(
        [
            sys.executable, "-m", "tickwire.runtime.cli", "run", "--feed", f"json+ws://127.0.0.1:{feed_port}/",
            "--redis", f"redis://127.0.0.1:{redis}/0", "--data-dir", str(folder / "data"), "--http", "127.0.0.1:0",
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("wb"), text=True,
    )  # fmt: skip
    stack.callback(_end, relay)
    line = _read_line(relay, "tickwire", log)
    port = line.split("http://127.0.0.1:")[1].split()[0]
    asked = ["--clients", str(options.clients), "--stalled", str(options.stalled), "--assets", str(options.assets)]
    reader = subprocess.Popen(
        [sys.executable, __file__, "--read", port, "--over", over, "--ticks", str(ticks), *asked],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    stack.callback(_end, reader)
    assert feed.stdin is not None
    assert reader.stdout is not None
    _expect(reader, "connected", "the clients")
    feed.stdin.write("go\n")
    feed.stdin.flush()
    figures: dict[str, object] = json.loads(reader.stdout.readline())
    rss = Path(f"/proc/{relay.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    return {**figures, "relay_peak_mib": round(int(rss) / 1024, 1), "relay_cpu_s": cpu_s(relay.pid)}


def cpu_s(pid: int) -> float:
    """Of the whole process so far, its start with it."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return round((int(user) + int(system)) / 100, 1)


# -- the clients ---------------------------------------------------------------------------------------------------


def read(options: argparse.Namespace, speech: Speech) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    assets = [f"BENCH{i}" for i in range(options.assets)]
    clients = [connect(options.read, speech, assets) for _ in range(options.clients)]
    stalled = [connect(options.read, speech, assets) for _ in range(options.stalled)]
    print("connected", flush=True)
    gc.disable()
    kept = receive(clients, speech)
    print(json.dumps(evaluate(kept, options, speech, stalled)), flush=True)


Kept = dict[int, list[tuple[float, bytes]]]


def receive(clients: list[socket.socket], speech: Speech) -> Kept:
    """What came to each, with the moment of its read, until nothing but pings came for a while."""
    poll = select.epoll()
    by_fd = {client.fileno(): client for client in clients}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    kept: Kept = {fd: [] for fd in by_fd}
    now, begun = time.time, False
    last = now() + FIRST_S
    while now() < last + QUIET_S:
        for fd, _ in poll.poll(QUIET_S):
            data = by_fd[fd].recv(262144)
            if not data:
                poll.unregister(fd)
                continue
            kept[fd].append((now(), data))
            if speech.asks is not None and speech.asks in data:
                by_fd[fd].sendall(speech.answer)
            if len(data) > PING_BYTES:
                last = max(last, now()) if begun else now()
                begun = True
    return kept


def evaluate(
    kept: Kept, options: argparse.Namespace, speech: Speech, stalled: list[socket.socket]
) -> dict[str, object]:
    ages: list[float] = []
    got: list[int] = []
    conflated = 0
    rates: list[float] = []
    for pieces in kept.values():
        data = b"".join(piece for _, piece in pieces)
        ends: list[int] = []
        at = 0
        for _, piece in pieces:
            at += len(piece)
            ends.append(at)
        seen, place, first, last = 0, 0, 0.0, 0.0
        for tick in speech.tick.finditer(data):
            seen += 1
            while ends[place] < tick.end():
                place += 1
            moment = pieces[place][0]
            first = first or moment
            last = moment
            if seen > options.ticks // 10:
                ages.append((moment - float(tick["stamp"])) * 1000)
        summed = sum(int(each[1]) for each in speech.summary.finditer(data)) if speech.summary else 0
        conflated += summed
        got.append(seen + summed)
        rates.append(got[-1] / max(last - first, 1e-9))
    ages.sort()
    return {
        "clients": len(kept),
        "ticks_each_least": min(got),
        "ticks_sent": options.ticks,
        "per_second_each_least": round(min(rates)),
        "p50_ms": at_share(ages, 0.5),
        "p99_ms": at_share(ages, 0.99),
        "worst_ms": at_share(ages, 1.0),
        "conflated": conflated,
        "stalled": len(stalled),
    }


def at_share(ages: list[float], share: float) -> float | None:
    return round(ages[min(len(ages) - 1, int(len(ages) * share))], 2) if ages else None


if __name__ == "__main__":
    main()
