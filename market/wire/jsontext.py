"""JSON from a venue, read so that one bad value costs that value and not the frame around it.

orjson reads nearly everything. What it refuses as a whole (NaN, 1e999, lone surrogates, bytes that are no UTF-8) is
read again by the standard library, with such values in place for the checks further on to refuse one by one. An object
that names a key twice means two things at once and is replaced by `AMBIGUOUS`.
"""

import json
import re
import reprlib
from typing import Any, Final

import orjson

from tickwire.market.wire import SAMPLE_BYTES, Malformed

LENIENT_MAX = 1024 * 1024
"""Bytes of a bad frame that are still read leniently: the standard library is slow, and a bad frame may be hostile."""


class _Ambiguous:
    """The type of AMBIGUOUS: neither list nor object nor text nor number."""

    def __repr__(self) -> str:
        return "AMBIGUOUS"


AMBIGUOUS: Final = _Ambiguous()
"""In place of an object with a key given twice."""

_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')
_INTEGER_DIGITS = 19


def read_json(payload: bytes) -> Any:
    """The value; NaN, infinities and lone surrogates may be in it. Raises ValueError where it is no JSON at all."""
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _read_leniently(payload)
    if b"{" in payload and not _keys_are_unique(payload, value):
        return _read_leniently(payload)
    return value


def malformed(reason: str, sample: object, count: int = 1) -> Malformed:
    """A Malformed with a bounded sample: bytes as they came, any other value as JSON, or as Python writes it."""
    if type(sample) is not bytes:
        try:
            sample = orjson.dumps(sample)
        except TypeError:  # AMBIGUOUS, a lone surrogate, deep nesting: nothing that orjson writes
            sample = reprlib.repr(sample).encode("utf-8", "backslashreplace")
    return Malformed(reason, sample[:SAMPLE_BYTES], count)


def event_name(name: object) -> str:
    """A name for counting: bounded, printable."""
    if type(name) is not str or not name:
        return "unnamed"
    return name[:64] if name.isprintable() else "unprintable"


def _keys_are_unique(payload: bytes, value: Any) -> bool:
    """Whether no object in it names a key twice.

    With no space before any colon each pair has one `":`, and text can only add to their number: as many as there
    are keys means that no pair is missing.
    """
    if payload.count(b'":') != _count_keys(value):
        return False
    return _SPACED_COLON.search(payload) is None


def _count_keys(value: Any) -> int:
    count = 0
    waiting = [value]
    while waiting:  # not recursive: a venue may nest as deep as orjson reads
        each = waiting.pop()
        if type(each) is dict:
            count += len(each)
            waiting.extend(part for part in each.values() if type(part) in (dict, list))
        elif type(each) is list:
            waiting.extend(part for part in each if type(part) in (dict, list))
    return count


def _read_leniently(payload: bytes) -> Any:
    if len(payload) > LENIENT_MAX:
        raise ValueError(f"{len(payload)} bytes that are no JSON as a whole")
    text = payload.decode("utf-8", "surrogateescape")
    try:
        return json.loads(text, strict=False, object_pairs_hook=_object, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _object(pairs: list[tuple[str, Any]]) -> Any:
    keyed = dict(pairs)
    return keyed if len(keyed) == len(pairs) else AMBIGUOUS


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _INTEGER_DIGITS else float(digits)
