"""The data directory: one run at a time, a producer id for ever, and `run.json` that tells other commands of the run.

lock        held by the running process, for the operating system to give back however it ends
producer    the id of this directory's outbox stream, made once
run.json    {pid, http, redis, store} of the run, credentials masked; removed at a clean stop
redis/      the embedded server's
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from tickwire.runtime.platform import lock_file

LOCK_WAIT_S = 5.0
"""The guard of a killed run may still be ending."""
_POLL_S = 0.05


class DataDirError(Exception):
    """The data directory can't be used; the text names it and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Where a run is to be found. URLs carry no credentials."""

    pid: int
    http: str
    redis: str
    store: str


class DataDir:
    """A data directory, ours from `open` to `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._producer = ""
        self.killed = False
        """Whether the last run never came to its end; known once open."""

    @property
    def producer(self) -> str:
        """The producer id; known once open."""
        assert self._producer
        return self._producer

    def open(self, *, wait_s: float = LOCK_WAIT_S) -> None:
        """Make the directory if need be, lock it, read or make its producer id. Raises DataDirError.

        Waits up to `wait_s` for another run to end.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except (FileExistsError, NotADirectoryError) as error:
            raise DataDirError(
                f"data directory {self.path}: there is a file in its way; name another with --data-dir"
            ) from error
        except OSError as error:
            raise self._unusable(error) from error
        if not _lock_within(lock, wait_s):
            os.close(lock)
            raise self._taken()
        self._lock = lock
        try:
            self._producer = self._read_or_make_producer()
            # Whatever run.json says was said by a run that is over; a clean end would have taken it away.
            self.killed = (self.path / "run.json").is_file()
            (self.path / "run.json").unlink(missing_ok=True)
        except OSError as error:
            self._unlock()
            raise self._unusable(error) from error
        except DataDirError:
            self._unlock()
            raise

    def write_run(self, run: RunInfo) -> None:
        """Tell other commands of this run."""
        _write_whole(self.path / "run.json", json.dumps(asdict(run)))

    def close(self) -> None:
        """Remove run.json and give the directory back; idempotent."""
        if self._lock is None:
            return
        try:
            (self.path / "run.json").unlink(missing_ok=True)
        finally:
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "DataDir":
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_or_make_producer(self) -> str:
        file = self.path / "producer"
        if not file.exists():
            _write_whole(file, uuid.uuid4().hex)
        producer = file.read_text(encoding="ascii", errors="replace").strip()
        if not (producer.isascii() and producer.isalnum()):
            raise DataDirError(
                f"data directory {self.path}: its producer file holds no id; remove the file and a new id is made "
                "(what is not stored yet is in the spool, and goes out under the new one)"
            )
        return producer

    def _unusable(self, error: OSError) -> DataDirError:
        return DataDirError(
            f"data directory {self.path}: {error.strerror or error}; make it writable for this user, "
            "or name another with --data-dir"
        )

    def _taken(self) -> DataDirError:
        run = _read_run(self.path)
        by = f"process {run.pid}" if run is not None else "another process"
        return DataDirError(f"data directory {self.path}: {by} runs on it; stop that, or name another with --data-dir")


def find_run(path: Path) -> RunInfo | None:
    """The run on a data directory, for other commands; None where none is (a run.json left behind counts as none)."""
    run = _read_run(path)
    return run if run is not None and locked(path) else None


def locked(path: Path) -> bool:
    """Whether somebody runs on a data directory, or is about to."""
    try:
        lock = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock_file(lock)
    finally:
        os.close(lock)


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Make a directory to be filled, or take an empty one; nobody runs on it meanwhile. Raises DataDirError.

    The lock's file stays: removed, it could be another's by then, and counts as nothing.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600) if _empty(path) else None
    except OSError as error:
        raise DataDirError(f"data directory {path}: {error.strerror or error}; name another with --data-dir") from error
    try:
        if lock is None or not lock_file(lock) or not _empty(path):
            run = find_run(path)
            by = f"process {run.pid} runs on it" if run is not None else "it is in use, or not empty"
            raise DataDirError(f"data directory {path}: {by}; name one that is empty or not there")
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _empty(path: Path) -> bool:
    return all(each.name == "lock" for each in path.iterdir())


def _read_run(path: Path) -> RunInfo | None:
    try:
        fields = json.loads((path / "run.json").read_text(encoding="utf-8"))
        return RunInfo(pid=fields["pid"], http=fields["http"], redis=fields["redis"], store=fields["store"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _lock_within(lock: int, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while not lock_file(lock):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _write_whole(file: Path, text: str) -> None:
    """Write all of it or nothing: a reader, or a crash, never finds half."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
