"""What a good stamp, price and asset is. Bad input is a value (None), never an exception and never a guess."""

import re
from collections.abc import Sequence
from decimal import Decimal
from math import isnan
from typing import Any

ASSET = re.compile(r"[A-Za-z0-9#._/-]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,9})(\.[0-9]{1,10})?", re.ASCII)
_STAMP = re.compile(r"[0-9]{1,19}(\.[0-9]{1,9})?", re.ASCII)

MAX_SIGNIFICANT = 15
MAX_PRICE = 1e10
EARLIEST_US = 946_684_800_000_000
"""2000-01-01: a stamp before it means that the unit is in doubt."""
DAY_US = 86_400_000_000

US_PER_UNIT = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}

_SAFE_TEXT = 12  # a decimal text this short has neither over 10 decimals nor over 15 significant digits


def good_asset(value: object) -> bool:
    """Whether `value` is an asset's name: 1 to 20 of `A-Z a-z 0-9 # . _ / -`."""
    return type(value) is str and ASSET.fullmatch(value) is not None


def price_text(value: object) -> str | None:
    """A price as decimal text: the wire's own where it is a string, else `repr` of the number; None if refused.

    Refused: not a number, not positive, over 15 significant digits, over 10 decimals, 1e10 or more.
    """
    if type(value) is float:
        if not 0.0 < value < MAX_PRICE:
            return None
        text = repr(value)
        if "e" in text:
            text = format(Decimal(text), "f")
    elif type(value) is int:
        if not 0 < value < MAX_PRICE:
            return None
        text = repr(value)
    elif type(value) is str:
        text = value
    else:
        return None
    if _DECIMAL.fullmatch(text) is None or len(text) > 24:
        return None
    digits = text.replace(".", "").lstrip("0")
    return text if 0 < len(digits) <= MAX_SIGNIFICANT else None


def price_texts(values: Sequence[Any]) -> list[str] | None:
    """The texts of a whole column at once; None if any needs a look of its own (`price_text` gives it)."""
    if not set(map(type, values)) <= {float, int} or min(values) < 1e-4 or not max(values) < MAX_PRICE:
        return None
    if isnan(sum(values)):
        return None
    texts = list(map(repr, values))
    return texts if max(map(len, texts)) <= _SAFE_TEXT else None


def stamp_us(value: object, unit: str) -> tuple[int, str] | None:
    """A raw stamp as (whole µs of the source's clock, its text on the wire); None if it is no stamp at all."""
    if type(value) is str:
        if _STAMP.fullmatch(value) is None:
            return None
        return int(Decimal(value) * Decimal(str(US_PER_UNIT[unit]))), value
    if type(value) is int:
        return (_scaled(value, unit), repr(value)) if 0 < value < 10**20 else None
    if type(value) is float:
        return (_scaled(value, unit), repr(value)) if 0.0 < value < 1e20 else None
    return None


def stamps_us(values: Sequence[Any], unit: str) -> tuple[list[int], list[str]] | None:
    """A whole column of stamps at once; None if any needs a look of its own."""
    kinds = set(map(type, values))
    if not kinds <= {float, int} or not min(values) > 0 or not max(values) < 1e20 or isnan(sum(values)):
        return None
    if unit == "s":
        micros = [round(value * 1e6) for value in values] if kinds == {float} else [_scaled(v, unit) for v in values]
    else:
        micros = [_scaled(value, unit) for value in values]
    return micros, list(map(repr, values))


def _scaled(value: float, unit: str) -> int:
    if unit == "ns":
        return int(value) // 1000
    factor = US_PER_UNIT[unit]
    return value * int(factor) if type(value) is int else round(value * factor)
