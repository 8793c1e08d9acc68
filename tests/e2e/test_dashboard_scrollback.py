"""Scrolling back in the chart of a real relay: every candle that it has comes into view, each once."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from support.browser import Watched
from support.tickwire_process import eventually, tickwire

pytestmark = pytest.mark.timeout(120)

WAIT_MS = 30_000
START = 1_767_700_800
STEP_S = 5
CANDLES = 1_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Ticks of some hours: a thousand candles of 15 s."""
    path = tmp_path / "EURUSD_otc.csv"
    lines = ["timestamp,asset,price"]
    for i in range(CANDLES * 15 // STEP_S):
        lines.append(f"{START + i * STEP_S},EURUSD_otc,{1.08 + (i % 97) * 1e-5:.5f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_scrolling_back_brings_all_that_the_relay_has(browser: Browser, recording: Path, tmp_path: Path) -> None:
    first = f"/api/v1/candles/EURUSD_otc?timeframe=15s&limit=10&to={START + 600}"
    with tickwire("run", "--feed", f"replay:{recording}?speed=max", "--batch-interval", "1", folder=tmp_path) as app:
        eventually(lambda: app.get(first).get("count") == 10, "the first candles are stored")
        seen = Watched(browser.new_page(viewport={"width": 1400, "height": 900}), f"{app.http}/#timeframe=15s")
        page = seen.page
        expect(page.locator("#chart canvas").first).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("#overlay")).to_have_count(0, timeout=WAIT_MS)
        box = page.locator("#chart").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 200, box["y"] + 200)

        def scrolled() -> bool:
            page.mouse.wheel(-600, 0)
            return page.locator(f"[data-bars='{CANDLES}']").count() == 1

        eventually(scrolled, "all of them are in the chart")
        expect(page.locator("[data-bars]")).to_have_text(f"{CANDLES:,} candles", timeout=WAIT_MS)
        expect(page.locator('[data-part="feed"] b')).to_have_text("ended", timeout=WAIT_MS)
        assert seen.complaints == []
