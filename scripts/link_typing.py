"""Make `.typing/tickwire/`, the view of the packages that type checkers follow.

The folders at the top of the repository are packages of `tickwire` by setuptools' mapping, which
no type checker reads. This lays links (copies where the system has no links) so that
`mypy -p tickwire` with `mypy_path = .typing` sees the tree as it is installed.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VIEW = ROOT / ".typing" / "tickwire"
FOLDERS = ("actors", "config", "market", "messages", "runtime")


def main() -> None:
    shutil.rmtree(VIEW.parent, ignore_errors=True)
    VIEW.mkdir(parents=True)
    for name in FOLDERS:
        _link(ROOT / name, VIEW / name)
    for file in (ROOT / "src" / "tickwire").iterdir():
        if file.suffix in {".py", ".typed"}:
            _link(file, VIEW / file.name)


def _link(target: Path, link: Path) -> None:
    try:
        link.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:  # Windows without the right to make links
        if target.is_dir():
            shutil.copytree(target, link)
        else:
            shutil.copy2(target, link)


if __name__ == "__main__":
    main()
