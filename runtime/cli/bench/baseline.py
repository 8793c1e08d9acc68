"""What tickwire replaces, for comparison: per tick json, a pipeline of LPUSH and LTRIM, then PUBLISH.

    python -m tickwire.runtime.cli.bench.baseline --feed ws://127.0.0.1:PORT --port 6379

prints `ready` once connected. It saves nothing, supervises nothing and checks nothing.
"""

import argparse
import json
import time

import redis
import websocket


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feed", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    client = redis.Redis(port=options.port, socket_timeout=5)
    client.ping()
    feed = websocket.create_connection(options.feed, timeout=60)
    print("ready", flush=True)
    while True:
        try:
            opcode, data = feed.recv_data()
        except (websocket.WebSocketException, OSError):
            return
        if opcode not in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
            return
        if data.startswith(b"451-"):
            continue
        for asset, stamp, price in json.loads(data):
            relay(client, asset, {"asset": asset, "price": price, "timestamp": stamp, "received_at": time.time()})


def relay(client: redis.Redis, asset: str, tick: dict[str, object]) -> None:
    encoded = json.dumps(tick)
    pipeline = client.pipeline()
    pipeline.lpush(f"ticks:{asset}", encoded)
    pipeline.ltrim(f"ticks:{asset}", 0, 999)
    pipeline.execute()
    client.publish(f"updates:{asset}", encoded)


if __name__ == "__main__":
    main()
