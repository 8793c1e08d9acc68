"""Supervised actors on Pykka: mailboxes and addresses that outlive incarnations, restarts, timers."""

from tickwire.actors.kernel.behaviour import Address, Behaviour, Context, PutResult, ReplyTo
from tickwire.actors.kernel.mini import (
    AddressDead,
    AskTimeout,
    Backoff,
    ChildSpec,
    ChildState,
    Fenced,
    MailboxSpec,
    StartFailed,
    Supervisor,
    SupervisorSpec,
    UnknownAddress,
)

__all__ = [
    "Address",
    "AddressDead",
    "AskTimeout",
    "Backoff",
    "Behaviour",
    "ChildSpec",
    "ChildState",
    "Context",
    "Fenced",
    "MailboxSpec",
    "PutResult",
    "ReplyTo",
    "StartFailed",
    "Supervisor",
    "SupervisorSpec",
    "UnknownAddress",
]
