"""What errors of Postgres, PostgREST and HTTP mean for the rows at hand."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.runtime.stores.answers import LONGEST_WAIT_S, Answer, judge, seconds
from tickwire.runtime.stores.verdicts import login_remedy, one_line, verdict


@pytest.mark.parametrize("code", ["22001", "22003", "22P02", "22021", "23502", "23514", "23505", "PGRST102"])
def test_bad_data_is_bisected(code: str) -> None:
    error = verdict(code, "why")
    assert isinstance(error, StoreRefusedRows)
    assert error.code == code


PASSING = """
    08000 08006 40001 40P01 53100 53200 53300 57P01 57P02 57P03 55P03 25006 XX000
    PGRST000 PGRST001 PGRST002 PGRST003
"""


@pytest.mark.parametrize("code", PASSING.split())
def test_what_passes_by_itself_is_tried_again(code: str) -> None:
    error = verdict(code, "why")
    assert isinstance(error, StoreUnavailable)
    assert not error.timed_out


def test_a_statement_that_ran_out_of_time_is_tried_again_with_fewer_rows() -> None:
    error = verdict("57014", "canceling statement due to statement timeout")
    assert isinstance(error, StoreUnavailable)
    assert error.timed_out


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("42501", "grant select and insert"),
        ("42P01", "tickwire migrate"),
        ("42703", "tickwire migrate"),
        ("42P10", "tickwire migrate"),
        ("PGRST204", "tickwire migrate"),
        ("PGRST205", "tickwire migrate"),
        ("PGRST301", "key"),
        ("28P01", "password"),
        ("3D000", "database"),
        ("42601", "set-up"),
    ],
)
def test_a_wrong_set_up_holds_and_names_the_remedy(code: str, remedy: str) -> None:
    error = verdict(code, "why")
    assert isinstance(error, StoreMisconfigured)
    assert remedy in str(error)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('FATAL: password authentication failed for user "u"', "user and password"),
        ("fe_sendauth: no password supplied", "password"),
        ('FATAL: no pg_hba.conf entry for host "h", user "u", database "d", no encryption', "pg_hba.conf"),
        ('FATAL: database "d" does not exist', "database"),
        ('FATAL: role "u" does not exist', "user"),
        ("FATAL: Tenant or user not found", "user"),
        ("server does not support SSL, but SSL was required", "sslmode"),
        ("SSL error: certificate verify failed", "sslrootcert"),
    ],
)
def test_a_refused_login_is_known_by_its_words(text: str, remedy: str) -> None:
    found = login_remedy(text)
    assert found is not None
    assert remedy in found


@pytest.mark.parametrize(
    "text",
    [
        "connection refused",
        "SSL connection has been closed unexpectedly",
        "failed to resolve host 'h': Name or service not known",
        "FATAL: the database system is starting up",
        "FATAL: sorry, too many clients already",
    ],
)
def test_other_words_of_a_connection_are_no_matter_of_set_up(text: str) -> None:
    assert login_remedy(text) is None


def answered(status: int, code: str | None = None, text: str = "why", retry_after: str | None = None) -> StoreError:
    return judge(Answer(status=status, retry_after=retry_after), code, text, None)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 521])
def test_a_busy_or_broken_service_is_tried_again_when_it_says(status: int) -> None:
    error = answered(status, str(status), retry_after="7")
    assert isinstance(error, StoreUnavailable)
    assert error.retry_after_s == 7.0
    assert error.timed_out == (status in (408, 504))


def test_a_statement_time_out_behind_postgrest_asks_for_fewer_rows() -> None:
    error = answered(500, "57014")
    assert isinstance(error, StoreUnavailable)
    assert error.timed_out


def test_a_body_too_large_asks_for_fewer_rows() -> None:
    error = answered(413, "413")
    assert isinstance(error, StoreUnavailable)
    assert error.timed_out


@pytest.mark.parametrize(("status", "code"), [(400, "22P02"), (409, "23505"), (400, "23514"), (500, "23514")])
def test_bad_data_behind_postgrest_is_bisected_whatever_the_status(status: int, code: str) -> None:
    assert isinstance(answered(status, code), StoreRefusedRows)


def test_lites_answer_to_a_violated_check_is_bad_data_and_its_other_500_is_not() -> None:
    violated = 'PostgresError: new row for relation "historical_ticks" violates check constraint "p"'
    assert isinstance(answered(500, "SUP", violated), StoreRefusedRows)
    assert isinstance(answered(500, "SUP", "Error: connect ECONNREFUSED"), StoreUnavailable)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (401, None, "SUPABASE_SERVICE_ROLE_KEY"),
        (403, "PGRST301", "SUPABASE_SERVICE_ROLE_KEY"),
        (401, "42501", "grant"),
        (403, "42501", "grant"),
        (404, "PGRST205", "tickwire migrate"),
        (404, "404", "URL"),
        (308, "308", "URL"),
        (400, "42703", "tickwire migrate"),
        (400, "42P10", "tickwire migrate"),
    ],
)
def test_a_wrong_key_address_or_table_holds_and_names_the_remedy(status: int, code: str | None, remedy: str) -> None:
    error = answered(status, code)
    assert isinstance(error, StoreMisconfigured)
    assert remedy in str(error)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert seconds("7") == 7.0
    assert seconds("0") == 0.0
    assert seconds("-3") == 0.0
    assert seconds("1e9") == LONGEST_WAIT_S
    assert seconds(None) is None
    assert seconds("soon") is None
    assert seconds("nan") is None
    in_a_minute = seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert in_a_minute is not None
    assert 30.0 <= in_a_minute <= 60.0
    assert seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def test_a_message_of_several_lines_becomes_one() -> None:
    assert one_line("a\n\tb  c\r\nd") == "a b c d"
