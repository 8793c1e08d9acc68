"""An actor's timer of which one runs at a time."""

from dataclasses import dataclass

from tickwire.actors.kernel.behaviour import Context, Timer


@dataclass(frozen=True, slots=True)
class GoOn:
    """OneTimer → its own actor: it is time."""

    turn: int
    incarnation: int


class OneTimer:
    """Tells its actor GoOn. One of before it was set anew or stopped, or of before a crash, is not due."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._turn = 0
        self._timer: Timer | None = None

    def set_now(self) -> None:
        """As soon as what is in the mailbox has been handled."""
        self.stop()
        self._context.me.tell(GoOn(self._turn, self._context.incarnation))

    def set(self, delay_s: float) -> None:
        self.stop()
        self._timer = self._context.after(delay_s, GoOn(self._turn, self._context.incarnation))

    def stop(self) -> None:
        self._turn += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def due(self, message: GoOn) -> bool:
        return message.turn == self._turn and message.incarnation == self._context.incarnation
