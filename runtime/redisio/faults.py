"""Names for what goes wrong with Redis, the same in link states, errors, logs and on the page."""

import socket
import ssl
from collections.abc import Iterator

import hiredis
import redis.exceptions

from tickwire.actors.ports import RedisRefused

DOWN = "down"
TIMEOUT = "timeout"
OTHER = "other"

_BY_PREFIX = {
    "LOADING": "loading",
    "READONLY": "read-only",
    "OOM": "out of memory",
    "MISCONF": "misconf",
    "WRONGPASS": "wrong password",
    "NOAUTH": "wrong password",
    "NOPERM": "no permission",
}
_BY_PART = {
    "max number of clients": "max clients",
    "invalid password": "wrong password",
    "without any password configured": "wrong password",
}
_BY_CLASS: tuple[tuple[type[BaseException], str], ...] = (
    (redis.exceptions.TimeoutError, TIMEOUT),
    (TimeoutError, TIMEOUT),
    (redis.exceptions.BusyLoadingError, "loading"),
    (redis.exceptions.AuthenticationError, "wrong password"),
    (redis.exceptions.NoPermissionError, "no permission"),
    (socket.gaierror, "unknown host"),
    (ssl.SSLError, "no TLS"),
)


def kind_of(answer: str) -> str:
    """The fault that the text of an error reply names; `other` for one without a name here."""
    answer = answer.removeprefix("EXECABORT Transaction discarded because of: ")
    kind = _BY_PREFIX.get(answer.partition(" ")[0])
    if kind is not None:
        return kind
    lower = answer.lower()
    return next((kind for part, kind in _BY_PART.items() if part in lower), OTHER)


def refusal(error: hiredis.ReplyError) -> RedisRefused:
    """An error reply as what actors are told."""
    answer = str(error)
    return RedisRefused(kind_of(answer), answer)


def detail_of(error: BaseException) -> str:
    """What a link that could not connect, or was cut, is said to suffer from."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate refused: {cause.verify_message}"
        for known, detail in _BY_CLASS:
            if isinstance(cause, known):
                return detail
    kind = kind_of(str(error))
    if kind != OTHER:
        return kind
    # redis-py's ResponseError and ours: the server spoke, and said something without a name here.
    answered = isinstance(error, redis.exceptions.ResponseError | hiredis.ReplyError)
    return f"refused: {error}" if answered else DOWN


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
