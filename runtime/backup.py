"""A copy of a data directory while a relay runs on it, and a data directory from such a copy.

The order of copying is what makes the whole consistent. Ticks go from the spool into the quarantine or the store, and
from the quarantine into the store: copied in this order, a tick accepted before the copy began is in at least one of
the copies, and uids absorb what is in two. The ledger comes before the store: what it calls stored is there. Each file
is one moment of its database, by SQLite's own backup.

Redis' data is left out: what is not stored is in the spool, and buffers and candles fill again.
"""

import hashlib
import json
import re
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from tickwire.runtime.datadir import DataDirError, reserved

FORMAT = 1
MANIFEST = "manifest.json"
STORE = "ticks.db"
PRODUCER = "producer"
SPOOL = "spool.db"
LEDGER = "ledger.db"
DATABASES = (SPOOL, LEDGER, "quarantine.db", STORE)
"""In the order in which they are copied; others follow."""
SUFFIX = ".tar.gz"
PAGES = 1000
WAIT_S = 10.0

_NUMBERS = (Path(__file__).parent / "stores" / "spool_numbers.sql").read_text()

Tell = Callable[[str, float], None]
"""Hears which file is at work and how much of it is done, 0 to 1."""


class BackupError(Exception):
    """There is no copy, or it can't be restored; the text names the file and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds: names with the SHA-256 of their contents."""

    made_at: str
    tickwire: str
    files: Mapping[str, str]
    format: int = FORMAT


# -- making one ----------------------------------------------------------------------------------------------------


def back_up(data_dir: Path, target: Path, *, with_store: bool, version: str, tell: Tell) -> Manifest:
    """Copy what `data_dir` holds to `target`, a *.tar.gz or a folder to be made. Raises BackupError.

    Written beside the target first: it is there as a whole or not at all.
    """
    if not (data_dir / SPOOL).exists():
        raise BackupError(f"{data_dir} is no data directory (no spool.db); name the relay's with --data-dir")
    if target.exists():
        raise BackupError(f"{target} is there already; name another, or move it away")
    try:
        with _beside(target) as staging:
            manifest = _copy(data_dir, staging, with_store=with_store, version=version, tell=tell)
            if target.name.endswith(SUFFIX):
                packed = staging.with_suffix(".new")
                try:
                    _pack(staging, packed, tell)
                    packed.replace(target)
                finally:
                    packed.unlink(missing_ok=True)
            else:
                staging.chmod(0o755)
                staging.rename(target)
    except OSError as error:
        raise BackupError(f"{target}: {error.strerror or error}; make room there, or name another place") from error
    return manifest


def _copy(data_dir: Path, staging: Path, *, with_store: bool, version: str, tell: Tell) -> Manifest:
    others = sorted(path.name for path in data_dir.glob("*.db") if path.name not in DATABASES)
    for name in (*DATABASES, *others):
        if (data_dir / name).exists() and (with_store or name != STORE):
            _copy_database(data_dir / name, staging / name, lambda done, name=name: tell(name, done))  # type: ignore[misc]
    if (staging / LEDGER).exists():
        _number_on(staging)
    if (data_dir / PRODUCER).exists():
        shutil.copyfile(data_dir / PRODUCER, staging / PRODUCER)
    files = {path.name: _digest(path) for path in sorted(staging.iterdir())}
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(made_at=made_at, tickwire=version, files=files)
    (staging / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2), encoding="utf-8")
    return manifest


def _copy_database(source: Path, target: Path, tell: Callable[[float], None]) -> None:
    """One moment of a database that others write to. A reader never holds them up: all are in WAL mode."""
    try:
        read = sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=WAIT_S)
        write = sqlite3.connect(target, isolation_level=None)
        try:
            # A transaction of ours holds the moment: else every commit of a relay's would start the copy anew.
            read.execute("begin")
            read.execute("select count(*) from sqlite_master").fetchone()
            read.backup(write, pages=PAGES, progress=lambda _, left, all: tell(1 - left / max(all, 1)))
            (found,) = write.execute("pragma quick_check(1)").fetchone()
        finally:
            write.close()
            read.close()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise BackupError(f"{source}: {found}; see tickwire doctor, and docs/operations.md for a damaged file")


