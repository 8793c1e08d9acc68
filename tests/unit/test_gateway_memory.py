"""What of feeds is kept for the questions of clients."""

from tickwire.actors.gateway_memory import GatewayMemory
from tickwire.messages.lifecycle import AssetSelected, FeedChanged


def selected(*assets: tuple[str, str | None]) -> GatewayMemory:
    memory = GatewayMemory()
    for feed, asset in assets:
        memory.note(AssetSelected(feed=feed, asset=asset), 0.0)
    return memory


def test_the_newest_choice_is_the_last_one() -> None:
    memory = selected(("chrome:1", "A"), ("chrome:2", "B"), ("chrome:1", "C"))
    assert list(memory.state().selected.items()) == [("chrome:2", "B"), ("chrome:1", "C")]


def test_nothing_is_selected_once_no_page_shows_anything_or_the_browser_is_gone() -> None:
    memory = selected(("chrome:1", "A"), ("chrome:2", "B"), ("chrome:1", None))
    assert memory.state().selected == {"chrome:2": "B"}
    memory.note(FeedChanged(feed="chrome:2", state="stale", detail="", stale_assets=["B"], gone=False), 0.0)
    assert memory.state().selected == {"chrome:2": "B"}
    memory.note(FeedChanged(feed="chrome:2", state="down", detail="gone", stale_assets=[], gone=False), 0.0)
    assert memory.state().selected == {}
