"""The command `tickwire` with an actor that fails again and again, its errors full of every secret there is.

python tests/support/leaking_tickwire.py run --feed …
"""

import sys
from urllib.parse import quote

from tickwire.actors.publisher import Publisher
from tickwire.config.loader import load
from tickwire.runtime.cli import main


class Leak(Exception):
    """An error as a careless library would raise it."""


def leak(self: Publisher) -> None:
    secrets = load().settings.secrets
    try:
        raise ValueError(f"could not use {secrets[0]!r}", list(secrets))
    except ValueError as error:
        told = " ".join(f"{secret} {quote(secret, safe='')} {secret!r}" for secret in secrets)
        raise Leak(f"{told}\n{dict.fromkeys(secrets, secrets)}") from error


if __name__ == "__main__":
    Publisher._heartbeat = leak  # type: ignore[method-assign]
    sys.exit(main())
