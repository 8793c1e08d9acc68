"""BufferKeeper's Redis: the assets' buffer lists with their epoch hashes, and its own outbox stream."""

from collections.abc import Iterable, Sequence
from typing import Any

import hiredis
import orjson

from tickwire.actors.ports import ListPush, OutboxEntry, OutboxMissing
from tickwire.market.keys import GROUP, Keys
from tickwire.market.ownership import EpochRecord
from tickwire.market.packing import pack as pack_ticks
from tickwire.runtime.redisio.faults import refusal
from tickwire.runtime.redisio.link import RedisLink
from tickwire.runtime.redisio.resp import array_head, bulks, check, first_error, pack, text

BUFFER_SIZE = 1000
FIELD = "p"
"""The one field of an outbox entry: packed columns."""
NO_TICKS = pack_ticks([])
"""What is appended under an id that is in already, to see that it is."""

_MULTI = pack("MULTI")
_EXEC = pack("EXEC")


class RedisBuffer:
    """`BufferRedis` on a server. Whatever `forward` raises, the lists it pushed want a rewrite."""

    def __init__(self, link: RedisLink, keys: Keys, producer: str, *, buffer_size: int = BUFFER_SIZE) -> None:
        self._link = link
        self._keys = keys
        self._outbox = keys.outbox(producer)
        self._acked = keys.acked(producer)
        self._buffer_size = buffer_size
        self._lists: dict[str, _ListCommands] = {}
        self._append_head = array_head(6) + bulks("XADD", self._outbox, "NOMKSTREAM")

    @property
    def link(self) -> RedisLink:
        return self._link

    def epoch(self, asset: str) -> EpochRecord:
        payload = pack("HMGET", self._keys.epoch(asset), "epoch", "seq", "clean", "boot")
        replies = self._link.call(payload + pack("LINDEX", self._keys.ticks(asset), 0), 2)
        check(replies)
        (epoch, seq, clean, boot), head = replies
        head_epoch, head_seq = _head_position(head)
        return EpochRecord(
            epoch=text(epoch),
            seq=_number(seq),
            clean=clean == b"1",
            boot_ms=_number(boot),
            head_epoch=head_epoch,
            head_seq=head_seq,
        )

    def mark(self, asset: str, epoch: str, seq: int, *, clean: bool, boot_ms: int) -> None:
        fields = ("epoch", epoch, "seq", seq, "clean", int(clean), "boot", boot_ms)
        check(self._link.call(pack("HSET", self._keys.epoch(asset), *fields), 1))

    def newest(self, asset: str) -> Sequence[bytes]:
        replies = self._link.call(pack("LRANGE", self._keys.ticks(asset), 0, self._buffer_size - 1), 1)
        check(replies)
        ticks: list[bytes] = replies[0]
        return ticks

    def forward(self, pushes: Sequence[ListPush], entries: Sequence[OutboxEntry], after: str | None = None) -> None:
        parts: list[bytes] = []
        count = 0
        for push in pushes:
            commands = self._lists.get(push.asset) or self._new_commands(push.asset)
            count += commands.add(parts, push)
        appends = [] if after is None else [bulks(after, FIELD, NO_TICKS)]
        appends += [bulks(entry.id, FIELD, entry.payload) for entry in entries]
        if not parts and not appends:
            return
        several = len(entries) > 1
        parts += self._as_commands(appends, whole=several)
        replies = self._link.call(b"".join(parts), count + len(appends) + 2 * several)
        check(replies[:count])
        answers = self._executed(replies[count:]) if several else replies[count:]
        self._check_appends(answers)
        if after is not None and not isinstance(answers[0], hiredis.ReplyError):
            raise OutboxMissing(f"the stream {self._outbox} has lost what came before {after}")

    def _as_commands(self, appends: Iterable[bytes], *, whole: bool) -> list[bytes]:
        """`whole`: all or none, in a transaction.

        A server that refuses one append and then takes the next (memory freed, a replica made master) would have a hole
        for good: the refused id, sent again, is smaller than the last one, and reads as one that is in already.
        """
        commands = [part for append in appends for part in (self._append_head, append)]
        return [_MULTI, *commands, _EXEC] if whole else commands

    def _executed(self, replies: Sequence[Any]) -> Sequence[Any]:
        """The answers of a transaction's appends. Raises RedisRefused where none of it was carried out."""
        begun, *queued, answers = replies
        if isinstance(answers, list):
            return answers
        if isinstance(begun, hiredis.ReplyError) and not all(isinstance(each, hiredis.ReplyError) for each in queued):
            raise OutboxMissing(f"the stream {self._outbox} took rows, and refused others before them ({begun})")
        check([*queued, answers])
        raise OutboxMissing(f"the stream {self._outbox} took nothing, and did not say why")

    def _new_commands(self, asset: str) -> "_ListCommands":
        commands = _ListCommands(self._keys.ticks(asset), self._keys.epoch(asset), self._buffer_size)
        self._lists[asset] = commands
        return commands

    def _check_appends(self, replies: Iterable[Any]) -> None:
        for reply in replies:
            if reply is None:
                raise OutboxMissing(f"the stream {self._outbox} is gone")
            if isinstance(reply, hiredis.ReplyError) and "equal or smaller" not in str(reply):
                raise refusal(reply) from reply

    def make_outbox(self) -> None:
        error = first_error(self._link.call(pack("XGROUP", "CREATE", self._outbox, GROUP, 0, "MKSTREAM"), 1))
        if error is not None and "BUSYGROUP" not in str(error):
            raise refusal(error) from error

    def outbox_length(self) -> int:
        replies = self._link.call(pack("XLEN", self._outbox), 1)
        check(replies)
        return int(replies[0])

    def last_generated_id(self) -> str | None:
        replies = self._link.call(pack("XINFO", "STREAM", self._outbox), 1)
        error = first_error(replies)
        if error is not None and "no such key" in str(error):
            return None
        check(replies)
        fields = iter(replies[0])
        return text(dict(zip(fields, fields, strict=True))[b"last-generated-id"])

    def acked_id(self) -> str | None:
        replies = self._link.call(pack("GET", self._acked), 1)
        check(replies)
        return text(replies[0])


