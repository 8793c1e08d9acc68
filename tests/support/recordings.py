"""Where the real recordings are: beside the repository, or where TICKWIRE_RECORDINGS points."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "recordings"


def recording(name: str) -> Path:
    """The path of a recording; skips the test by name where it is missing, fails it in CI."""
    path = Path(os.environ.get("TICKWIRE_RECORDINGS", BESIDE)) / name
    if not path.exists():
        missing(f"recording {name} not found at {path.parent}; set TICKWIRE_RECORDINGS")
    return path


def missing(what: str) -> None:
    """A part of the surroundings is not there: a failure in CI, a named skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
