"""How a command ends early."""

FAILED = 1
USAGE = 2
GAVE_UP = 70


class CommandFailed(Exception):
    """Ends the command: `str()` is what the user is told, a line a problem, each with its remedy."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__("\n".join(f"tickwire: {line}" for line in message.splitlines()))
        self.code = code


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """A text of others' (a server's, a library's) without the secrets it may repeat."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
