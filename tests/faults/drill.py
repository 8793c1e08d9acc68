"""One relay under test at a steady rate, faults that happen to it, and the store held against an oracle after each."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
from faults.faults import Fault
from faults.listener import Listener, Watch
from faults.servers import Servers
from support.footprint import Footprint, footprint
from support.tape import Tick
from support.tickwire_process import Tickwire, eventually, tickwire

from tickwire.market.ledger import Fate
from tickwire.runtime.audit import audit

BUFFER = 1000
FATES: tuple[Fate, ...] = ("received", "parsed", "stored", "quarantined")
SHOWN = 80
"""So much of a state's detail is printed."""
HEALING_S = 90.0
"""On a busy machine, with the store's backoff at its longest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault did. `print` it."""

    fault: str
    ticks: int
    rows: int
    shown: Sequence[str]
    recovered_s: float

    def __str__(self) -> str:
        shown = "; ".join(each[:SHOWN] for each in self.shown) or "ready throughout"
        figures = f"{self.ticks} ticks in, {self.rows} rows stored, recovered in {self.recovered_s:.1f} s"
        return f"{self.fault}: {figures} [{shown}]"


class Drill:
    """Owns a relay on `servers`; `suffer` one fault after the other, then `end`."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.servers = servers
        self._folder = folder
        self._stack = ExitStack()
        self.data_dir = servers.relay_disk.folder / folder.name
        self._compared = servers.feed.sent
        self._started = self._compared
        self._refused = 0
        self._before = servers.count()
        self._last_id = servers.newest_id()
        self._live: dict[str, deque[Tick]] = {}
        self._listener = Listener(servers)

    def __enter__(self) -> "Drill":
        self.app: Tickwire = self._stack.enter_context(
            tickwire("run", *self.servers.arguments, folder=self._folder, data_dir=self.data_dir)
        )
        self._stack.enter_context(self._listener)
        self.servers.feed.run()
        eventually(lambda: self.app.get("/readyz")["ready"], "the relay is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.servers.feed.pause()
        self._stack.close()

    # -- faults

    def suffer(self, *faults: Fault, ticks: int = 500) -> Outcome:
        """Strike, go on for so many ticks and until the fault shows, heal; compare all that was sent with the store."""
        started = self._compared
        self.servers.feed.run()
        with self._struck(faults) as watch:
            self.stream(ticks)
            # Of several the first: who cannot reach Redis has nothing to try the store with.
            shown = faults[0].shown
            eventually(lambda: watch.shown(shown) or not shown, f"/readyz says {shown!r}, not only {list(watch.seen)}")
        healed, mark = time.monotonic(), self.servers.feed.sent
        with watch:
            eventually(lambda: self.stored() >= mark, f"{mark} rows are stored; {self.stored()} are", HEALING_S)
            eventually(watch.note, f"the relay is ready again, not {list(watch.seen)}", HEALING_S)
            recovered_s = time.monotonic() - healed
            self.settle()
        name = " + ".join(fault.name for fault in faults)
        sent = self._compared - started
        return Outcome(name, sent, sent, list(watch.seen), recovered_s)

    @contextmanager
    def _struck(self, faults: Sequence[Fault]) -> Iterator[Watch]:
        watch = Watch(self.app)
        with ExitStack() as stack:
            stack.enter_context(watch)
            for fault in faults:
                stack.callback(fault.heal, self.servers)
                fault.strike(self.servers)
            yield watch

    def stream(self, ticks: int) -> None:
        goal = self.servers.feed.sent + ticks
        eventually(lambda: self.servers.feed.sent >= goal, f"{ticks} more ticks are read by the relay")

    def stored(self) -> int:
        """Rows in the store; those that were compared are not counted again."""
        return self._compared + self.servers.count(self._last_id)

    def measure(self) -> Footprint:
        return footprint(self.app.process.pid)

    # -- the oracle

    def settle(self, refused: Sequence[Tick] = ()) -> None:
        """Nothing is sent any more, and all that was is where it belongs: once, in order; `refused` is not stored."""
        sent = self.servers.feed.pause()
        want = sent - len(refused)
        eventually(lambda: self.stored() >= want, f"{want} rows are stored; {self.stored()} are", HEALING_S)
        eventually(self._nothing_waits, "the outbox is empty")
        fresh = self.servers.feed.ticks(self._compared, sent)
        self._compare_store(fresh, refused)
        self._refused += len(refused)
        eventually(lambda: self._accounted(sent - self._started), "the ledger accounts for every tick")
        self._compared = sent
        self._compare_lists(fresh)
        assert not self._listener.disorder, self._listener.disorder[:5]

    def _compare_store(self, fresh: Sequence[Tick], refused: Sequence[Tick]) -> None:
        """Row by row: each tick once, under a uid of its own."""
        rows = self.servers.rows_after(self._last_id)
        self._last_id = rows[-1][0] if rows else self._last_id
        got = Counter((pair, ts_us, price.normalize()) for _, _, pair, ts_us, price in rows)
        want = Counter(tick.row for tick in fresh) - Counter(tick.row for tick in refused)
        assert got == want, f"missing {list((want - got).items())[:5]}, too many {list((got - want).items())[:5]}"
        assert len({uid for _, uid, *_ in rows}) == len(rows)

    def _compare_lists(self, fresh: Sequence[Tick]) -> None:
        """Each `ticks:*` is the newest ones, newest first."""
        for tick in fresh:
            self._live.setdefault(tick.asset, deque(maxlen=BUFFER)).append(tick)
        for asset, ticks in self._live.items():
            want = [(int(tick.row[1]), tick.row[2]) for tick in reversed(ticks)]
            eventually(lambda: self._listed(asset) == want, f"ticks:{asset} is the last {len(want)} ticks")  # noqa: B023

    def _listed(self, asset: str) -> list[Any]:
        """(ts_us, price) of the buffer's ticks; their numbers are without a hole."""
        items = [orjson.loads(item) for item in self.servers.admin.lrange(f"ticks:{asset}", 0, -1)]
        places = [(item["epoch"], item["seq"]) for item in items]
        assert places == sorted(set(places), reverse=True), f"ticks:{asset} is out of order"
        return [(round(item["timestamp"] * 1e6), Decimal(repr(item["price"])).normalize()) for item in items]

    def _nothing_waits(self) -> bool:
        return all(self.servers.admin.xlen(key) == 0 for key in self.servers.admin.scan_iter("tickwire:outbox:*"))

    def _accounted(self, ticks: int) -> bool:
        """Of all that was sent the ledger says what became of it: stored, or quarantined."""
        audited = audit(self.data_dir)
        total = {fate: sum(account.total(fate) for account in audited.accounts) for fate in FATES}
        pending = sum(account.pending for account in audited.accounts)
        assert audited.balanced, audited.as_dict()
        want = {"received": ticks, "parsed": ticks, "stored": ticks - self._refused, "quarantined": self._refused}
        return (total, pending) == (want, 0)

    def end(self) -> None:
        """An orderly stop, which leaves nothing behind and adds nothing."""
        self.settle()
        self.app.process.terminate()
        assert self.app.wait(15.0) == 0, self.app.logged()
        assert self.servers.count() - self._before == self._compared - self._started - self._refused
