"""Where settings come from: the environment and the TOML file, each read into values by setting path.

A path is a setting's place in `Settings` with dots: `batch.interval_s`. In the environment that is
`TICKWIRE_BATCH__INTERVAL_S`, in the file `interval_s` of the table `[batch]`. QuFLX's own names are understood beside.
"""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

from tickwire.config.group import Group
from tickwire.config.settings import Settings

PREFIX = "TICKWIRE_"
FILE_VARIABLE = "TICKWIRE_CONFIG"
DEFAULT_FILE = "tickwire.toml"
NOT_SETTINGS = frozenset({FILE_VARIABLE, "TICKWIRE_RECORDINGS"})
"""Names of ours that are no settings: the file's, and where the tests find recordings."""
OWN_NAMES = {
    "supabase_service_role_key": "SUPABASE_SERVICE_ROLE_KEY",
    "supabase_anon_key": "SUPABASE_ANON_KEY",
}
"""Settings whose environment name is QuFLX's alone."""
QUFLX_REDIS = ("REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value as somebody gave it. `origin` says where in a person's words: `flag --redis`, `environment REDIS_URL`."""

    value: Any = dataclasses.field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong. Neither text shows a secret."""

    setting: str
    origin: str
    remedy: str
    value: str = ""

    def __str__(self) -> str:
        value = f"={self.value}" if self.value else ""
        return f"{self.setting}{value} ({self.origin}): {self.remedy}"


Found = tuple[dict[str, Given], list[Problem]]


def setting_paths(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Every setting as (path, whether it is a secret)."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Group):
            yield from setting_paths(kind, f"{prefix}{name}.")
        elif isinstance(kind, type) and dataclasses.is_dataclass(kind):
            yield from ((f"{prefix}{name}.{inner.name}", False) for inner in dataclasses.fields(kind))
        else:
            yield f"{prefix}{name}", SecretStr in getattr(kind, "__args__", (kind,))


def environment_name(path: str) -> str:
    return OWN_NAMES.get(path, PREFIX + path.upper().replace(".", "__"))


def from_environment(environ: Mapping[str, str], folder: Path) -> Found:
    """Settings in the environment; an empty variable counts as not set."""
    environ = {name: value for name, value in environ.items() if value}
    given, problems = _quflx(environ)
    names = {environment_name(path): path for path, _ in setting_paths()}
    files = {f"{environment_name(path)}_FILE": path for path, secret in setting_paths() if secret}
    for name, value in environ.items():
        if name in names:
            given[names[name]] = Given(value=value, origin=f"environment {name}")
        elif name in files and environment_name(files[name]) not in environ:
            _read_secret(files[name], value, f"environment {name}", folder, given, problems)
        elif name.startswith(PREFIX) and name not in NOT_SETTINGS and name not in files:
            remedy = f"no such setting; {_hint(name, [*names, *files, FILE_VARIABLE])}, or unset it"
            problems.append(Problem(setting=name, origin="environment", remedy=remedy))
    return given, problems


def find_file(named: Path | None, environ: Mapping[str, str], folder: Path) -> tuple[Path, str] | None:
    """The configuration file and who named it; None where none is named and none lies in the folder."""
    if named is not None:
        return folder / named, "flag --config"
    if environ.get(FILE_VARIABLE):
        return folder / environ[FILE_VARIABLE], f"environment {FILE_VARIABLE}"
    return (folder / DEFAULT_FILE, "this folder") if (folder / DEFAULT_FILE).is_file() else None


def from_file(file: Path, named_by: str, folder: Path) -> Found:
    """Settings in a TOML file. Secrets are refused there, their `…_file` is not."""
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = f"{error.strerror}; name a readable file"
        return {}, [Problem(setting="configuration file", value=str(file), origin=named_by, remedy=remedy)]
    except ValueError as error:  # bad TOML or bad UTF-8
        remedy = f"is no TOML: {error}"
        return {}, [Problem(setting="configuration file", value=str(file), origin=named_by, remedy=remedy)]
    origin = f"file {file}"
    known = dict(setting_paths())
    files = {f"{path}_file": path for path, secret in known.items() if secret}
    for path, value in _flatten(table, known):
        if known.get(path):
            remedy = f"no secrets in this file; set {environment_name(path)}, or {path}_file to a file of its own"
            problems.append(Problem(setting=path, value="***", origin=origin, remedy=remedy))
        elif path in known:
            given[path] = Given(value=value, origin=origin)
        elif path in files:
            _read_secret(files[path], str(value), f"{origin}, {path}", folder, given, problems)
        else:
            remedy = f"no such setting; {_hint(path, [*known, *files])}"
            problems.append(Problem(setting=path, origin=origin, remedy=remedy))
    return given, problems


def _flatten(table: Mapping[str, Any], known: Mapping[str, bool], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and any(other.startswith(f"{path}.") for other in known):
            yield from _flatten(value, known, f"{path}.")
        else:
            yield path, value


def _quflx(environ: Mapping[str, str]) -> Found:
    """QuFLX's names. `REDIS_URL` wins over the four parts, which make up for each other with QuFLX's defaults."""
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    if "SUPABASE_URL" in environ:
        url = f"supabase+{environ['SUPABASE_URL']}"
        given["store.url"] = Given(value=url, origin="environment SUPABASE_URL")
    parts = [name for name in QUFLX_REDIS if name in environ]
    if "REDIS_URL" in environ:
        given["redis.url"] = Given(value=environ["REDIS_URL"], origin="environment REDIS_URL")
    elif parts and environment_name("redis.url") not in environ:
        # Container platforms set REDIS_PORT=tcp://… for a service called redis.
        wrong = [name for name in ("REDIS_PORT", "REDIS_DB") if not re.fullmatch("[0-9]+", environ.get(name, "0"))]
        remedy = "not a whole number; set one, or REDIS_URL, which wins"
        problems = [
            Problem(setting="redis.url", value=environ[name][:60], origin=f"environment {name}", remedy=remedy)
            for name in wrong
        ]
        if not wrong:
            given["redis.url"] = Given(value=_redis_url(environ), origin=f"environment {', '.join(parts)}")
    return given, problems


def _redis_url(environ: Mapping[str, str]) -> str:
    host, password = environ.get("REDIS_HOST", "localhost"), environ.get("REDIS_PASSWORD", "")
    host = f"[{host}]" if ":" in host else host
    login = f":{quote(password, safe='')}@" if password else ""
    return f"redis://{login}{host}:{environ.get('REDIS_PORT', '6379')}/{environ.get('REDIS_DB', '0')}"


def _read_secret(
    path: str, file: str, origin: str, folder: Path, given: dict[str, Given], problems: list[Problem]
) -> None:
    try:
        text = (folder / file).read_text(encoding="utf-8").strip()
        reason = "" if text else "is empty"
    except OSError as error:
        text, reason = "", str(error.strerror)
    except ValueError:
        text, reason = "", "is not UTF-8 text"
    if reason:
        remedy = f"{reason}; name a readable file that holds the secret alone"
        problems.append(Problem(setting=f"{path}_file", value=file, origin=origin, remedy=remedy))
    else:
        given[path] = Given(value=text, origin=f"{origin} ({file})")


def _hint(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    # `redis = "…"` and TICKWIRE_REDIS: a group where its first setting is meant.
    inside = [other for other in known if other.startswith((f"{name}.", f"{name}__"))]
    return (
        f"did you mean {(inside or close)[0]}?" if inside or close else "see `tickwire config show` for all there are"
    )
