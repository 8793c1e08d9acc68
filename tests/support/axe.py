"""axe-core, the judge of what a page is to people who can't see or point."""

from pathlib import Path

from playwright.sync_api import Page
from support.recordings import missing

_FILE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def axe_source() -> str:
    """A named skip where it is not installed, a failure in CI."""
    if not _FILE.is_file():
        missing("axe-core is not installed: npm ci --prefix web")
    return _FILE.read_text(encoding="utf-8")


def faults(page: Page, source: str) -> list[tuple[str, str, str]]:
    """(impact, rule, where) of each fault. The source goes in by the debugger: the page's policy lets no script in."""
    page.evaluate(f"window.axe || (() => {{ {source} }})()")
    found = page.evaluate("axe.run(document)")
    assert found["passes"], "axe has looked at nothing"
    return [(fault["impact"], fault["id"], str(fault["nodes"][0]["target"])) for fault in found["violations"]]
