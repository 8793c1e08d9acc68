"""Write the table of settings into `docs/configuration.md`, from the settings themselves.

python scripts/settings_table.py            write it
python scripts/settings_table.py --check    exit 1 if it is not what the settings say
"""

import ast
import dataclasses
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tickwire.config.group import Group
from tickwire.config.settings import Settings
from tickwire.config.sources import environment_name, setting_paths
from tickwire.runtime.cli.options import FLAGS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: begin (python scripts/settings_table.py) -->", "<!-- settings: end -->"


def table() -> str:
    """A row a setting: path, flag, environment name, default, meaning."""
    defaults, meanings = dict(_defaults(Settings())), dict(_meanings(Settings))
    rows = ["| setting | flag | environment | default | meaning |", "|---|---|---|---|---|"]
    for path, secret in setting_paths():
        flag = f"`{FLAGS[path]}`" if path in FLAGS else ""
        name = environment_name(path)
        names = f"`{name}`, or `{name}_FILE`" if secret else f"`{name}`"
        rows.append(f"| `{path}` | {flag} | {names} | {_shown(defaults[path])} | {meanings.get(path, '')} |")
    return "\n".join(rows)


def _shown(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        value = ", ".join(value)
    return f"`{json.dumps(value) if isinstance(value, bool) else value}`"


def _defaults(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    names = type(group).model_fields if isinstance(group, BaseModel) else [f.name for f in dataclasses.fields(group)]
    for name in names:
        value = getattr(group, name)
        if isinstance(value, Group) or dataclasses.is_dataclass(value):
            yield from _defaults(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _meanings(group: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """What stands beneath each field in its class."""
    body = ast.parse(inspect.getsource(group)).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, beneath in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name = field.target.id
            kind = group.__annotations__[name]
            if isinstance(kind, type) and (issubclass(kind, Group) or dataclasses.is_dataclass(kind)):
                yield from _meanings(kind, f"{prefix}{name}.")
            elif isinstance(beneath, ast.Expr) and isinstance(beneath.value, ast.Constant):
                yield f"{prefix}{name}", " ".join(str(beneath.value.value).split()).replace("|", "\\|")


def main() -> int:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    fresh = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    if "--check" not in sys.argv:
        DOCUMENT.write_text(fresh, encoding="utf-8")
        return 0
    if fresh != text:
        print(f"{DOCUMENT.name} does not say what the settings are; run python scripts/settings_table.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
