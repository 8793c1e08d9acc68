"""Tick JSON, the contract that every reader of Redis relies on (QuFLX v1 and v2, tickwire's own consumers).

    {"asset":"EURUSD_otc","price":1.06548,"timestamp":1694973457.271,"source":"pocketoption",
     "seq":1287,"epoch":"01J9…","received_at":1694973457.274}

Ticks are encoded once, where they enter, as RESP bulk strings (`$<length>\\r\\n<json>\\r\\n`), so that PUBLISH and
LPUSH further on are joins of bytes.
"""

from collections.abc import Iterable, Sequence

import orjson


def encode_ticks(
    *,
    asset: str,
    source: str,
    epoch: str,
    first_seq: int,
    recv_us: int,
    ts_us: Sequence[int],
    prices: Sequence[str],
) -> list[bytes]:
    """Each tick's JSON as a RESP bulk string. `asset` and `source` obey the grammar (ASCII, nothing to escape)."""
    template = (
        f'{{"asset":"{asset}","price":%s,"timestamp":%r,"source":"{source}","seq":%d,'
        f'"epoch":"{epoch}","received_at":{recv_us / 1e6!r}}}'
    )
    seqs = range(first_seq, first_seq + len(ts_us))
    texts = map(template.__mod__, zip(prices, [us / 1e6 for us in ts_us], seqs, strict=True))
    return [b"$%d\r\n%b\r\n" % (len(text), text) for text in map(str.encode, texts)]


def bulk_to_json(bulk: bytes) -> bytes:
    """The JSON inside a RESP bulk string."""
    return bulk[bulk.index(b"\n") + 1 : -2]


def json_to_bulk(json: bytes) -> bytes:
    """A RESP bulk string around JSON."""
    return b"$%d\r\n%b\r\n" % (len(json), json)


def join_json(bulks: Iterable[bytes]) -> bytes:
    """A JSON array of the ticks in `bulks`."""
    return b"[" + b",".join(map(bulk_to_json, bulks)) + b"]"


def tick_position(json: bytes) -> tuple[str, int]:
    """(epoch, seq) of a tick's JSON; ("", 0), which sorts lowest, for what another writer put there."""
    try:
        match orjson.loads(json):
            case {"epoch": str(epoch), "seq": int(seq)}:
                return epoch, seq
    except orjson.JSONDecodeError:
        pass
    return "", 0
