"""The bench's subscriber: counts what arrives on `updates:BENCH*` and how old it is, in a process of its own.

    python -m tickwire.runtime.cli.bench.subscriber --port 6379 --ticks 10000

prints `ready`, then one JSON line when that many ticks came or none came for a while:
{"ticks", "seconds" (first to last), "p50_ms", "p99_ms", "max_ms", "in_order"}.
"""

import argparse
import socket
import time

import hiredis
import orjson

SILENCE_S = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--skip", type=int, default=0, help="do not count the ages of the first ticks (warm-up)")
    options = parser.parse_args()
    with socket.create_connection(("127.0.0.1", options.port)) as client:
        client.settimeout(SILENCE_S)
        client.sendall(b"PSUBSCRIBE updates:BENCH*\r\n")
        client.recv(4096)
        print("ready", flush=True)
        arrivals = receive(client, options.ticks)
    print(orjson.dumps(evaluate(arrivals, options.skip)).decode(), flush=True)


def receive(client: socket.socket, ticks: int) -> list[tuple[float, list[bytes]]]:
    """(moment of the read, payloads) until `ticks` came; evaluated later, to take no time from the relay."""
    reader = hiredis.Reader()
    arrivals: list[tuple[float, list[bytes]]] = []
    count = 0
    while count < ticks:
        try:
            data = client.recv(262144)
        except TimeoutError:
            break
        now = time.time()
        reader.feed(data)
        payloads = []
        while (message := reader.gets()) is not False:
            payloads.append(message[3])
        count += len(payloads)
        arrivals.append((now, payloads))
    return arrivals


def evaluate(arrivals: list[tuple[float, list[bytes]]], skip: int) -> dict[str, object]:
    ages: list[float] = []
    newest: dict[str, float] = {}
    in_order = True
    count = 0
    for now, payloads in arrivals:
        for payload in payloads:
            tick = orjson.loads(payload)
            count += 1
            in_order = in_order and tick["timestamp"] > newest.get(tick["asset"], 0.0)
            newest[tick["asset"]] = tick["timestamp"]
            if count > skip:
                ages.append((now - tick["timestamp"]) * 1000)
    ages.sort()
    seconds = arrivals[-1][0] - arrivals[0][0] if arrivals else 0.0
    return {
        "ticks": count,
        "seconds": round(seconds, 3),
        "p50_ms": _at(ages, 0.5),
        "p99_ms": _at(ages, 0.99),
        "max_ms": _at(ages, 1.0),
        "in_order": in_order,
    }


def _at(ages: list[float], share: float) -> float | None:
    return round(ages[min(len(ages) - 1, int(len(ages) * share))], 3) if ages else None


if __name__ == "__main__":
    main()
