"""Make `examples/demo.frames.jsonl`: a minute of the simulated broker, the same bytes every time.

    python scripts/make_demo_recording.py [PATH]

The broker's session is driven on a clock of the script's own, in steps of a tenth of a second, and what it sends is
written by the recorder's own file: history of one asset, then live ticks of three.
"""

import sys
from pathlib import Path

from tickwire.runtime.feeds.broker_session import BrokerSession
from tickwire.runtime.feeds.recorder import FrameFile
from tickwire.runtime.feeds.splitter import FrameSplitter

ASSETS = ("EURUSD_otc", "GBPUSD_otc", "#AAPL_otc")
BEGINS_MS = 1_767_614_400_000  # 2026-01-05 12:00 UTC
SECONDS = 56
STEP_MS = 100
DEFAULT = Path(__file__).resolve().parent.parent / "examples" / "demo.frames.jsonl"


def main(path: Path = DEFAULT) -> None:
    """Write the recording, in place of an older one."""
    path.unlink(missing_ok=True)
    broker = BrokerSession(ASSETS, rate=2.0, seed=1, ahead_ms=7_200_000, session=None, name="demo")
    splitter = FrameSplitter()
    file = FrameFile(path)
    now_ms = BEGINS_MS
    says = [
        b"40",
        b'42["auth",{"session":"demo","isDemo":1,"uid":0,"platform":2}]',
        b'42["changeSymbol",{"asset":"EURUSD_otc","period":60}]',
        b'42["subfor","GBPUSD_otc"]',
        b'42["subfor","#AAPL_otc"]',
    ]
    file.write(now_ms * 1000, splitter.split(broker.opening(now_ms)))
    for message in says:
        file.write(now_ms * 1000, splitter.split(broker.receive(message, now_ms)))
    while now_ms < BEGINS_MS + SECONDS * 1000:
        now_ms += STEP_MS
        file.write(now_ms * 1000, splitter.split(broker.due(now_ms)))
        broker.receive(b"3", now_ms)
    file.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
