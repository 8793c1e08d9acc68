"""Where HTTP listens, and who may ask there. Loopback is for this machine; any other address wants tokens."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from tickwire.config.group import Group, comma_items

SECRET_CHARACTERS = 32
"""A shorter secret of tokens could be guessed from a token."""
_HOST = r"\[[0-9a-f:.]+\]|[a-z0-9._-]+"
_ORIGIN = re.compile(rf"https?://(?:{_HOST})(?::[0-9]{{1,5}})?")


def split_address(address: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPV6]:PORT` as (host, port). Raises ValueError."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", address)
    if found is None or int(found[3]) > 65_535:
        raise ValueError("write HOST:PORT such as 127.0.0.1:3001 (port 0 picks a free one)")
    return found[1] or found[2], int(found[3])


def is_loopback(host: str) -> bool:
    """Whether a host's name or address (without port and brackets) is this machine's loopback."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_address(address: str) -> str:
    split_address(address)
    return address


def _checked_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    lower = tuple(origin.lower() for origin in origins)
    for origin in lower:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin[:60]!r} is no origin; write https://HOST or https://HOST:PORT, no path, no *")
    return lower


def _checked_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    lower = tuple(host.lower() for host in hosts)
    for host in lower:
        if not re.fullmatch(_HOST, host):
            raise ValueError(f"{host[:60]!r} is no host; write a name such as ticks.example, no port, no *")
    return lower


class HttpSettings(Group):
    address: Annotated[str, AfterValidator(_checked_address)] = "127.0.0.1:3001"
    """HOST:PORT to listen on; port 0 picks a free one."""
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(comma_items), AfterValidator(_checked_origins)] = ()
    """Pages that may ask from a browser, each exactly as `https://HOST[:PORT]`; commas between."""
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(comma_items), AfterValidator(_checked_hosts)] = ()
    """Names by which clients may reach it, beside IP addresses and the hosts of allowed_origins; commas between."""
    token_secret: SecretStr | None = None
    """Signs the tokens that clients must show; at least 32 characters. `tickwire token` mints one."""
    token_audience: Annotated[str, Field(min_length=1, max_length=200)] = "tickwire"  # noqa: S105  # a name
    """Whom a token must be meant for."""
    open: bool = False
    """Listen on an address other than loopback without asking for tokens."""

    @property
    def host(self) -> str:
        return split_address(self.address)[0]

    @property
    def port(self) -> int:
        return split_address(self.address)[1]

    @field_validator("token_secret")
    @classmethod
    def _secret_is_long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < SECRET_CHARACTERS:
            remedy = 'python -c "import secrets; print(secrets.token_hex(32))" makes one'
            raise ValueError(f"is shorter than {SECRET_CHARACTERS} characters; {remedy}")
        return secret

    @model_validator(mode="after")
    def _others_need_a_token(self) -> "HttpSettings":
        if self.open and self.token_secret is not None:
            raise ValueError("open asks for no tokens, token_secret for some; unset one of them")
        if not (is_loopback(self.host) or self.open or self.token_secret is not None):
            raise ValueError(
                f"address {self.address} can be reached from other machines; set TICKWIRE_HTTP__TOKEN_SECRET "
                "(or …_FILE) so that clients need a token, or http.open = true to let all who reach it read"
            )
        return self
