"""What an error of Postgres or PostgREST means for the rows at hand, by its code alone.

Codes: SQLSTATE (Postgres, appendix A) and PostgREST's own `PGRST…`.
"""

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable

BAD_ROWS = ("22", "23", "PGRST102")
"""Data exceptions, violated constraints, and a body that PostgREST can't read."""
WRONG_SET_UP = ("0A", "28", "3D", "3F", "42", "PGRST1", "PGRST2", "PGRST3")
"""Not supported, login, database, schema, names and rights; PostgREST's request, schema cache and key."""
STATEMENT_TIMED_OUT = "57014"

_MIGRATE = "run `tickwire migrate` with this store"
_REMEDIES = (
    (
        "42501",
        "grant select and insert on historical_ticks to this role, with policies for both under row level security",
    ),
    ("42P01", _MIGRATE),
    ("42703", _MIGRATE),
    ("42P10", _MIGRATE),
    ("PGRST204", _MIGRATE),
    ("PGRST205", _MIGRATE),
    ("PGRST3", "check the key of the store"),
    ("28", "check user and password in the store's URL"),
    ("3D", "check the database in the store's URL"),
)


def verdict(code: str, text: str) -> StoreError:
    """The error to raise for a code; one that is not known holds the rows and tries again."""
    if code.startswith(BAD_ROWS):
        return StoreRefusedRows(code, text)
    if code.startswith(WRONG_SET_UP):
        return StoreMisconfigured(f"{code}: {text}; {remedy(code)}")
    return StoreUnavailable(f"{code}: {text}", timed_out=code == STATEMENT_TIMED_OUT)


def remedy(code: str) -> str:
    """What to do about a wrong set-up."""
    return next((remedy for prefix, remedy in _REMEDIES if code.startswith(prefix)), "check the store's set-up")
