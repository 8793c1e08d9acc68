"""Which feed supplies an asset, and whether an epoch goes on."""

import pytest

from tickwire.market.ownership import EpochRecord, Ownership, continues


def test_the_first_to_ask_owns_an_asset_until_it_is_released() -> None:
    owners = Ownership()
    assert owners.claim("A", "one") == "one"
    assert owners.claim("A", "two") == "one"
    assert owners.claim("A", "one") == "one"
    assert owners.claim("B", "two") == "two"
    assert owners.release("one") == ["A"]
    assert owners.claim("A", "two") == "two"


def test_releasing_a_feed_that_owns_nothing_frees_nothing() -> None:
    owners = Ownership()
    owners.claim("A", "one")
    assert owners.release("two") == []
    assert owners.release("one") == ["A"]
    assert owners.release("one") == []


CLEAN = EpochRecord(epoch="E", seq=7, clean=True, boot_ms=5, head_epoch="E", head_seq=7)


def test_an_epoch_goes_on_after_a_clean_stop_that_wrote_its_last_tick() -> None:
    assert continues(CLEAN, 5)


@pytest.mark.parametrize(
    "record",
    [
        EpochRecord(epoch="E", seq=7, clean=False, boot_ms=5, head_epoch="E", head_seq=7),
        EpochRecord(epoch=None, seq=0, clean=True, boot_ms=5, head_epoch=None, head_seq=0),
        EpochRecord(epoch="E", seq=7, clean=True, boot_ms=5, head_epoch="E", head_seq=6),
        EpochRecord(epoch="E", seq=7, clean=True, boot_ms=5, head_epoch="E", head_seq=8),
        EpochRecord(epoch="E", seq=7, clean=True, boot_ms=5, head_epoch="F", head_seq=7),
        EpochRecord(epoch="E", seq=7, clean=True, boot_ms=5, head_epoch=None, head_seq=0),
    ],
)
def test_any_doubt_begins_a_new_epoch(record: EpochRecord) -> None:
    assert not continues(record, 5)


def test_a_clean_stop_before_the_last_boot_is_a_doubt() -> None:
    assert not continues(CLEAN, 6)
