"""What decoders have in common whose venue is told once, on connect, what is wanted of it, and then sends JSON."""

from collections.abc import Sequence

from tickwire.market.wire import Event, Frame, Opened, Send

SILENCE_LIMIT_S = 60.0


class ToldOnce:
    """A `Decoder` but for `receive`. The session is open with the first frame."""

    def __init__(self, subscribe: str | None) -> None:
        """`subscribe` is sent on connect."""
        self._subscribe = subscribe
        self._opened = False

    @property
    def silence_limit_s(self) -> float:
        return SILENCE_LIMIT_S

    def greeting(self) -> Sequence[Send]:
        return (Send(self._subscribe),) if self._subscribe else ()

    def due(self, now: float) -> Sequence[Send]:
        return ()

    def subscribe(self, asset: str) -> Sequence[Send]:
        """All was said at the start."""
        return ()

    def unsubscribe(self, asset: str) -> Sequence[Send]:
        return ()

    def _open(self, frames: Sequence[Frame]) -> list[Event]:
        """That the session is open, if these are the first frames."""
        if not frames or self._opened:
            return []
        self._opened = True
        return [Opened()]
