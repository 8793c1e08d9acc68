"""Who a tick is: uid, ordinals, epochs.

A tick's *uid* is made of raw values alone (never of the estimated clock offset), so that the same tick gets the
same uid live, in the broker's history, in a replay and after a restart: repeats collapse in the store.
"""

import os
from collections.abc import Sequence
from hashlib import blake2b

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def tick_uids(
    *,
    source: str,
    asset: str,
    raw_us: Sequence[int],
    stamps: Sequence[str],
    prices: Sequence[str],
    ordinals: Sequence[int | str],
) -> list[str]:
    """UUIDv8 of each tick, 36 characters.

    48 bits of milliseconds of the raw stamp, version and variant, and 74 bits of BLAKE2b over source, asset, raw
    stamp text, price text and ordinal (or trade id), joined by NUL, which none of them can contain.
    """
    head = blake2b(f"{source}\0{asset}\0".encode(), digest_size=10)
    uids = []
    for us, stamp, price, ordinal in zip(raw_us, stamps, prices, ordinals, strict=True):
        digest = head.copy()
        digest.update(f"{stamp}\0{price}\0{ordinal}".encode())
        rest = digest.hexdigest()
        ms = f"{(us // 1000) & 0xFFFF_FFFF_FFFF:012x}"
        variant = "89ab"[int(rest[3], 16) & 3]
        uids.append(f"{ms[:8]}-{ms[8:]}-8{rest[:3]}-{variant}{rest[4:7]}-{rest[7:19]}")
    return uids


def new_epoch(now_us: int) -> str:
    """A ULID: 48 bits of milliseconds, 80 of randomness; later ones sort higher."""
    value = (now_us // 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))
