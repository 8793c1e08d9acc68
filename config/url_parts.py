"""What all URLs have in common: scheme, path, query, options, and the hiding of credentials.

The scheme ends at the first `:`, the query begins at the last `?`, the path between is literal (spaces, `#`,
Windows drives). Query values are percent-decoded.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

_REVEALING = r"[\w-]*(?:session|ssid|token|secret|passw|pwd|api[_-]?key|auth|credential)[\w-]*"
SECRET_OPTION = re.compile(rf"(?i)((?:^|[?&])(?:{_REVEALING}))=([^&]*)")
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_SERVER_SCHEMES = ("redis", "rediss", "postgres", "postgresql")

Convert = Callable[[str], Any]
"""An option's text to its value; raises ValueError that says what to write instead."""
Known = Mapping[str, tuple[str, Convert]]
"""Option → (field it fills, how)."""


class UrlError(ValueError):
    """A URL can't be used. The text names the part, the value and the remedy, and shows no credentials."""


def mask(url: str) -> str:
    """Any URL with its credentials hidden, whether it can be parsed or not: for logs, the ready line and errors."""
    shown = SECRET_OPTION.sub(r"\1=***", url)
    scheme, marker, rest = shown.partition("://")
    if not marker or "@" not in rest:
        return shown
    body, query_mark, query = rest.rpartition("?") if "?" in rest else (rest, "", "")
    if "@" in query and scheme in _SERVER_SCHEMES:  # a bare ? within the password
        body, query_mark, query = rest, "", ""
    # A password with a bare / in it reaches past the first slash: hide up to the last @.
    end = body.rfind("@") if scheme in _SERVER_SCHEMES else body.partition("/")[0].rfind("@")
    if end < 0:
        return shown
    user, colon, _ = body[:end].partition(":")
    login = f"{user}:***" if colon else "***"
    return f"{scheme}://{login}{body[end:]}{query_mark}{query}"


def split_url(url: str) -> tuple[str, str, str]:
    scheme, _, rest = url.partition(":")
    path, mark, query = rest.rpartition("?")
    return (scheme.lower(), path, query) if mark else (scheme.lower(), rest, "")


def strange(scheme: str, url: str) -> str:
    if ":" not in url or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        return f"{mask(url)!r} begins with no scheme"
    return f"unknown scheme {scheme}:"


def authority(setting: str, scheme: str, path: str) -> SplitResult:
    """The parts of `//HOST:PORT/PATH`, host and port checked. Errors show no part of it: it may hold a password."""
    try:
        # In a feed's path `#` is literal, and urlsplit would cut there.
        parts = urlsplit(f"x:{path.replace('#', '%23')}" if setting == "feed" else f"x:{path}")
        port = parts.port
    except ValueError as error:
        remedy = "write a / : @ ? or # within a name or password as %2F %3A %40 %3F %23"
        raise UrlError(f"{setting} {scheme}://…: host or port can't be read; {remedy}") from error
    if not path.startswith("//") or not parts.hostname or parts.fragment or port == 0:
        raise UrlError(f"{setting} {scheme}://…: names no usable host; write {scheme}://HOST:PORT/…")
    return parts


def options(scheme: str, query: str, known: Known) -> dict[str, Any]:
    """The query's values under their fields' names."""
    names = ", ".join(known) if known else "none"
    values: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        name, equals, raw = part.partition("=")
        if name not in known:
            shown = repr(name) if _PLAIN_NAME.fullmatch(name) else "in its query (a path with a ? in it ends in a ?)"
            raise UrlError(f"{scheme}: unknown option {shown}; known are: {names}")
        target, convert = known[name]
        if not equals or target in values:
            problem = "is given twice" if equals else "has no value"
            raise UrlError(f"{scheme}: {name} {problem}; write {name}=VALUE once")
        try:
            values[target] = convert(unquote(raw, errors="strict"))
        except ValueError as error:
            raise UrlError(f"{scheme}: {name}={raw}: {error}") from error
    return values
