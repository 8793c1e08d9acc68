"""A file to be imported as numbered lines, how far it was read, and what each line turned out to be."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

SAMPLE = 80
"""Characters of a bad line that are shown."""


class ImportFileError(Exception):
    """A file can't be imported; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """A line that can be stored."""

    line: int
    value: T


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't, and why."""

    line: int
    reason: str
    sample: str


class Lines:
    """The fields of each line that is not blank. `number` is the line last given, `digest` of all bytes up to it.

    A `.gz` that was cut off ends where it was cut. Raises ImportFileError where the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.text = ""
        self.cut_off = False
        self._digest = blake2b(digest_size=16)
        self._open = ExitStack()

    def __enter__(self) -> "Lines":
        try:
            self._raw = self._open.enter_context(self.path.open("rb"))
        except FileNotFoundError as error:
            raise ImportFileError(f"{self.path}: no such file; paths are relative to {Path.cwd()}") from error
        except OSError as error:
            raise self._unreadable(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    @property
    def place(self) -> int:
        """Bytes of the file read so far, compressed ones where it is compressed."""
        return self._raw.tell()

    def rows(self) -> Iterator[list[str]]:
        packed = self.path.name.endswith(".gz")
        source = self._open.enter_context(gzip.GzipFile(fileobj=self._raw)) if packed else self._raw
        try:
            for line in source:
                self.number += 1
                self._digest.update(line)
                self.text = line.decode("utf-8-sig", errors="replace").strip()
                if self.text:
                    yield [part.strip() for part in self.text.split(",")]
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if not self.number:
                raise self._unreadable(error) from error
            self.cut_off = True
        except OSError as error:
            raise self._unreadable(error) from error

    def bad(self, reason: str) -> BadLine:
        """The line last given is bad."""
        return BadLine(self.number, reason, self.text[:SAMPLE])

    def _unreadable(self, error: Exception) -> ImportFileError:
        return ImportFileError(f"{self.path}: can't be read: {getattr(error, 'strerror', None) or error}")
