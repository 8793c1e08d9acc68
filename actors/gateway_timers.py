"""Gateway's timers."""

from dataclasses import dataclass
from typing import Literal

from tickwire.actors.kernel.behaviour import Context

What = Literal["beat", "seed", "candles", "hole"]


@dataclass(frozen=True, slots=True)
class Due:
    """Own timer. One that comes again after a crash is not of this incarnation, which has timers of its own."""

    what: What
    incarnation: int
    asset: str = ""


class Timers:
    def __init__(self, context: Context) -> None:
        self._context = context

    def set(self, delay_s: float, what: What, asset: str = "") -> None:
        self._context.after(delay_s, Due(what, self._context.incarnation, asset))
