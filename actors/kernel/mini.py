"""A supervisor of the least size: one_for_one restarts with backoff, on Pykka. To be replaced by the full kernel."""

import heapq
import itertools
import random as _random
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pykka
import structlog

from tickwire.actors.kernel.behaviour import Behaviour, Context, Factory, PutResult, ReplyTo, Waits

_log = structlog.get_logger("tickwire.kernel")


class KernelError(Exception):
    pass


class StartFailed(KernelError):
    pass


class AskTimeout(KernelError):
    pass


class AddressDead(KernelError):
    pass


class UnknownAddress(KernelError):
    pass


class Fenced(KernelError):
    pass


class InjectedCrash(KernelError):
    pass


@dataclass(frozen=True, kw_only=True)
class MailboxSpec:
    capacity: int | None = None
    overflow: str = "reject"
    high: int | None = None
    low: int | None = None
    weigh: Callable[[object], int] = lambda _m: 1


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    id: str
    factory: Factory
    restart: str = "permanent"
    shutdown_s: float = 5.0
    start_deadline_s: float = 10.0
    hang_after_s: float | None = None
    mailbox: MailboxSpec = field(default_factory=MailboxSpec)
    max_crashes_per_message: int = 1
    collect_s: float = 0.0
    longest_call_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Backoff:
    min_s: float = 0.2
    max_s: float = 30.0
    random_factor: float = 0.2
    reset_after_s: float = 30.0


@dataclass(frozen=True, kw_only=True)
class SupervisorSpec:
    strategy: str = "one_for_one"
    intensity: int = 10
    period_s: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, kw_only=True)
class ChildState:
    id: str
    state: str
    incarnation: int
    restarts: int
    last_error: str | None
    mailbox_depth: int
    oldest_age_s: float


class _Mailbox:
    def __init__(self, name: str, spec: MailboxSpec) -> None:
        self.name = name
        self.spec = spec
        self.data: deque[object] = deque()
        self.control: deque[object] = deque()
        self.lock = threading.Lock()
        self.weight = 0
        self.congested = False
        self.closed = False
        self.wake: Callable[[], None] = lambda: None
        self.listeners: list[Callable[[str, bool], None]] = []
        self.urgent = threading.Event()

    def put(self, message: object, control: bool) -> PutResult:
        crossed = False
        with self.lock:
            if self.closed:
                return PutResult.DROPPED_CLOSED
            empty = not self.data and not self.control
            if control:
                self.control.append(message)
                self.urgent.set()
            else:
                self.data.append(message)
                self.weight += self.spec.weigh(message)
                if self.spec.high is not None and not self.congested and self.weight > self.spec.high:
                    self.congested = crossed = True
        if empty:
            self.wake()
        if crossed:
            for listener in list(self.listeners):
                listener(self.name, True)
        return PutResult.ACCEPTED

    def drain(self) -> list[object]:
        crossed = False
        with self.lock:
            batch = [*self.control, *self.data]
            self.control.clear()
            self.data.clear()
            self.urgent.clear()
            self.weight = 0
            if self.congested:
                self.congested = False
                crossed = True
        if crossed:
            for listener in list(self.listeners):
                listener(self.name, False)
        return batch


class _Reply:
    def __init__(self) -> None:
        self.event = threading.Event()
        self.answer: Any = None

    def tell(self, message: object, /) -> object:
        self.answer = message
        self.event.set()
        return None


class _Address:
    def __init__(self, mailbox: _Mailbox) -> None:
        self._mailbox = mailbox
        self.name = mailbox.name

    @property
    def congested(self) -> bool:
        return self._mailbox.congested

    def tell(self, message: object, /, *, control: bool = False) -> PutResult:
        return self._mailbox.put(message, control)

    def ask(self, build: Callable[[ReplyTo], object], *, timeout_s: float, control: bool = False) -> Any:
        reply = _Reply()
        if self.tell(build(reply), control=control) is PutResult.DROPPED_CLOSED:
            raise AddressDead(self.name)
        if not reply.event.wait(timeout_s):
            raise AskTimeout(f"{self.name} did not answer within {timeout_s} s")
        return reply.answer

    def watch(self, listener: Callable[[str, bool], None], /) -> Callable[[], None]:
        self._mailbox.listeners.append(listener)
        return lambda: self._mailbox.listeners.remove(listener)


