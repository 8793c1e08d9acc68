"""BatchWriter's Redis: the outbox stream, as the one consumer of its group.

Acknowledging moves a floor: the highest id with nothing pending at or below it. All at or below the floor is stored, so
it is written to `tickwire:acked:{producer}` (the spool forgets by it) and trimmed from the stream.
"""

from collections.abc import Sequence
from typing import Any

import hiredis

from tickwire.actors.ports import OutboxEntry, OutboxMissing
from tickwire.market.keys import GROUP, Keys
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import check, first_error, pack

CONSUMER = "writer"
"""The same at every start: what the last one left pending is this one's to finish."""

Id = tuple[int, int]


class RedisOutbox:
    """`OutboxRedis` on a server."""

    def __init__(self, link: RedisLink, keys: Keys, producer: str, *, consumer: str = CONSUMER) -> None:
        self._link = link
        self._key = keys.outbox(producer)
        self._acked = keys.acked(producer)
        self._consumer = consumer
        self._hollow: set[Id] = set()

    @property
    def link(self) -> RedisLink:
        return self._link

    def read_own_pending(self, after_id: str, limit: int) -> Sequence[OutboxEntry]:
        return self._entries(self._read(after_id, limit))

    def read_new(self, limit: int) -> Sequence[OutboxEntry]:
        return self._entries(self._read(">", limit))

    def _read(self, after: str, limit: int) -> list[Any]:
        reading = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", limit, "STREAMS", self._key, after)
        (streams,) = self._ask(pack(*reading), 1)
        return streams[0][1] if streams else []

    def claim_stale(self, min_idle_s: float, limit: int) -> Sequence[OutboxEntry]:
        claimed: list[Any] = []
        cursor = b"0-0"
        while True:
            idle_ms = int(min_idle_s * 1000)
            claiming = ("XAUTOCLAIM", self._key, GROUP, self._consumer, idle_ms, cursor, "COUNT", limit - len(claimed))
            ((cursor, entries, *deleted),) = self._ask(pack(*claiming), 1)
            if deleted and deleted[0]:
                raise OutboxMissing(f"entries of {self._key} were deleted before they were stored")
            claimed += entries
            if cursor == b"0-0" or len(claimed) >= limit:
                return self._entries(claimed)

    def acknowledge(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        acked = [*ids, *map(_format, self._outlived(ids))]
        self._advance(pack("XACK", self._key, GROUP, *acked), 1)

    def settle(self) -> None:
        self._advance(b"", 0)

    def _advance(self, acking: bytes, acks: int) -> None:
        payload = acking + pack("XPENDING", self._key, GROUP)
        payload += pack("XINFO", "GROUPS", self._key) + pack("GET", self._acked)
        pending, groups, known = self._ask(payload, acks + 3)[acks:]
        floor = max(_floor(pending, groups), _parse(known or b"0-0"))
        if floor == (0, 0):
            return
        # The trim goes out although the SET may be refused (out of memory): everything it removes is stored, and
        # it is what makes room.
        payload = pack("SET", self._acked, _format(floor)) + pack(
            "XTRIM", self._key, "MINID", "=", _format(_after(floor))
        )
        check(self._link.call(payload, 2))

    def backlog(self) -> int:
        (length,) = self._ask(pack("XLEN", self._key), 1)
        return int(length)

    def _ask(self, payload: bytes, replies: int) -> list[Any]:
        answers = self._link.call(payload, replies)
        error = first_error(answers)
        if error is not None and _says_missing(error):
            raise OutboxMissing(f"{self._key}: {error}") from error
        check(answers)
        return answers

    def _entries(self, raw: Sequence[Any]) -> Sequence[OutboxEntry]:
        """Entries of a reply. One that is pending but was deleted from the stream has no fields: it is hollow.

        Hollow ones hold the floor where it is, until entries of a later boot are acknowledged: the spool still has
        them, and forwards them again once OutboxMissing has been told.
        """
        hollow = {_parse(place) for place, fields in raw if not fields} - self._hollow
        if hollow:
            self._hollow |= hollow
            raise OutboxMissing(f"{len(hollow)} entries of {self._key} were deleted before they were stored")
        return [OutboxEntry(place.decode(), fields[1]) for place, fields in raw if fields]

    def _outlived(self, ids: Sequence[str]) -> set[Id]:
        """Hollow ids of boots before the ones acknowledged now."""
        if not self._hollow:
            return self._hollow
        boot = min(map(_parse, ids))[0]
        outlived = {place for place in self._hollow if place[0] < boot}
        self._hollow -= outlived
        return outlived


def _says_missing(error: hiredis.ReplyError) -> bool:
    """NOGROUP, or what XINFO says instead. fakeredis puts ERR before the one, and has its own words for the other."""
    return any(part in str(error) for part in ("NOGROUP", "no such key", "requires the key to exist"))


def _floor(pending: list[Any], groups: list[Any]) -> Id:
    """The highest id with nothing pending at or below it, from XPENDING's summary and XINFO GROUPS."""
    if pending[0]:
        return _before(_parse(pending[1]))
    for group in groups:
        fields = dict(zip(group[::2], group[1::2], strict=True))
        if fields[b"name"] == GROUP.encode():
            return _parse(fields[b"last-delivered-id"])
    raise OutboxMissing(f"the group {GROUP} is gone")


def _parse(place: str | bytes) -> Id:
    """`<ms>-<seq>` as a pair that compares as Redis compares ids."""
    ms, _, seq = (place.decode() if isinstance(place, bytes) else place).partition("-")
    return int(ms), int(seq or 0)


def _format(place: Id) -> str:
    return f"{place[0]}-{place[1]}"


def _before(place: Id) -> Id:
    ms, seq = place
    return (ms, seq - 1) if seq else (ms - 1, 2**64 - 1)


def _after(place: Id) -> Id:
    return place[0], place[1] + 1
