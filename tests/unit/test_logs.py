"""Logs: one line an event, none forged, no secret shown."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from tickwire.runtime.logs import Masker, configure_logs, log_uncaught

CANARY = 'canary/"secret"\n+value'


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, handlers, level = logging.getLogger(), list(logging.getLogger().handlers), logging.getLogger().level
    hooks = sys.excepthook, threading.excepthook
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("tickwire").setLevel(logging.NOTSET)
    logging.getLogger("uvicorn.access").disabled = False
    sys.excepthook, threading.excepthook = hooks


def test_a_text_line_names_level_logger_event_and_fields() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    structlog.get_logger("tickwire.spool").warning("disk_full", free=0, path="/a b", ok=True)
    [line] = out.getvalue().splitlines()
    assert line.split(" ", 1)[1] == 'warning spool: disk_full free=0 path="/a b" ok=True'


def test_a_json_line_holds_the_same() -> None:
    out = io.StringIO()
    configure_logs(style="json", stream=out)
    structlog.get_logger("tickwire.spool").warning("disk_full", free=0, path="/a b", worst=float("nan"))
    event = json.loads(out.getvalue())
    event.pop("timestamp")
    assert event == {
        "level": "warning", "event": "disk_full", "logger": "tickwire.spool", "free": "0", "path": "/a b",
        "worst": "nan",
    }  # fmt: skip


@pytest.mark.parametrize("style", ["text", "json"])
def test_values_cannot_forge_lines_nor_reach_the_terminal(style: str) -> None:
    out = io.StringIO()
    configure_logs(style=style, stream=out)  # type: ignore[arg-type]
    evil = "EURUSD\n2026-01-01 info app: forged\x1b[31m\r\x85\u2028\u202e\ud800"
    structlog.get_logger("tickwire").info(evil, **{"asset": evil, "a\nb": [evil]})
    written = out.getvalue()
    assert len(written.splitlines()) == 1
    assert written.removesuffix("\n").isprintable()
    assert "forged" in written


def test_a_traceback_keeps_its_lines_but_its_message_cannot_forge_one() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    try:
        raise ValueError("bad\n2026-01-01T00:00:00Z info app: forged \x1b[0m")
    except ValueError:
        structlog.get_logger("tickwire").exception("failed")
    first, *trace = out.getvalue().splitlines()
    assert first.endswith("tickwire: failed")
    assert len(trace) > 3
    assert all(line.startswith("  | ") for line in trace)
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("style", ["text", "json"])
def test_secrets_are_masked_in_events_fields_tracebacks_and_libraries_lines(style: str) -> None:
    out = io.StringIO()
    configure_logs(style=style, stream=out, secrets=[CANARY, "s3cr3t"])  # type: ignore[arg-type]
    log = structlog.get_logger("tickwire")
    log.info(f"connecting with {CANARY}", url="redis://:s3cr3t@host", nested={"key": [CANARY]})
    try:
        raise RuntimeError(f"refused {CANARY} and s3cr3t")
    except RuntimeError:
        log.exception("failed")
    logging.getLogger("library").error("password=%s", "s3cr3t")
    written = out.getvalue()
    assert "s3cr3t" not in written
    assert "canary" not in written
    assert written.count("***") >= 6


def test_a_percent_encoded_secret_is_masked_too() -> None:
    assert Masker(["p@ss/word"])("postgresql://u:p%40ss%2Fword@host") == "postgresql://u:***@host"


def test_a_very_short_secret_does_not_black_out_the_log() -> None:
    assert Masker(["a"])("a normal line") == "a normal line"


def test_quiet_levels_and_chatty_libraries_stay_out() -> None:
    out = io.StringIO()
    configure_logs(level="warning", stream=out)
    structlog.get_logger("tickwire").info("not_this")
    logging.getLogger("uvicorn.error").info("Uvicorn running on http://127.0.0.1:3001")
    logging.getLogger("uvicorn.access").error("GET / 200")
    logging.getLogger("httpx").info("HTTP Request: GET http://127.0.0.1:3001/")
    assert out.getvalue() == ""


def test_configuring_again_replaces_the_former_output() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logs(stream=first)
    configure_logs(stream=second)
    structlog.get_logger("tickwire").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_an_exception_nobody_caught_in_a_thread_is_a_masked_event() -> None:
    out = io.StringIO()
    configure_logs(stream=out, secrets=["s3cr3t"])
    log_uncaught()

    def fail() -> None:
        raise RuntimeError("died of s3cr3t")

    thread = threading.Thread(target=fail, name="reader-7")
    thread.start()
    thread.join(5)
    assert "uncaught_exception thread=reader-7" in out.getvalue()
    assert "RuntimeError: died of ***" in out.getvalue()