class _ListCommands:
    """The transaction of one asset, in pieces: only the ticks, their number, epoch and seq change."""

    __slots__ = ("_delete", "_epoch", "_epoch_packed", "_mark_head", "_push_head", "_size", "_trim")

    def __init__(self, list_key: str, epoch_key: str, size: int) -> None:
        self._size = size
        self._delete = pack("DEL", list_key)
        self._push_head = bulks("LPUSH", list_key)
        self._trim = pack("LTRIM", list_key, 0, size - 1)
        self._mark_head = array_head(8) + bulks("HSET", epoch_key, "clean", 0, "epoch")
        self._epoch = ""
        self._epoch_packed = b""

    def add(self, parts: list[bytes], push: ListPush) -> int:
        """Append the push's commands to `parts`; returns how many replies they have."""
        encoded = push.encoded if len(push.encoded) <= self._size else push.encoded[-self._size :]
        if push.epoch != self._epoch:
            self._epoch, self._epoch_packed = push.epoch, bulks(push.epoch, "seq")
        count = 3
        parts.append(_MULTI)
        if push.rewrite:
            parts.append(self._delete)
            count += 1
        if encoded:
            # LPUSH takes them one after the other: ascending in, newest first out.
            parts += (array_head(len(encoded) + 2), self._push_head, *encoded, self._trim)
            count += 2
        seq = b"%d" % push.seq
        parts += (self._mark_head, self._epoch_packed, b"$%d\r\n%b\r\n" % (len(seq), seq), _EXEC)
        return count


def _head_position(head: bytes | None) -> tuple[str | None, int]:
    """(epoch, seq) of the buffer's newest tick; (None, 0) for none, or for what another writer put there."""
    try:
        tick = orjson.loads(head or b"null")
        epoch, seq = tick["epoch"], tick["seq"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return None, 0
    return (epoch, seq) if isinstance(epoch, str) and isinstance(seq, int) else (None, 0)


def _number(reply: bytes | None) -> int:
    return int(reply) if reply is not None and reply.isdigit() else 0
