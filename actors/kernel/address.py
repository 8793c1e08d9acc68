"""Addresses: the only way to reach an actor. Asking, for the edge, with answers that can't fail to come silently."""

import threading
from collections.abc import Callable
from typing import Any

from tickwire.actors.kernel.behaviour import PutResult, ReplyTo
from tickwire.actors.kernel.errors import AddressDead, AskTimeout
from tickwire.actors.kernel.mailbox import Congestion, Dropped, Mailbox
from tickwire.actors.kernel.ports import Flag


class _Reply:
    """One answer, to be waited for. The first to come is it."""

    def __init__(self, flag: Flag) -> None:
        self._flag = flag
        self._lock = threading.Lock()
        self.answer: Any = None
        self.dead = ""

    def tell(self, message: object, /) -> object:
        with self._lock:
            if not self._flag.is_set():
                self.answer = message
                self._flag.set()
        return None

    def fail(self, reason: str) -> None:
        with self._lock:
            if not self._flag.is_set():
                self.dead = reason
                self._flag.set()

    def wait(self, timeout_s: float) -> bool:
        return self._flag.wait(timeout_s)


class Asks:
    """Questions without an answer so far. One that lands in the dead letters, or whose actor ends, is failed."""

    def __init__(self, flag: Callable[[], Flag]) -> None:
        self._flag = flag
        self._lock = threading.Lock()
        self._open: dict[_Reply, tuple[object, str]] = {}

    def ask(
        self, mailbox: Mailbox, build: Callable[[ReplyTo], object], *, timeout_s: float, control: bool = False
    ) -> Any:
        reply = _Reply(self._flag())
        message = build(reply)
        with self._lock:
            self._open[reply] = (message, mailbox.name)
        try:
            if mailbox.put(message, control) is not PutResult.ACCEPTED:
                reply.fail("it takes no message: its mailbox is full or closed")
            if not reply.wait(timeout_s):
                raise AskTimeout(f"{mailbox.name} did not answer within {timeout_s} s")
        finally:
            with self._lock:
                del self._open[reply]
        if reply.dead:
            raise AddressDead(f"{mailbox.name} will never answer: {reply.dead}")
        return reply.answer

    def lost(self, message: object) -> None:
        """Nobody will take this message."""
        if self._open:
            self._fail(lambda question, _name: question is message, "the question went to the dead letters")

    def ended(self, name: str) -> None:
        """The actor of this name has ended for good."""
        self._fail(lambda _question, recipient: recipient == name, "the actor has ended")

    def _fail(self, concerned: Callable[[object, str], bool], reason: str) -> None:
        with self._lock:
            replies = [reply for reply, (message, name) in self._open.items() if concerned(message, name)]
        for reply in replies:
            reply.fail(reason)


class MailAddress:
    """`Address` for the edge and for whoever outlives incarnations."""

    def __init__(self, mailbox: Mailbox, asks: Asks) -> None:
        self._mailbox = mailbox
        self._asks = asks
        self.name = mailbox.name

    @property
    def congested(self) -> bool:
        return self._mailbox.congested

    def tell(self, message: object, /, *, control: bool = False) -> PutResult:
        return self._mailbox.put(message, control)

    def ask(self, build: Callable[[ReplyTo], object], *, timeout_s: float, control: bool = False) -> Any:
        return self._asks.ask(self._mailbox, build, timeout_s=timeout_s, control=control)

    def watch(self, listener: Congestion, /) -> Callable[[], None]:
        return self._mailbox.watch(listener)

    def __repr__(self) -> str:
        return f"<address of {self.name}>"


class Gate:
    """Open until its incarnation is fenced; a fence and the addresses behind it share one."""

    __slots__ = ("closed",)

    def __init__(self) -> None:
        self.closed = False


class GatedAddress(MailAddress):
    """`Address` as one incarnation holds it: once that is fenced, it reaches nobody."""

    def __init__(
        self,
        mailbox: Mailbox,
        asks: Asks,
        gate: Gate,
        *,
        refused: Dropped,
        on_watch: Callable[[Callable[[], None]], None],
    ) -> None:
        super().__init__(mailbox, asks)
        self._gate = gate
        self._refused = refused
        self._on_watch = on_watch

    def tell(self, message: object, /, *, control: bool = False) -> PutResult:
        if self._gate.closed:
            self._refused(self.name, "fenced", (message,))
            return PutResult.DROPPED_CLOSED
        return self._mailbox.put(message, control)

    def ask(self, build: Callable[[ReplyTo], object], *, timeout_s: float, control: bool = False) -> Any:
        if self._gate.closed:
            raise AddressDead(f"{self.name} is not to be asked by an incarnation that is fenced")
        return super().ask(build, timeout_s=timeout_s, control=control)

    def watch(self, listener: Congestion, /) -> Callable[[], None]:
        undo = super().watch(listener)
        self._on_watch(undo)
        return undo
