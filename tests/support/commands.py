"""Commands of `tickwire` that end by themselves."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.tickwire_process import clean_environment

PATIENCE_S = 60.0


def command(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run one in `folder`, however it ends; but never with a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "tickwire.runtime.cli", *arguments],
        cwd=folder, env=clean_environment() | dict(environment or {}), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def succeed(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Its output; it has to succeed."""
    done = command(*arguments, folder=folder, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
