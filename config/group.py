"""What all groups of settings are made of."""

import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """Settings that belong together. Frozen; unknown names are errors; errors and repr show no secrets."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def items(value: Any, separator: str) -> Any:
    """A list from one string, as an environment variable or a flag gives it."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError('is no JSON list; write ["…", "…"]') from error
    return [item.strip() for item in value.split(separator) if item.strip()]


def comma_items(value: Any) -> Any:
    return items(value, ",")
