"""Which asset a client means."""

import pytest

from tickwire.market.spelling import AmbiguousAsset, Spellings, UnknownAsset

KNOWN = Spellings(["EURUSD_otc", "EURUSD", "#AAPL_otc", "TON-USD_otc", "XBT/USD"])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("EURUSD_otc", "EURUSD_otc"),
        ("EURUSDOTC", "EURUSD_otc"),
        ("EURUSD", "EURUSD"),
        ("eurusd", "EURUSD"),
        ("AAPLOTC", "#AAPL_otc"),
        ("TONUSDOTC", "TON-USD_otc"),
        ("XBTUSD", "XBT/USD"),
    ],
)
def test_a_spelling_is_compared_with_known_assets(said: str, meant: str) -> None:
    assert KNOWN.resolve(said) == meant


@pytest.mark.parametrize("said", ["GBPUSDOTC", "EUR", "", "###"])
def test_what_nobody_knows_is_refused(said: str) -> None:
    with pytest.raises(UnknownAsset):
        KNOWN.resolve(said)


def test_a_spelling_of_two_assets_is_refused_with_both() -> None:
    twins = Spellings(["TON-USD", "TONUSD_", "TONUSD"])
    assert twins.resolve("TONUSD") == "TONUSD"
    with pytest.raises(AmbiguousAsset, match="TON-USD or TONUSD or TONUSD_"):
        twins.resolve("tonusd")
