"""`tickwire config show` and `config check`: the settings as `run` would see them from here."""

import json

from tickwire.runtime.cli.options import Config, Json, load_settings
from tickwire.runtime.cli.tables import show_table


def show_config(config: Config = None, as_json: Json = False) -> None:
    """Print every setting, its value (secrets masked) and where it comes from."""
    rows = load_settings({}, config).shown()
    if as_json:
        print(json.dumps({path: {"value": value, "origin": origin} for path, value, origin in rows}, indent=2))
    else:
        show_table(("setting", "value", "from"), rows)


def check_config(config: Config = None) -> None:
    """Say everything that is wrong with the settings (exit code 2), or that nothing is."""
    loaded = load_settings({}, config)
    print(f"settings are good{f' ({loaded.file})' if loaded.file is not None else ''}")
