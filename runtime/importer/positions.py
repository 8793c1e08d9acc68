"""How far each file's import came: `imports/<digest>.json` in the data directory, one a file and store, until done.

Only what the store has confirmed counts. The position is trusted only while the bytes before it are the same: a file
that was changed begins anew, which costs time and no row twice.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

FOLDER = "imports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """So many lines are dealt with; `digest` is of all bytes up to there."""

    lines: int
    digest: str


class Positions:
    """Of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER

    def read(self, what: str) -> Position | None:
        """`what` names file, store and options. None where nothing readable is kept."""
        try:
            kept = json.loads(self._file(what).read_text(encoding="utf-8"))
            return Position(lines=int(kept["lines"]), digest=str(kept["digest"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, what: str, position: Position) -> None:
        """All of it or nothing. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(what)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps({"of": what, **asdict(position)}), encoding="utf-8")
        fresh.replace(file)

    def forget(self, what: str) -> None:
        """It is done."""
        with suppress(FileNotFoundError):
            self._file(what).unlink()

    def _file(self, what: str) -> Path:
        return self._folder / f"{blake2b(what.encode(), digest_size=12).hexdigest()}.json"
