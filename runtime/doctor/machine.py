"""The machine under the relay: Python, SQLite, open files."""

import platform
import sqlite3
from collections.abc import Iterator

from tickwire.runtime.doctor.findings import Finding, failed, ok, warning
from tickwire.runtime.platform import open_files_limit

LEAST_SQLITE = (3, 35, 0)
"""Older ones lack what the SQL of spool, store and quarantine uses."""
LEAST_FILES = 1024
"""Each browser holds a connection, each actor a few."""


def check_machine() -> Iterator[Finding]:
    yield ok("python", f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}")
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        yield failed(
            "sqlite",
            f"version {sqlite3.sqlite_version}",
            f"use a Python with SQLite {'.'.join(map(str, LEAST_SQLITE))} or newer",
        )
    else:
        yield ok("sqlite", f"version {sqlite3.sqlite_version}")
    yield files(open_files_limit())


def files(limit: int | None) -> Finding:
    """How many files and sockets a process may open; None is no limit."""
    if limit is None:
        return ok("open files", "no limit")
    if limit < LEAST_FILES:
        return warning(
            "open files",
            f"{limit} at most, browsers' connections included",
            f"raise it to {LEAST_FILES} or more (ulimit -n, or LimitNOFILE= of the service) where the relay starts",
        )
    return ok("open files", f"{limit} at most")
