"""tickwire relays market ticks in real time and loses nothing it accepted.

    from tickwire import Relay, Settings

    with Relay(Settings(feeds=("push:",), data_dir=Path("ticks"))) as relay:
        relay.push("EURUSD", 1767614400.0, "1.0845")

embeds the whole system in a host's process; several relays may run at once, each on a data directory of its own.
`StartError` says in one line why a relay does not start. Everything else is internal and may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickwire.config.settings import Settings
    from tickwire.runtime.relay import Relay, StartError

__all__ = ["Relay", "Settings", "StartError"]


def __getattr__(name: str) -> object:
    """Loaded when asked for: every module of the package imports this one, and `tickwire --help` must be quick."""
    match name:
        case "Settings":
            return import_module("tickwire.config.settings").Settings
        case "Relay" | "StartError":
            return getattr(import_module("tickwire.runtime.relay"), name)
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
