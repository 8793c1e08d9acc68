"""The names of everything in Redis: a contract with QuFLX's readers."""

import pytest

from tickwire.market.keys import GROUP, Keys


@pytest.mark.parametrize("asset", ["EURUSD_otc", "#AAPL_otc", "TON-USD_otc", "XBT/USD"])
def test_quflx_finds_its_keys_where_they_were(asset: str) -> None:
    keys = Keys()
    assert keys.ticks(asset) == f"ticks:{asset}"
    assert keys.updates(asset) == f"updates:{asset}"
    assert keys.historical(asset, "1m") == f"historical:{asset}:1m"
    assert (keys.market_data, keys.system_status) == ("market_data", "system_status")


def test_our_own_keys_have_a_prefix_of_their_own() -> None:
    keys = Keys()
    ours = [keys.epoch("A"), keys.outbox("p1"), keys.acked("p1"), keys.assets, keys.heartbeat, keys.candles]
    assert ours == [
        "tickwire:epoch:A", "tickwire:outbox:p1", "tickwire:acked:p1", "tickwire:assets", "tickwire:heartbeat",
        "tickwire:candles",
    ]  # fmt: skip
    assert GROUP == "tickwire"


def test_on_a_cluster_an_asset_can_be_the_hash_tag() -> None:
    keys = Keys(ticks_template="ticks:{{{asset}}}", epoch_template="tickwire:epoch:{{{asset}}}")
    assert keys.ticks("EURUSD_otc") == "ticks:{EURUSD_otc}"
    assert keys.epoch("EURUSD_otc") == "tickwire:epoch:{EURUSD_otc}"


def test_a_key_is_never_a_pattern_or_a_template_of_its_asset() -> None:
    assert Keys().ticks("{asset}") == "ticks:{asset}"
    assert Keys().ticks("%s") == "ticks:%s"
