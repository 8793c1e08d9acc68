"""The gateway's event loop: uvloop where there is one (not on Windows), else asyncio's own.

uvloop writes to sockets without letting go of the interpreter, asyncio's loop lets go and has to win it back at every
write: with a hundred clients a tick is then ten times as old at its worst (docs/decisions/0027).
"""

import asyncio
from collections.abc import Callable, Coroutine

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def fastest() -> LoopFactory:
    try:
        import uvloop
    except ImportError:  # a platform without its wheel
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run(main: Coroutine[object, object, None], make_loop: LoopFactory) -> None:
    """Run `main` to its end on a new loop, in this thread."""
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main)
