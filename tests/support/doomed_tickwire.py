"""The command `tickwire` with a relay whose supervisor bears no death: an actor crashes as soon as all have started.

python tests/support/doomed_tickwire.py run --feed …
"""

import sys

from tickwire.actors.kernel import SupervisorSpec
from tickwire.runtime import relay as relaying
from tickwire.runtime.cli import main, serving


class DoomedRelay(relaying.Relay):
    def start(self) -> None:
        super().start()
        self.supervisor.crash("publisher")


if __name__ == "__main__":
    relaying.ROOT = SupervisorSpec(intensity=0)
    vars(serving)["Relay"] = DoomedRelay
    sys.exit(main())