class _Timers(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True, name="kernel-timers")
        self.heap: list[tuple[float, int, "_Timer"]] = []
        self.condition = threading.Condition()
        self.count = itertools.count()
        self.over = False

    def after(self, delay: float, act: Callable[[], object]) -> "_Timer":
        timer = _Timer(act)
        with self.condition:
            heapq.heappush(self.heap, (time.monotonic() + delay, next(self.count), timer))
            self.condition.notify()
        return timer

    def run(self) -> None:
        while True:
            with self.condition:
                if self.over:
                    return
                if not self.heap:
                    self.condition.wait()
                    continue
                due = self.heap[0][0] - time.monotonic()
                if due > 0:
                    self.condition.wait(due)
                    continue
                timer = heapq.heappop(self.heap)[2]
            if not timer.cancelled:
                timer.act()

    def end(self) -> None:
        with self.condition:
            self.over = True
            self.condition.notify()


class _Timer:
    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class _Fence:
    closed = False

    def check(self) -> None:
        if self.closed:
            raise Fenced


class _Context:
    def __init__(self, supervisor: "Supervisor", child: "_Child", incarnation: int) -> None:
        self._supervisor = supervisor
        self.id = child.spec.id
        self.incarnation = incarnation
        self.me = child.address
        self.fence = _Fence()
        self.over = False

    def address(self, name: str) -> _Address:
        return self._supervisor.address(name)

    def after(self, delay_s: float, message: object) -> _Timer:
        return self._supervisor.timers.after(delay_s, lambda: None if self.over else self.me.tell(message))

    def guard(self, shut: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class _Shell(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, child: "_Child", incarnation: int) -> None:
        super().__init__()
        self.child = child
        self.incarnation = incarnation
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self.behaviour: Behaviour | None = None
        self.done = threading.Event()
        self.ending = False
        self.waits = False

    def on_start(self) -> None:
        child = self.child
        try:
            self.context: Context = _Context(child.supervisor, child, self.incarnation)  # type: ignore[assignment]
            self.behaviour = child.spec.factory(self.context)
            self.behaviour.open()
            self.waits = isinstance(self.behaviour, Waits)
        except BaseException as error:
            self._die(error)
            return
        child.mailbox.wake = self.behaviour.wake if self.waits else lambda: self.actor_ref.tell(0)
        self.ready.set()
        self.actor_ref.tell(0)

    def on_receive(self, message: Any) -> Any:
        if self.done.is_set() or self.behaviour is None:
            return
        mailbox = self.child.mailbox
        try:
            if self.child.crash_next:
                self.child.crash_next = False
                raise InjectedCrash(self.child.spec.id)
            if self.child.spec.collect_s and not self.ending:
                mailbox.urgent.wait(self.child.spec.collect_s)
            if self.ending:
                self._close()
                return
            batch = mailbox.drain()
            if batch or self.waits:
                self._batch = batch
                self.behaviour.step(batch)
                self._batch = []
            if self.waits and not self.ending:
                self.behaviour.wait()  # type: ignore[attr-defined]
                self.actor_ref.tell(0)
            elif self.waits:
                self.actor_ref.tell(0)
        except BaseException as error:
            with mailbox.lock:
                mailbox.data.extendleft(reversed(self._batch))
            self._die(error)

    _batch: list[object] = []

    def _close(self) -> None:
        self.context.over = True  # type: ignore[attr-defined]
        try:
            assert self.behaviour is not None
            self.behaviour.close()
        except BaseException as error:
            self.error = error
            _log.error("close_failed", child=self.child.spec.id, error=repr(error), exc_info=True)
        self.done.set()
        self.stop()

    def _die(self, error: BaseException) -> None:
        self.error = error
        _log.error("actor_died", child=self.child.spec.id, trace=traceback.format_exc())
        if hasattr(self, "context"):
            self.context.over = True  # type: ignore[attr-defined]
        try:
            if self.behaviour is not None:
                self.behaviour.close()
        except BaseException as second:
            _log.error("close_failed", child=self.child.spec.id, error=repr(second))
        self.done.set()
        self.ready.set()
        self.child.mailbox.wake = lambda: None
        self.child.supervisor.died(self.child, self, error)
        self.stop()


class _Child:
    def __init__(self, supervisor: "Supervisor", spec: ChildSpec) -> None:
        self.supervisor = supervisor
        self.spec = spec
        self.mailbox = _Mailbox(spec.id, spec.mailbox)
        self.address = _Address(self.mailbox)
        self.incarnation = 0
        self.restarts = 0
        self.last_error: str | None = None
        self.state = "stopped"
        self.shell: Any = None
        self.ref: Any = None
        self.crash_next = False


class Supervisor:
    def __init__(
        self,
        spec: SupervisorSpec,
        children: Sequence[ChildSpec],
        *,
        on_failure: Callable[[BaseException], None] | None = None,
        name: str = "root",
    ) -> None:
        self.spec = spec
        self.children = {child.id: _Child(self, child) for child in children}
        self.timers = _Timers()
        self.failed = threading.Event()
        self.failure: BaseException | None = None
        self.on_failure = on_failure
        self.stopping = False
        self.deaths: deque[float] = deque()
        self.lock = threading.RLock()

    def address(self, name: str) -> _Address:
        try:
            return self.children[name].address
        except KeyError:
            raise UnknownAddress(name) from None

    def start(self, timeout_s: float = 30.0) -> None:
        self.timers.start()
        for child in self.children.values():
            self._launch(child)
            shell = child.shell
            if not shell.ready.wait(child.spec.start_deadline_s) or shell.error is not None:
                self.stop()
                raise StartFailed(f"{child.spec.id}: {shell.error}") from shell.error

    def _launch(self, child: _Child) -> None:
        child.incarnation += 1
        child.state = "running"
        child.ref = _Shell.start(child, child.incarnation)
        child.shell = child.ref._actor_weakref() if hasattr(child.ref, "_actor_weakref") else child.ref._actor

    def died(self, child: _Child, shell: _Shell, error: BaseException) -> None:
        with self.lock:
            child.last_error = repr(error)
            child.state = "restarting"
            if self.stopping or child.incarnation == 1 and not shell.behaviour:
                return
            now = time.monotonic()
            self.deaths.append(now)
            while self.deaths and self.deaths[0] < now - self.spec.period_s:
                self.deaths.popleft()
            if len(self.deaths) > self.spec.intensity:
                self.failure = error
                self.failed.set()
                if self.on_failure:
                    self.on_failure(error)
                return
            child.restarts += 1
            self.timers.after(self.spec.backoff.min_s * (1 + _random.random() * 0.2), lambda: self._again(child))

    def _again(self, child: _Child) -> None:
        with self.lock:
            if not self.stopping:
                self._launch(child)

    def stop(self, timeout_s: float = 8.0) -> None:
        with self.lock:
            self.stopping = True
        for child in reversed(list(self.children.values())):
            shell = child.shell
            if shell is None or shell.done.is_set():
                continue
            shell.ending = True
            child.mailbox.urgent.set()
            child.mailbox.wake()
            if not shell.waits:
                child.ref.tell(0)
            shell.done.wait(child.spec.shutdown_s)
            child.state = "stopped"
            with child.mailbox.lock:
                child.mailbox.closed = True
        self.timers.end()

    def states(self) -> list[ChildState]:
        return [
            ChildState(
                id=c.spec.id,
                state=c.state,
                incarnation=c.incarnation,
                restarts=c.restarts,
                last_error=c.last_error,
                mailbox_depth=len(c.mailbox.data),
                oldest_age_s=0.0,
            )
            for c in self.children.values()
        ]

    def crash(self, name: str) -> None:
        child = self.children[name]
        child.crash_next = True
        child.mailbox.wake()
