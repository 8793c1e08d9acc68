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


CSV_ROWS = {
    "AEDCNY_otc_20251013.csv": 10_517,
    "AUDCAD_otc_20251020.csv": 9_699,
    "CADJPY_otc_20251013.csv": 29_000,
    "DOGE_otc_20251011.csv": 9_330,
    "EURUSD_otc_20251015.csv": 5_582,
    "EURUSD_otc_subsecond.csv": 25_297,
}
"""Data rows of each recorded CSV, counted independently."""
