"""`tickwire version`."""

import json
import platform
from importlib.metadata import version as installed

from tickwire.runtime.cli.options import Json


def version(as_json: Json = False) -> None:
    """Print the version."""
    if as_json:
        print(json.dumps({"tickwire": installed("tickwire"), "python": platform.python_version()}))
    else:
        print(f"tickwire {installed('tickwire')}")
