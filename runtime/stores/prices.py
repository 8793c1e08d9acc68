"""Prices as stores give them back."""

from decimal import Decimal


def plain(price: object) -> str:
    """Decimal text without exponent and without zeros at the end: numeric columns pad, old tables hold floats."""
    text = price if isinstance(price, str) else format(Decimal(repr(price)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
