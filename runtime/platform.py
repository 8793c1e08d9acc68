"""Where operating systems differ: file locks and processes that our terminal's signals must not reach."""

import sys
from typing import Any

if sys.platform == "win32":
    import msvcrt
    import subprocess
else:
    import fcntl
    import resource


def lock_file(descriptor: int) -> bool:
    """Take the exclusive lock of an open file without waiting; False if another process has it.

    The operating system gives it back when the process ends, however it ends.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def own_session() -> dict[str, Any]:
    """Popen arguments for a child that a terminal's Ctrl-C, or a signal to our group, does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def open_files_limit() -> int | None:
    """How many files and sockets this process may open; None where there is no limit of its own."""
    if sys.platform == "win32":
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
