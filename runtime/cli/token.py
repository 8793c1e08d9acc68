"""`tickwire token`: a token for a client of a relay that asks for one."""

import re
from pathlib import Path
from typing import Annotated

import typer

from tickwire.runtime.cli.options import Config, load_settings
from tickwire.runtime.cli.problems import USAGE, CommandFailed

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_S = 10 * 366 * 86_400
OWN_TTL_S = 60
"""Of those that our own commands make for themselves."""


def token(
    audience: Annotated[
        str | None,
        typer.Option("--audience", metavar="NAME", help="Whom it is meant for (default http.token_audience)."),
    ] = None,
    ttl: Annotated[str, typer.Option("--ttl", metavar="TIME", help="How long it is good: 900, 15m, 12h, 30d.")] = "1h",
    config: Config = None,
) -> None:
    """Print a token that the relay with this http.token_secret takes: Authorization: Bearer …, or /ws?token=…."""
    ttl_s = _seconds(ttl)
    settings = load_settings({}, config).settings.http
    if settings.token_secret is None:
        raise CommandFailed(
            "there is no secret to sign with; set TICKWIRE_HTTP__TOKEN_SECRET, "
            "or TICKWIRE_HTTP__TOKEN_SECRET_FILE to a file that holds it",
            USAGE,
        )
    from tickwire.runtime.gateway.tokens import Tokens

    print(Tokens(settings.token_secret.get_secret_value(), audience or settings.token_audience).mint(ttl_s))


def own_token(config: Path | None) -> str | None:
    """A token for a command's own questions, where the settings here have a secret."""
    settings = load_settings({}, config).settings.http
    if settings.token_secret is None:
        return None
    from tickwire.runtime.gateway.tokens import Tokens

    return Tokens(settings.token_secret.get_secret_value(), settings.token_audience).mint(OWN_TTL_S)


def _seconds(ttl: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", ttl)
    seconds = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_S:
        raise CommandFailed(f"--ttl {ttl}: write a time such as 900, 15m, 12h or 30d, ten years at most", USAGE)
    return seconds
