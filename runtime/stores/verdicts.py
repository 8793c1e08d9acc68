"""What an error of Postgres or PostgREST means for the rows at hand.

Codes: SQLSTATE (Postgres, appendix A) and PostgREST's own `PGRST…`. Only a login that Postgres refuses has no code, and
is known by its words.
"""

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable

BAD_ROWS = ("22", "23", "PGRST102")
"""Data exceptions, violated constraints, and a body that PostgREST can't read."""
WRONG_SET_UP = ("0A", "28", "3D", "3F", "42", "PGRST1", "PGRST2", "PGRST3")
"""Not supported, login, database, schema, names and rights; PostgREST's request, schema cache and key."""
STATEMENT_TIMED_OUT = "57014"

MIGRATE = "run `tickwire migrate` with this store"
"""The remedy for a table that is not there, or not ours yet."""

_REMEDIES = (
    (
        "42501",
        "grant select and insert on historical_ticks (for candles on assets, too, and select, insert and update on"
        " candles) to this role, with policies for each under row level security",
    ),
    ("42P01", MIGRATE),
    ("42883", MIGRATE),
    ("42703", MIGRATE),
    ("42P10", MIGRATE),
    ("PGRST202", MIGRATE),
    ("PGRST204", MIGRATE),
    ("PGRST205", MIGRATE),
    ("PGRST3", "check the key of the store"),
    ("28", "check user and password in the store's URL"),
    ("3D", "check the database in the store's URL"),
)
_LOGIN = (
    ("authentication failed", "check user and password in the store's URL"),
    ("no password supplied", "write the password into the store's URL"),
    ("no pg_hba.conf entry", "let this user, host and database into the server's pg_hba.conf"),
    ("tenant or user not found", "check the user in the store's URL; a pooler's has the project's name in it"),
    ('database "', "check the database in the store's URL"),
    ('role "', "check the user in the store's URL"),
    ("does not support ssl", "write sslmode=prefer into the store's URL, or let the server speak TLS"),
    ("certificate", "check sslmode and sslrootcert in the store's URL"),
    ("connection is bad: invalid", "check the options in the store's URL"),
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


def login_remedy(text: str) -> str | None:
    """What to do about a connection that Postgres refused in these words, None where it is no matter of set-up."""
    lower = text.lower()
    return next((remedy for words, remedy in _LOGIN if words in lower), None)


def one_line(text: str) -> str:
    """A library's message without its line breaks."""
    return " ".join(text.split())
