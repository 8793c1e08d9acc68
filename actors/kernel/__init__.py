"""Supervised actors on Pykka: mailboxes and addresses that outlive incarnations, restarts, timers.

Generic: it knows nothing of what its actors do. `docs/supervision.md` says what it promises.
"""

from tickwire.actors.kernel.behaviour import Address, Behaviour, Context, PutResult, ReplyTo
from tickwire.actors.kernel.child import ChildState
from tickwire.actors.kernel.dead_letters import DeadLetter
from tickwire.actors.kernel.errors import (
    ActorDone,
    AddressDead,
    AskTimeout,
    Fenced,
    KernelError,
    SpecError,
    StartFailed,
    SupervisorFailed,
    TooManyRestarts,
    TooManyZombies,
    UnknownAddress,
)
from tickwire.actors.kernel.specs import Backoff, ChildSpec, MailboxSpec, SubtreeSpec, SupervisorSpec
from tickwire.actors.kernel.stepped import Stepped
from tickwire.actors.kernel.supervisor import Supervisor
from tickwire.actors.kernel.threads import Threads

__all__ = [
    "ActorDone",
    "Address",
    "AddressDead",
    "AskTimeout",
    "Backoff",
    "Behaviour",
    "ChildSpec",
    "ChildState",
    "Context",
    "DeadLetter",
    "Fenced",
    "KernelError",
    "MailboxSpec",
    "PutResult",
    "ReplyTo",
    "SpecError",
    "StartFailed",
    "Stepped",
    "SubtreeSpec",
    "Supervisor",
    "SupervisorFailed",
    "SupervisorSpec",
    "Threads",
    "TooManyRestarts",
    "TooManyZombies",
    "UnknownAddress",
]
