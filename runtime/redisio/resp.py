"""Commands as bytes, replies as answers."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import hiredis

from tickwire.runtime.redisio.faults import refusal

Argument = str | bytes | int


def pack(*arguments: Argument) -> bytes:
    """One command as RESP."""
    return cast(bytes, hiredis.pack_command(arguments))  # type: ignore[arg-type]  # its stub takes a tuple of one


def array_head(length: int) -> bytes:
    """The head of a command of so many arguments, for those that are joined rather than packed."""
    return b"*%d\r\n" % length


def bulks(*arguments: Argument) -> bytes:
    """Arguments as RESP bulk strings, without the command's head."""
    packed = pack(*arguments)
    return packed[packed.index(b"\n") + 1 :]


def first_error(replies: Iterable[Any]) -> hiredis.ReplyError | None:
    """The first error reply, also inside EXEC's arrays."""
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            return reply
        if isinstance(reply, list):
            inner = first_error(reply)
            if inner is not None:
                return inner
    return None


def check(replies: Sequence[Any]) -> None:
    """Raise RedisRefused for the first error reply."""
    error = first_error(replies)
    if error is not None:
        raise refusal(error) from error


def text(reply: bytes | None) -> str | None:
    """A bulk string as text; None stays None."""
    return None if reply is None else reply.decode()
