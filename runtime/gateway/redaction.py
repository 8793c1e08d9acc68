"""The last look at what leaves by HTTP: error texts of servers, libraries and brokers may repeat a secret."""

import re
from collections.abc import Iterable

from tickwire.runtime.logs import spellings


class Redaction:
    """Stars in place of every known secret, as many as it was long: the length of a body was said before it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known = [text.encode() for text in spellings(secrets)]
        self._pattern = re.compile(b"|".join(map(re.escape, self._known))) if self._known else None

    def __call__(self, body: bytes) -> bytes:
        # Looking for each by itself is far quicker than the pattern, and there is nothing nearly always.
        if self._pattern is None or not any(known in body for known in self._known):
            return body
        return self._pattern.sub(lambda found: b"*" * len(found[0]), body)

    def text(self, text: str) -> str:
        """The same of a WebSocket's text."""
        return self(text.encode()).decode() if self._known else text