def _number_on(staging: Path) -> None:
    """The ledger's copy knows entries that the spool's, made before, does not: their numbers are taken."""
    with closing(sqlite3.connect(staging / SPOOL, isolation_level=None)) as db:
        db.execute("attach ? as ledger", (str(staging / LEDGER),))
        if db.execute(
            "select 1 from ledger.sqlite_master where name = 'posted'"
        ).fetchone():  # else it is just being made
            db.executescript(_NUMBERS)


def _pack(staging: Path, target: Path, tell: Tell) -> None:
    names = [MANIFEST, *(path.name for path in sorted(staging.iterdir()) if path.name != MANIFEST)]
    with tarfile.open(target, "w:gz", compresslevel=6) as archive:
        for place, name in enumerate(names, 1):
            archive.add(staging / name, arcname=name)
            tell("packing", place / len(names))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder next to `target`, gone afterwards unless it was moved."""
    parent = target.absolute().parent
    if not parent.is_dir():
        raise BackupError(f"{target} has no folder; make {parent}, or name another place")
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=parent))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


# -- restoring one -------------------------------------------------------------------------------------------------


def restore(source: Path, data_dir: Path, *, as_copy: bool, tell: Tell) -> Manifest:
    """Make `data_dir` of a backup; it must be empty, or not there. Raises BackupError.

    `as_copy` leaves the producer's name out: a new one is made at the first run, with an outbox of its own.
    """
    try:
        with reserved(data_dir), _opened(source) as read, _staged(data_dir) as staging:
            manifest = _manifest(source, read)
            for place, (name, digest) in enumerate(manifest.files.items(), 1):
                with read(name) as data, (staging / name).open("wb") as copy:
                    shutil.copyfileobj(data, copy)
                if _digest(staging / name) != digest:
                    raise BackupError(f"{source}: {name} is damaged; take another backup")
                tell(name, place / len(manifest.files))
            for name in manifest.files:
                if not (as_copy and name == PRODUCER):
                    (staging / name).rename(data_dir / name)
    except DataDirError as error:
        raise BackupError(str(error)) from error
    except (OSError, EOFError, tarfile.TarError) as error:
        said = getattr(error, "strerror", None) or error
        raise BackupError(f"{source} to {data_dir}: {said}; is it a backup, whole, and is there room?") from error
    return manifest


Read = Callable[[str], IO[bytes]]


@contextmanager
def _opened(source: Path) -> Iterator[Read]:
    """Reads members by name. Only names are asked for that a manifest may hold, so nothing is written elsewhere."""
    if source.is_dir():
        yield lambda name: (source / name).open("rb")
        return
    with tarfile.open(source, "r:gz") as archive:

        def read(name: str) -> IO[bytes]:
            try:
                found = archive.extractfile(name)
            except KeyError:
                found = None
            if found is None:
                raise BackupError(f"{source} has no {name} in it; is it a backup of tickwire's, and whole?")
            return found

        yield read


def _manifest(source: Path, read: Read) -> Manifest:
    try:
        with read(MANIFEST) as data:
            fields = json.loads(data.read())
        if fields["format"] != FORMAT:
            raise BackupError(f"{source} has format {fields['format']}, this tickwire knows {FORMAT}; upgrade it")
        files = {str(name): str(digest) for name, digest in fields["files"].items()}
        manifest = Manifest(made_at=str(fields["made_at"]), tickwire=str(fields["tickwire"]), files=files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{source}: its {MANIFEST} can't be read; take another backup") from error
    strange = [name for name in files if not re.fullmatch(r"[\w-]+(\.db)?", name)]
    if strange:
        raise BackupError(f"{source} names the file {strange[0]!r}; that is no backup of tickwire's")
    return manifest


@contextmanager
def _staged(data_dir: Path) -> Iterator[Path]:
    """A folder in the data directory (it may be a disk of its own), gone afterwards."""
    staging = data_dir / ".restoring"
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
