"""What an answer of Supabase that is no success means, from HTTP's status and PostgREST's code together."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.runtime.stores.verdicts import BAD_ROWS, STATEMENT_TIMED_OUT, one_line, remedy, verdict

LITE = "SUP"
"""@supabase/lite's code for all that it has no other for, among it a violated CHECK; always with status 500."""
LONGEST_WAIT_S = 300.0
"""However long Retry-After is: the spool grows meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Of the last request; status 0 where none came."""

    status: int = 0
    retry_after: str | None = None
    json: bool = False
    """Whether it said to be JSON."""


def judge(answer: Answer, code: str | None, message: str | None, details: object) -> StoreError:
    """The error to raise for an answer that is no success."""
    status, code = answer.status, code or str(answer.status)
    text = one_line(message or str(details or ""))[:500] or "no reason given"
    if code.startswith(BAD_ROWS) or (code == LITE and "violates check constraint" in text):
        return StoreRefusedRows(code, text)
    if status in (408, 429) or status >= 500:
        return StoreUnavailable(
            f"status {status}: {text}",
            retry_after_s=seconds(answer.retry_after),
            timed_out=status in (408, 504) or code == STATEMENT_TIMED_OUT,
        )
    if status == 413:
        return StoreUnavailable(f"status 413: {text}", timed_out=True)  # as after a time-out: smaller batches
    if status in (401, 403):
        return StoreMisconfigured(f"status {status}: {text}; {remedy(code) if code == '42501' else KEY}")
    if 300 <= status < 400 or (status == 404 and code == "404"):
        return StoreMisconfigured(f"status {status}: {text}; check the store's URL")
    return verdict(code, text)


KEY = "check the store's key: SUPABASE_SERVICE_ROLE_KEY, else SUPABASE_ANON_KEY"


def seconds(retry_after: str | None) -> float | None:
    """Retry-After's seconds or date (RFC 9110, 10.2.3) as seconds from now; None where it says nothing."""
    if retry_after is None:
        return None
    try:
        waiting = float(retry_after)
    except ValueError:
        try:
            when = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        waiting = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(LONGEST_WAIT_S, max(0.0, waiting)) if waiting == waiting else None
