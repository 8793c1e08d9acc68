"""Logs: events with fields, one line each, to stderr, as text or JSON. No line can be forged and none shows a secret.

Line ends, ANSI sequences and other unprintable characters of values are escaped; secrets are masked in the finished
line, tracebacks included. Only a program's own entry point configures: a host that embeds keeps its own set-up.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, MutableMapping
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import Processor

SHORTEST_SECRET = 4
"""A shorter one is not masked in running text: it would black out every word that holds it."""
LONGEST_VALUE = 4096
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PLAIN = re.compile(r"[^\s\"'\\=]+")
_log = structlog.get_logger("tickwire")


def spellings(secrets: Iterable[str]) -> list[str]:
    """The secrets in their usual spellings (percent, JSON and Python escapes, also one upon another), longest first."""
    known = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
    known |= {quote(secret, safe="") for secret in known}
    for _ in range(2):
        known |= {escaped for text in known for escaped in (json.dumps(text)[1:-1], repr(text)[1:-1])}
    return sorted(known, key=len, reverse=True)


class Masker:
    """Replaces every known secret in a text, in its usual spellings too."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = spellings(secrets)
        self._pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub("***", text) if self._pattern is not None else text

    def within(self, value: Any) -> Any:
        """The value with every text in it masked, containers' included."""
        match value:
            case str():
                return self(value)
            case dict():
                return {self.within(name): self.within(inner) for name, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.within(inner) for inner in value]
            case _:
                return value


def configure_logs(
    *,
    style: Literal["text", "json"] = "text",
    level: Literal["debug", "info", "warning", "error"] = "info",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Set structlog and the standard library's logging up for this process; may be called again.

    Libraries' own logs come through from `warning` on (uvicorn's and httpx' chatter names URLs).
    """
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    rendered = _Rendered(_as_json if style == "json" else _as_text, Masker(secrets))
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendered],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    logging.getLogger("tickwire").setLevel(_LEVELS[level])
    logging.getLogger("uvicorn.access").disabled = True


def log_uncaught() -> None:
    """Let exceptions that nobody caught, in any thread, end as a masked log event instead of a bare traceback."""
    sys.excepthook = lambda kind, error, trace: _uncaught(threading.current_thread(), kind, error, trace)
    threading.excepthook = lambda hook: _uncaught(hook.thread, hook.exc_type, hook.exc_value, hook.exc_traceback)


def _uncaught(thread: threading.Thread | None, kind: type[BaseException], error: Any, trace: Any) -> None:
    if issubclass(kind, SystemExit | KeyboardInterrupt):
        return
    name = thread.name if thread is not None else "?"
    _log.error("uncaught_exception", thread=name, exc_info=(kind, error, trace))


class _Rendered:
    """The chain's last processor: an event becomes its line."""

    def __init__(self, render: Any, masker: Masker) -> None:
        self._render = render
        self._masker = masker

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        # Before rendering, as escapes upon escapes would hide a secret; after it, as objects show theirs only there.
        return self._masker(self._render(self._masker.within(dict(event))))


def _as_json(event: dict[str, Any]) -> str:
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    try:
        return json.dumps(first | event, default=repr, allow_nan=False)
    except ValueError:  # NaN and infinity are no JSON; neither is a value that holds itself
        return json.dumps({name: value if isinstance(value, str) else repr(value) for name, value in event.items()})


def _as_text(fields: dict[str, Any]) -> str:
    when, level, what = (str(fields.pop(name, "")) for name in ("timestamp", "level", "event"))
    logger = str(fields.pop("logger", "")).removeprefix("tickwire.")
    trace = "".join(f"\n  | {_escaped(line)}" for line in str(fields.pop("exception", "")).splitlines())
    words = [_escaped(when), f"{_escaped(level):<7}", f"{_escaped(logger)}:", _escaped(what)]
    return " ".join(words + [f"{_escaped(str(name))}={_text_value(value)}" for name, value in fields.items()]) + trace


def _text_value(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    if len(text) > LONGEST_VALUE:
        text = text[:LONGEST_VALUE] + "…"
    if _PLAIN.fullmatch(text) and text.isprintable():
        return text
    return '"' + _escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _escaped(text: str) -> str:
    """Unprintable characters (line ends, ESC, directional marks, lone surrogates) as Python escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
