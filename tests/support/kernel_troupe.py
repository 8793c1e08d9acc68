"""Actors to be supervised: they do what messages say, and everything that happens is written into one journal.

troupe = Troupe()                                   # Stepped(): nothing happens by itself
kernel = troupe.kernel([troupe.child("a"), troupe.child("b")], intensity=2)
kernel.start()
troupe.tell("a", Crash())
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tickwire.actors.kernel import (
    ActorDone,
    Backoff,
    ChildSpec,
    ChildState,
    Context,
    MailboxSpec,
    ReplyTo,
    Stepped,
    Supervisor,
    SupervisorSpec,
)
from tickwire.actors.kernel.ports import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    error: BaseException = field(default_factory=lambda: ValueError("a bug"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """End normally."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    reply_to: ReplyTo
    about: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run something in the actor's step."""

    act: Callable[["Actor"], object]


class Actor:
    def __init__(self, context: Context, troupe: "Troupe") -> None:
        self.context = context
        self.troupe = troupe
        self.thread = threading.get_ident()

    def note(self, what: str) -> None:
        self.troupe.journal.append((what, self.context.id, self.context.incarnation))

    def open(self) -> None:
        self.note("open")
        self.troupe.on_open[self.context.id](self)
        self.troupe.actors[self.context.id] = self

    def step(self, batch: Sequence[object]) -> None:
        id = self.context.id
        self.troupe.batches[id].append(list(batch))
        for place, message in enumerate(batch, 1):
            match message:
                case Crash():
                    raise message.error
                case Finish():
                    raise ActorDone(batch[place:])
                case Question():
                    message.reply_to.tell((id, self.context.incarnation, message.about))
                case Run():
                    message.act(self)
            self.troupe.handled[id].append(message)

    def close(self) -> None:
        self.note("close")
        self.troupe.on_close[self.context.id](self)


def refuse(_actor: Actor) -> None:
    """For `on_open` and `on_close`."""
    raise OSError("refused")


class Troupe:
    def __init__(self, runtime: Runtime | None = None) -> None:
        self.stepped = runtime if isinstance(runtime, Stepped) else Stepped()
        self.runtime: Runtime = runtime or self.stepped
        self.journal: list[tuple[str, str, int]] = []
        self.handled: dict[str, list[object]] = defaultdict(list)
        self.batches: dict[str, list[list[object]]] = defaultdict(list)
        self.actors: dict[str, Actor] = {}
        """The latest of each id."""
        self.on_open: dict[str, Callable[[Actor], object]] = defaultdict(lambda: lambda _actor: None)
        self.on_close: dict[str, Callable[[Actor], object]] = defaultdict(lambda: lambda _actor: None)
        self.supervisor: Supervisor
        self.failures: list[BaseException] = []

    def child(self, id: str, **settings: Any) -> ChildSpec:
        settings.setdefault("shutdown_s", 1.0)
        settings.setdefault("mailbox", MailboxSpec())
        return ChildSpec(id=id, factory=lambda context: Actor(context, self), **settings)

    def kernel(
        self,
        children: Sequence[Any],
        *,
        strategy: Any = "one_for_one",
        intensity: int = 5,
        period_s: float = 60.0,
        backoff: Backoff | None = None,
        **more: Any,
    ) -> Supervisor:
        spec = SupervisorSpec(
            strategy=strategy, intensity=intensity, period_s=period_s, backoff=backoff or Backoff(random_factor=0.0)
        )
        self.supervisor = Supervisor(
            spec, children, runtime=self.runtime, on_failure=self.failures.append, random=Random(7), **more
        )
        return self.supervisor

    def tell(self, id: str, *messages: object) -> None:
        """Tell, and let everything happen that happens without the clock."""
        address = self.supervisor.address(id)
        for message in messages:
            address.tell(message)
        self.stepped.run()

    def crash(self, id: str) -> None:
        self.tell(id, Crash())

    def advance(self, seconds: float) -> None:
        self.stepped.advance(seconds)

    def ask(self, id: str, about: object = None, *, timeout_s: float = 10.0) -> Any:
        return self.supervisor.address(id).ask(
            lambda reply_to: Question(reply_to=reply_to, about=about), timeout_s=timeout_s
        )

    def state(self, id: str) -> ChildState:
        return next(state for state in self.supervisor.states() if state.id == id)

    def incarnation(self, id: str) -> int:
        return self.state(id).incarnation

    def events(self, what: str) -> list[str]:
        """To whom something happened, in order."""
        return [id for event, id, _ in self.journal if event == what]
