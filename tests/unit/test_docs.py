"""The docs say what is there: links lead somewhere, commands exist, no message and no setting is missing."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tickwire.config.loader import load
from tickwire.config.urls import PocketOptionFeed
from tickwire.runtime.cli import main

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = {
    "run",
    "replay",
    "simulate",
    "record",
    "status",
    "history",
    "migrate",
    "bench",
    "config",
    "version",
    "doctor",
    "quarantine",
    "backup",
    "import",
}


def lines_of_commands(document: Path) -> set[str]:
    """Every line of a shell block that calls tickwire."""
    text = document.read_text(encoding="utf-8")
    blocks = [body for language, body in FENCE.findall(text) if language in ("", "sh")]
    found = set()
    for line in "\n".join(blocks).splitlines():
        call = re.match(r"(?:\.venv/bin/)?tickwire (?!ready)(.*)", line.strip())
        if call is not None:
            found.add(call[1].partition(" #")[0].partition(" | ")[0].strip())
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://", "#")):
            continue
        path = (document.parent / target.partition("#")[0]).resolve()
        assert path.exists(), f"{document.relative_to(ROOT)} links to {target}"
        assert path.is_relative_to(ROOT), f"{document.relative_to(ROOT)} links outside: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_command_in_the_docs_is_understood(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --help at the end every flag before it is parsed and nothing runs."""
    for line in sorted(lines_of_commands(document)):
        code = main([*shlex.split(line), "--help"])
        assert code == 0, f"{document.relative_to(ROOT)}: tickwire {line}: {capsys.readouterr().err}"


def test_readme_shows_commands_and_names_each() -> None:
    readme = ROOT / "README.md"
    assert len(lines_of_commands(readme)) >= 7
    named = set(re.findall(r"`tickwire (\w+)", readme.read_text(encoding="utf-8")))
    assert named >= COMMANDS


def test_readme_begins_with_the_picture_and_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:20]
    shown = "\n".join(first_screen)
    assert "](docs/images/page.png)" in shown
    assert "make run" in shown
    assert "make test" in shown


def test_the_settings_file_in_the_readme_can_be_used(tmp_path: Path) -> None:
    (text,) = [body for language, body in FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
               if language == "toml"]  # fmt: skip
    (tmp_path / "tickwire.toml").write_text(text, encoding="utf-8")
    (tmp_path / "session.txt").write_text("a-session", encoding="utf-8")
    loaded = load(folder=tmp_path, environ={})
    assert loaded.settings.batch.interval_s == 10
    assert isinstance(loaded.settings.parsed_feeds[0], PocketOptionFeed)


def test_every_message_is_described_and_nothing_else() -> None:
    there = set()
    for module in (ROOT / "messages").glob("*.py"):
        if module.stem not in ("__init__", "addressing"):
            body = ast.parse(module.read_text(encoding="utf-8")).body
            there |= {node.name for node in body if isinstance(node, ast.ClassDef)}
    described = re.findall(r"`([A-Z]\w+)`", (ROOT / "docs" / "messages.md").read_text(encoding="utf-8"))
    assert set(described) == there
    assert len(described) == len(set(described))


def test_the_table_of_settings_is_what_the_settings_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "settings_table.py"), "--check"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_actor_is_described() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for actor in ("tick_ingestor", "buffer_keeper", "publisher", "batch_writer", "cache_manager", "metrics_collector",
                  "gateway"):  # fmt: skip
        assert f"| {actor.title().replace('_', '')}" in text
