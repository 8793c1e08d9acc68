"""What a behaviour is given and what it gives: the whole surface between the kernel and its users.

A *behaviour* is built by a factory in its own thread at each start (an *incarnation*) and stepped by the
kernel, by a test or by a simulation alike. It speaks to peers through addresses only.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol, runtime_checkable


class PutResult(Enum):
    """What became of a message on its way into a mailbox."""

    ACCEPTED = "accepted"
    DROPPED_FULL = "dropped_full"
    DROPPED_CLOSED = "dropped_closed"


class ReplyTo(Protocol):
    """Takes an answer without blocking."""

    def tell(self, message: object, /) -> object: ...


class Address(Protocol):
    """A peer by name. It outlives the peer's incarnations; telling never blocks."""

    @property
    def name(self) -> str: ...

    @property
    def congested(self) -> bool:
        """Whether the mailbox is above its high watermark and has not yet fallen below the low one."""

    def tell(self, message: object, /, *, control: bool = False) -> PutResult:
        """Put `message` into the peer's mailbox; the control lane overtakes data."""

    def ask(self, build: Callable[[ReplyTo], object], *, timeout_s: float, control: bool = False) -> Any:
        """For the edge only: tell `build(reply_to)` and wait for one answer.

        Raises `AskTimeout` after `timeout_s`, `AddressDead` at once where nobody will ever answer.
        """

    def watch(self, listener: Callable[[str, bool], None], /) -> Callable[[], None]:
        """Call `listener(name, congested)` at each crossing of a watermark, in the crossing thread; returns an undo."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Fence(Protocol):
    """Closed for good when the supervisor has given an incarnation up as hung."""

    @property
    def closed(self) -> bool: ...

    def check(self) -> None:
        """Raise `Fenced` if closed: call it before every write to the outside."""


class Context(Protocol):
    """What the kernel gives each incarnation; valid in its own thread, except where said."""

    @property
    def id(self) -> str: ...

    @property
    def incarnation(self) -> int:
        """1 at the first start, +1 at each restart."""

    @property
    def me(self) -> Address:
        """The own address: adapters' threads tell it (any thread)."""

    @property
    def fence(self) -> Fence: ...

    def address(self, name: str) -> Address:
        """A peer's address, whether it has started or not; raises `UnknownAddress` for a name no spec has."""

    def after(self, delay_s: float, message: object) -> Timer:
        """Tell `me` the message after `delay_s` (monotonic), unless cancelled or this incarnation ended."""

    def guard(self, shut: Callable[[], None]) -> Callable[[], None]:
        """Register a way to free this thread from a blocking call (shut a socket); called if it hangs. Returns undo."""


class Behaviour(Protocol):
    """An actor's conduct. All three run in the actor's own thread, never two at once."""

    def open(self) -> None:
        """Make own connections. Being unable to reach the outside is no failure; a raise here is `start_failed`."""

    def step(self, batch: Sequence[object]) -> None:
        """Handle everything drained from the mailbox, oldest first, control messages before data.

        What was in flight at a raise comes again, one message at a time. Raise `ActorDone` to end normally.
        """

    def close(self) -> None:
        """Release what `open` made; idempotent; runs on stop and on failure."""


@runtime_checkable
class Waits(Protocol):
    """A behaviour that waits on something of its own besides its mailbox (a socket, through a selector)."""

    def wait(self) -> None:
        """Block until there is something to do; called between steps, counts as idle. After it, `step` runs."""

    def wake(self) -> None:
        """End a `wait` under way or the next one; any thread; never blocks. The mailbox calls it on a put."""


Factory = Callable[[Context], Behaviour]
