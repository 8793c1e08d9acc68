"""The steps from QuFLX's table, or from none, to ours. Each may be run again; old writers go on meanwhile.

A file `NNN_name.sql` is one transaction; `NNN_name.concurrent.sql` holds one statement that takes none.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    name: str
    sql: str
    concurrent: bool
    """Builds an index beside the table's writers: by itself, outside a transaction."""


def migrations() -> list[Migration]:
    """All of them, in order."""
    files = sorted(Path(__file__).parent.glob("*.sql"))
    return [
        Migration(
            name=path.name.partition(".")[0], sql=path.read_text(), concurrent=path.name.endswith(".concurrent.sql")
        )
        for path in files
    ]


def script() -> str:
    """All of them for a person to run, in Supabase's SQL editor or psql."""
    alone = {False: "", True: ", by itself: the editor would put several statements into one transaction"}
    return "\n".join(
        f"-- Step {place}: run this{alone[migration.concurrent]}\n\n{migration.sql}"
        for place, migration in enumerate(migrations(), 1)
    )
