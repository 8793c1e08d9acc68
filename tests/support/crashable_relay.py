"""A relay in a process of its own, whose actors crash at a word: `crash publisher` on its standard input.

python tests/support/crashable_relay.py DATA_DIR FEED_URL

It says where it listens as `tickwire run` does, and stops in good order when its standard input ends.
"""

import sys
from pathlib import Path

from tickwire.config.settings import HttpSettings, Settings
from tickwire.runtime.logs import configure_logs
from tickwire.runtime.relay import Relay


def main(data_dir: str, feed: str) -> None:
    configure_logs()  # to stderr: standard output is for the ready line
    settings = Settings(data_dir=Path(data_dir), feeds=(feed,), http=HttpSettings(address="127.0.0.1:0"))
    with Relay(settings) as relay:
        sys.stdout.write(f"tickwire ready {relay.http_url} redis={relay.redis_url} store={relay.store_url}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            word, name = line.split()
            assert word == "crash"
            relay.supervisor.crash(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
