"""Puts settings together: flag > environment > file > default, and finds everything wrong at once.

The only place that reads the environment. Nothing is created or connected here.
"""

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tickwire.config.settings import Settings
from tickwire.config.sources import (
    Given,
    Problem,
    environment_name,
    find_file,
    from_environment,
    from_file,
    setting_paths,
)
from tickwire.config.urls import mask

DEFAULT = "default"
SERVICE_KEY = "supabase_service_role_key"
_JWT = re.compile(r"[A-Za-z0-9_-]{4,}\.([A-Za-z0-9_-]{4,})\.[A-Za-z0-9_-]*")
_REMEDIES = {
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
    "float_type": "write a number",
    "finite_number": "write a finite number",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "string_type": "write text in quotes",
    "tuple_type": "write a list",
    "greater_than": "write more than {gt:g}",
    "greater_than_equal": "write {ge:g} or more",
    "less_than_equal": "write {le:g} or less",
    "literal_error": "write {expected}",
}


class ConfigError(Exception):
    """Settings can't be used. One line a problem, each with setting, value, origin and remedy; no secrets."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings, and where each that is not a default came from."""

    settings: Settings
    origins: Mapping[str, str]
    """Path → origin, for those given."""
    file: Path | None

    def shown(self) -> list[tuple[str, str, str]]:
        """Every setting as (path, value as text, origin), secrets masked."""
        rows = []
        for path, secret in setting_paths():
            value: Any = self.settings
            for name in path.split("."):
                value = getattr(value, name)
            rows.append((path, _shown(value, secret), self.origins.get(path, DEFAULT)))
        return rows


def load(
    flags: Mapping[str, Given] | None = None,
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """Settings from `flags` (by path), the environment, the file and the defaults. Raises ConfigError.

    `config` names the file, else `TICKWIRE_CONFIG`, else `tickwire.toml` in `folder`. `environ` and `folder` are
    this process' own if not given.
    """
    environ = os.environ if environ is None else environ
    folder = Path() if folder is None else folder
    found = find_file(config, environ, folder)
    in_file, problems = from_file(*found, folder) if found is not None else ({}, [])
    in_environment, more = from_environment(environ, folder)
    by_flag = dict(flags or {})
    problems += [problem for problem in more if problem.setting not in by_flag]
    given = in_file | in_environment | by_flag
    for layer in (in_file, in_environment, by_flag):
        problems += _misplaced_service_keys(layer, given.get(SERVICE_KEY))
    settings, wrong = _validate(given)
    refused = {problem.setting for problem in problems}
    problems += [problem for problem in wrong if problem.setting not in refused]
    if problems or settings is None:
        raise ConfigError(problems)
    origins = {path: value.origin for path, value in given.items()}
    return Loaded(settings=settings, origins=origins, file=found[0] if found is not None else None)


def _validate(given: Mapping[str, Given]) -> tuple[Settings | None, list[Problem]]:
    """The settings, or all that is wrong with them."""
    try:
        return Settings.model_validate(_nested(given)), []
    except ValidationError as error:
        problems = _problems(error, given)
    # What settings need of each other is only looked at once each is good by itself: look again without the bad.
    bad = {problem.setting for problem in problems}
    rest = {path: value for path, value in given.items() if path not in bad}
    if len(rest) < len(given):
        problems += _validate(rest)[1]
    return None, problems


def _nested(given: Mapping[str, Given]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in given.items():
        *groups, name = path.split(".")
        table = nested
        for group in groups:
            table = table.setdefault(group, {})
        table[name] = value.value
    return nested


def _problems(error: ValidationError, given: Mapping[str, Given]) -> list[Problem]:
    secrets = dict(setting_paths())
    problems: list[Problem] = []
    for wrong in error.errors(include_url=False):
        place = ".".join(str(part) for part in wrong["loc"])
        path = next((known for known in given if place == known or place.startswith(f"{known}.")), place)
        context = wrong.get("ctx", {})
        template = _REMEDIES.get(wrong["type"])
        text = template.format(**context) if template else str(context.get("error", wrong["msg"]))
        if path in given:
            value = _shown(given[path].value, secrets.get(path, False))
            problems.append(Problem(setting=path, value=value, origin=given[path].origin, remedy=text))
        else:
            problems += _of_a_group(path, text, given)
    return problems


def _of_a_group(path: str, text: str, given: Mapping[str, Given]) -> list[Problem]:
    """What a group's own check found: one problem a line, each blamed on the setting it names if it names one."""
    problems = []
    for line in text.splitlines():
        named, colon, rest = line.partition(": ")
        setting, remedy = (named, rest) if colon and not path else (f"{path}.{line.split()[0]}", line)
        origin = given[setting].origin if setting in given else "not set"
        problems.append(Problem(setting=setting, origin=origin, remedy=remedy))
    return problems


def _misplaced_service_keys(layer: Mapping[str, Given], key: Given | None) -> list[Problem]:
    """A service-role key opens everything: anywhere but under its own name it would sooner or later be shown."""
    return [
        Problem(
            setting=path,
            value="***",
            origin=value.origin,
            remedy=f"holds a service-role key, which belongs in {environment_name(SERVICE_KEY)} alone",
        )
        for path, value in layer.items()
        if path != SERVICE_KEY and _holds_service_key(str(value.value), key)
    ]


def _holds_service_key(text: str, key: Given | None) -> bool:
    if "sb_secret_" in text or (key is not None and str(key.value) in text):
        return True
    for token in _JWT.finditer(text):
        payload = token[1]
        try:
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except ValueError:
            continue
        if isinstance(claims, dict) and claims.get("role") == "service_role":
            return True
    return False


def _shown(value: Any, secret: bool) -> str:
    """A value as a person may see it."""
    if secret:
        return "" if value is None else "***"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item, False) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None else mask(str(value))
    return text if len(text) <= 200 else f"{text[:200]}…"
