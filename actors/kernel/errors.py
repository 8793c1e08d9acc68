"""What can go wrong in the kernel: one root, each says what to do about it."""

from collections.abc import Sequence


class KernelError(Exception):
    """Root of all errors the kernel raises."""


class SpecError(KernelError, ValueError):
    """A spec says something that can't be; the text names the setting, its value and the remedy."""


class StartFailed(KernelError):
    """A child did not start, so nothing runs: those before it were stopped again. Its cause is chained."""


class SupervisorFailed(KernelError):
    """The supervisor gave up and stopped its children; the last child's error is chained, if one was the cause."""


class TooManyRestarts(SupervisorFailed):
    """Children died more often than the spec's intensity allows: a bug that restarting does not cure."""


class TooManyZombies(SupervisorFailed):
    """More threads hang for good than may: only a new process frees them."""


class AskTimeout(KernelError):
    """No answer in time; the question may still be handled."""


class AddressDead(KernelError):
    """Nobody will ever answer: the actor has ended, or the message went to the dead letters."""


class UnknownAddress(KernelError, LookupError):
    """No spec has a child of this name."""


class Fenced(KernelError):
    """This incarnation was given up as hung and replaced: it may not write any more. Let it end the step."""


class ActorDone(KernelError):
    """Raised by a behaviour's `step` to end normally; `unhandled` is what it leaves of its batch to the next one."""

    def __init__(self, unhandled: Sequence[object] = ()) -> None:
        super().__init__("it is done")
        self.unhandled = unhandled


class InjectedCrash(KernelError):
    """Made by `Supervisor.crash`."""


class StoppedFromOutside(KernelError):
    """Somebody stopped the Pykka actor behind the supervisor's back (`ActorRegistry.stop_all`)."""
