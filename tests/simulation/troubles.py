"""What happens around the actors: servers that go and come back, a disk that fills, feeds that are cut."""

from collections.abc import Callable, Sequence

from simulation.chance import Chance
from simulation.clock import SimClock
from simulation.disk import Disk
from simulation.network import Network
from simulation.stores import Table
from simulation.venues import Venue

LISTS_LOST = {
    "actor crashed",
    "clean stop",
    "process killed",
    "redis dies",
    "redis fails over",
    "redis flushed",
    "redis key deleted",
}
"""Faults after which a buffer list may lack what nobody remembers."""
REDIS_KINDS = (
    ["cut", "freezes", "refuses", "flushed", "group destroyed", "key deleted", "fails over"]
    + ["dies"] * 2
    + ["copied"] * 2
)


class Troubles:
    """Strike by the seed's rates, and end by themselves."""

    def __init__(
        self,
        *,
        chance: Chance,
        clock: SimClock,
        network: Network,
        table: Table,
        disk: Disk,
        venues: Sequence[Venue],
    ) -> None:
        self._chance = chance
        self._clock = clock
        self._network = network
        self._table = table
        self._disk = disk
        self._venues = venues
        disk.failing = lambda: chance.strikes(chance.rates.disk)

    def strike(self) -> None:
        """Once a turn."""
        chance, rates = self._chance, self._chance.rates
        if chance.strikes(rates.redis_event):
            self._redis()
        if chance.strikes(rates.store_event) and self._table.state == "up":
            self._table.state = chance.choose(["down", "slow", "misconfigured"])
            chance.fault(f"store {self._table.state}")
            self._later(lambda: setattr(self._table, "state", "up"), 20.0)
        if chance.strikes(rates.disk) and not self._disk.full:
            self._disk.full = True
            chance.fault("disk full")
            self._later(lambda: setattr(self._disk, "full", False), 5.0)
        if chance.strikes(rates.feed * 0.5):
            self._feed(chance.choose(self._venues))

    def at_start(self) -> None:
        """A process starts: now and then nobody is reached at first."""
        if self._chance.strikes(10 * self._chance.rates.redis_event) and self._network.reachable:
            self._network.die()
            self._chance.fault("redis dies", "at a start")
            self._later(lambda: self._network.start("kept"), 2.0)

    def end(self) -> None:
        """Everything works again, for good."""
        self._network.thaw()
        self._network.start("kept")
        self._network.server.refusal = None
        self._disk.full = False
        self._table.state = "up"
        for venue in self._venues:
            venue.refusing = False

    def _later(self, act: Callable[[], None], most_s: float) -> None:
        self._clock.later(0.05 + most_s * self._chance.random.random() ** 2, act)

    def _feed(self, venue: Venue) -> None:
        venue.cut()
        self._chance.fault("feed cut", venue.profile.name)
        if self._chance.random.random() < 0.5 and not venue.refusing:
            venue.refusing = True
            self._later(lambda: setattr(venue, "refusing", False), 8.0)

    def _redis(self) -> None:
        chance, network = self._chance, self._network
        if not network.reachable or network.frozen or network.server.refusal:
            return
        kind = chance.choose(REDIS_KINDS)
        chance.fault(f"redis {kind}")
        match kind:
            case "cut" if network.links:
                chance.choose(network.links).hang_up()
            case "dies":
                memory = chance.choose(["kept", "older", "none"])
                chance.note(f"memory {memory}")
                network.die()
                self._later(lambda: network.start(memory), 6.0)
            case "fails over":
                network.die()
                network.start("older")
            case "freezes":
                network.freeze()
                self._later(network.thaw, 6.0)
            case "refuses":
                network.server.refusal = chance.choose(["out of memory", "read-only", "misconf"])
                self._later(lambda: setattr(network.server, "refusal", None), 6.0)
            case "flushed":
                network.flush()
            case "group destroyed":
                network.destroy_group()
            case "key deleted":
                chance.note(network.delete_a_key())
            case "copied":
                network.copy_to_replica()
