"""What the HTTP routes are given, and how they ask actors."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tickwire.actors.kernel import ChildState
from tickwire.actors.kernel.behaviour import PutResult
from tickwire.actors.ports import Clock
from tickwire.messages.addressing import ReplyTo
from tickwire.messages.clients import StateAnswered, StateRequested
from tickwire.runtime.audit import Audit

ANSWER_S = 5.0
"""A question about the present; the gateway's actor answers it from memory."""
HISTORY_S = 8.0
"""A question about the past, which may have to be read from the store; our own clients wait for 10 s."""

T = TypeVar("T")
Tell = Callable[[object], PutResult]


class Unanswered(Exception):
    """An actor did not answer in time; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The relay as its HTTP sees it."""

    gateway: Tell
    cache: Tell
    monitor: Tell
    """The actor that reads Redis' INFO."""
    metrics: Callable[[], bytes]
    """Prometheus' text; called in a worker thread."""
    actors: Callable[[], Sequence[ChildState]]
    audit: Callable[[int, str | None], Audit]
    """From a second UTC on, of an asset or all; reads files: called in a worker thread."""
    clock: Clock
    version: str

    async def state(self) -> StateAnswered:
        return expect(await ask(self.gateway, "gateway", lambda to: StateRequested(reply_to=to)), StateAnswered)


class _Reply:
    """Completes a future of the loop from an actor's thread."""

    def __init__(self, future: "asyncio.Future[object]") -> None:
        self._future = future
        self._loop = future.get_loop()

    def tell(self, message: object, /) -> object:
        try:
            self._loop.call_soon_threadsafe(self._complete, message)
        except RuntimeError:
            return PutResult.DROPPED_CLOSED  # the loop has ended, and the question with it
        return PutResult.ACCEPTED

    def _complete(self, message: object) -> None:
        if not self._future.done():
            self._future.set_result(message)


async def ask(tell: Tell, who: str, build: Callable[[ReplyTo], object], *, timeout_s: float = ANSWER_S) -> object:
    """Tell `build(reply_to)` and wait for the one answer. Raises Unanswered."""
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    if tell(build(_Reply(future))) is not PutResult.ACCEPTED:
        raise Unanswered(f"the {who} takes no more questions now")
    try:
        async with asyncio.timeout(timeout_s):
            return await future
    except TimeoutError as error:
        raise Unanswered(f"the {who} did not answer within {timeout_s:.0f} s") from error


def expect(answer: object, kind: type[T]) -> T:
    """The answer, of this kind. Raises Unanswered."""
    if not isinstance(answer, kind):
        raise Unanswered(f"the answer was {type(answer).__name__}, not {kind.__name__}")
    return answer
