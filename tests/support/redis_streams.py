"""Streams of the Redis model: entries, groups, pending lists, as Redis 7 keeps them (one field an entry)."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import hiredis

Id = tuple[int, int]
LARGEST = 2**64 - 1


@dataclass
class Nack:
    """A pending entry: whose it is, and when it was delivered last (ms)."""

    consumer: bytes
    delivered_ms: int


@dataclass
class Group:
    last_id: Id = (0, 0)
    pending: dict[Id, Nack] = field(default_factory=dict)
    consumers: set[bytes] = field(default_factory=set)

    def copy(self) -> "Group":
        pending = {place: copy.copy(nack) for place, nack in self.pending.items()}
        return Group(self.last_id, pending, set(self.consumers))


@dataclass
class Stream:
    entries: dict[Id, list[bytes]] = field(default_factory=dict)
    """Ascending: ids only grow, and dicts keep their order."""
    last_id: Id = (0, 0)
    groups: dict[bytes, Group] = field(default_factory=dict)

    def copy(self) -> "Stream":
        return Stream(dict(self.entries), self.last_id, {name: group.copy() for name, group in self.groups.items()})

    def add(self, asked: bytes, fields: Sequence[bytes], now_ms: int) -> bytes | hiredis.ReplyError:
        """XADD; `*` makes an id of the clock."""
        if asked == b"*":
            place = max((now_ms, 0), (self.last_id[0], self.last_id[1] + 1))
        else:
            place = parse_id(asked)
            if place <= self.last_id:
                return hiredis.ReplyError(
                    "ERR The ID specified in XADD is equal or smaller than the target stream top item"
                )
        self.entries[place] = list(fields)
        self.last_id = place
        return format_id(place)

    def delete(self, ids: Sequence[Id]) -> int:
        return sum(self.entries.pop(place, None) is not None for place in ids)

    def below(self, least: Id) -> list[Id]:
        """Ids that XTRIM MINID removes."""
        return [place for place in self.entries if place < least]

    def deliver(self, group: Group, consumer: bytes, count: int, now_ms: int) -> list[Id]:
        """XREADGROUP `>`."""
        group.consumers.add(consumer)
        places = [place for place in self.entries if place > group.last_id][:count]
        for place in places:
            group.pending[place] = Nack(consumer, now_ms)
            group.last_id = place
        return places

    def pending_of(self, group: Group, consumer: bytes, after: Id, count: int) -> list[Id]:
        """XREADGROUP with an id: what the consumer was given and has not acknowledged."""
        group.consumers.add(consumer)
        own = sorted(place for place, nack in group.pending.items() if nack.consumer == consumer and place > after)
        return own[:count]

    def claim(
        self, group: Group, consumer: bytes, idle_ms: int, start: Id, count: int, now_ms: int
    ) -> tuple[Id, list[Id], list[Id]]:
        """XAUTOCLAIM: (next cursor, claimed, deleted ones that were dropped from the pending)."""
        group.consumers.add(consumer)
        claimed: list[Id] = []
        deleted: list[Id] = []
        attempts = count * 10
        for place in sorted(place for place in group.pending if place >= start):
            if attempts <= 0 or len(claimed) + len(deleted) >= count:
                return place, claimed, deleted
            attempts -= 1
            nack = group.pending[place]
            if place not in self.entries:
                del group.pending[place]
                deleted.append(place)
            elif not idle_ms or now_ms - nack.delivered_ms >= idle_ms:
                group.pending[place] = Nack(consumer, now_ms)
                claimed.append(place)
        return (0, 0), claimed, deleted

    def rows(self, places: Sequence[Id]) -> list[list[object]]:
        """Entries as replies: [id, fields], fields None where the entry was deleted."""
        return [[format_id(place), self.entries.get(place)] for place in places]


def parse_id(text: bytes) -> Id:
    """`<ms>-<seq>`, as Redis compares ids; `-` and `+` are not used here."""
    ms, _, seq = text.partition(b"-")
    return int(ms), int(seq or 0)


def format_id(place: Id) -> bytes:
    return b"%d-%d" % place
