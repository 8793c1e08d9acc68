"""Where an answer goes: the one thing a request carries that is not a plain value."""

from typing import Protocol


class ReplyTo(Protocol):
    """Anything that takes one message without blocking: an actor's address, or the edge's pending question."""

    def tell(self, message: object, /) -> object: ...
