"""The bench's feed: a WebSocket server in a process of its own, sending at a pace or as fast as ticks are taken.

    python -m tickwire.runtime.cli.bench.feed --rate 1000 --ticks 10000 --per-frame 1 --assets 1

prints its port, waits for one client and a line on stdin, sends, and waits for the end of stdin. Each tick's stamp is
the moment of its sending (µs), strictly rising per asset, so a subscriber on the same machine can tell its age.
"""

import argparse
import socket
import struct
import sys
import time
from collections.abc import Iterator

from websockets.frames import OP_BINARY, OP_TEXT
from websockets.server import ServerProtocol

HEADER = b'451-["updateStream",{"_placeholder":true,"num":0}]'


def main() -> None:
    options = parse()
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        client, _ = server.accept()
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handshake(client)
            if options.announce:
                client.sendall(frames(rising(), options, 0, options.assets))
            sys.stdin.readline()
            if options.rate:
                pace(client, options)
            else:
                pour(client, options)
            sys.stdin.read()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=0.0, help="ticks a second; 0: as fast as they are taken")
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--per-frame", type=int, default=1)
    parser.add_argument("--assets", type=int, default=1)
    parser.add_argument("--announce", action="store_true", help="send a tick of each asset ahead, at once")
    parser.add_argument("--framing", choices=["json", "pocketoption"], default="json")
    return parser.parse_args()


def handshake(client: socket.socket) -> None:
    """Accept the WebSocket; its frames are our own from there on."""
    protocol = ServerProtocol()
    while not protocol.events_received():
        protocol.receive_data(client.recv(65536))
        for event in protocol.events_received():
            protocol.send_response(protocol.accept(event))  # type: ignore[arg-type]
            for data in protocol.data_to_send():
                client.sendall(data)
            return


def frames(stamps: Iterator[float], options: argparse.Namespace, first: int, count: int) -> bytes:
    """`count` ticks from the `first`-th on, as WebSocket frames."""
    out = []
    for start in range(first, first + count, options.per_frame):
        rows = [
            f'["BENCH{i % options.assets}",{next(stamps):.6f},{1 + (i % 9000 + 1000) / 100000:.5f}]'
            for i in range(start, min(start + options.per_frame, first + count))
        ]
        payload = f"[{','.join(rows)}]".encode()
        if options.framing == "pocketoption":
            out += [frame(OP_TEXT, HEADER), frame(OP_BINARY, payload)]
        else:
            out.append(frame(OP_TEXT, payload))
    return b"".join(out)


def frame(opcode: int, payload: bytes) -> bytes:
    """An unmasked, unfragmented frame."""
    if len(payload) < 126:
        return bytes((0x80 | opcode, len(payload))) + payload
    return struct.pack("!BBH", 0x80 | opcode, 126, len(payload)) + payload


def pace(client: socket.socket, options: argparse.Namespace) -> None:
    """Send tick i at start + i / rate, those due together in one write, each stamped with the moment of sending."""
    start = time.perf_counter()
    stamps = rising()
    sent = 0
    while sent < options.ticks:
        due = min(options.ticks, int((time.perf_counter() - start) * options.rate) + 1)
        due -= (due - sent) % options.per_frame if due < options.ticks else 0
        if due > sent:
            client.sendall(frames(stamps, options, sent, due - sent))
            sent = due
        ahead = start + (sent + options.per_frame - 1) / options.rate - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)


def rising() -> Iterator[float]:
    """Now, in seconds, at least a microsecond later each time."""
    last_us = 0
    while True:
        last_us = max(time.time_ns() // 1000, last_us + 1)
        yield last_us / 1e6


def pour(client: socket.socket, options: argparse.Namespace) -> None:
    """Build everything first, then send it as fast as it is taken."""
    base = time.time_ns() // 1000 - options.ticks
    stamps = ((base + i) / 1e6 for i in range(options.ticks))
    chunk = 10_000 - 10_000 % options.per_frame
    built = [frames(stamps, options, at, min(chunk, options.ticks - at)) for at in range(0, options.ticks, chunk)]
    for data in built:
        client.sendall(data)


if __name__ == "__main__":
    main()
