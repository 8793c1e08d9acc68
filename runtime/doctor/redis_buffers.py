"""Whether another program takes ticks out of `ticks:*`, as QuFLX's old batch job did.

A push, its trim and the hash with the last seq are one transaction of BufferKeeper's: read together, a buffer must have
grown by as much as its seq, up to its size. What lacks was taken by somebody. A program that was at work before we
looked shows in a buffer that is shorter than its seq says; so does a Redis that was emptied, hence the milder word.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis.exceptions

from tickwire.market.keys import Keys
from tickwire.runtime.doctor.findings import Finding, failed, ok, warning
from tickwire.runtime.redisio.faults import detail_of

SAMPLE_S = 0.1
MOST_ASSETS = 200
TAKING = {"lpop", "rpop", "blpop", "brpop", "lmpop", "blmpop", "rpoplpush", "lmove", "del", "unlink", "ltrim", "exec",
          "eval", "evalsha", "fcall"}  # fmt: skip
REMEDY = (
    "stop QuFLX's batch job (RedisBatchProcessor) or whatever pops or deletes ticks:*: tickwire stores the ticks, and "
    "readers take them with LRANGE"
)


@dataclass(slots=True)
class Watch:
    """One buffer over the samples of it."""

    size: int
    came: int = 0
    taken: int = 0
    short: int = 0
    """How many it holds fewer than its epoch has had, at the last sample."""
    _last: tuple[bytes | None, int, int] | None = field(default=None)

    def take(self, epoch: bytes | None, seq: int, length: int) -> None:
        if self._last is not None and self._last[0] == epoch and seq >= self._last[1]:
            new = seq - self._last[1]
            self.came += new
            self.taken += max(0, min(self.size, self._last[2] + new) - length)
        self.short = max(0, min(self.size, seq) - length)
        self._last = (epoch, seq, length)


def check_buffers(server: Any, keys: Keys, *, size: int, watch_s: float) -> Iterator[Finding]:
    """Of a server that answers; looks for `watch_s` seconds."""
    try:
        assets = [name.decode(errors="replace") for name in server.hkeys(keys.assets)][:MOST_ASSETS]
        watches = {asset: Watch(size) for asset in assets}
        deadline = time.monotonic() + watch_s
        while assets:
            _sample(server, keys, watches)
            if time.monotonic() >= deadline:
                break
            time.sleep(SAMPLE_S)
    except redis.exceptions.ResponseError as error:
        yield warning(
            "redis buffers", f"can't be watched: {detail_of(error)}", "let the user use HKEYS, LLEN and HMGET"
        )
        return
    yield judge(keys, watches, watch_s, lambda: _suspects(server))


def judge(keys: Keys, watches: Mapping[str, Watch], watch_s: float, suspects: Callable[[], Sequence[str]]) -> Finding:
    """What `watch_s` seconds of watching say; `suspects` is asked where ticks were taken."""
    taken = {asset: watch.taken for asset, watch in watches.items() if watch.taken}
    if taken:
        most = max(taken, key=lambda asset: taken[asset])
        seen = f"{sum(taken.values())} ticks were taken out of {len(taken)} buffers while we looked, {taken[most]} of "
        return failed("redis buffers", f"{seen}{keys.ticks(most)}; {_named(suspects())}", REMEDY)
    short = {asset: watch.short for asset, watch in watches.items() if watch.short}
    if short:
        first = max(short, key=lambda asset: short[asset])
        return warning(
            "redis buffers",
            f"{keys.ticks(first)} holds {short[first]} ticks fewer than came in: another program took them out, or this"
            " Redis was emptied; nobody took any while we looked",
            f"look again with --watch 60; if it goes on, {REMEDY}",
        )
    came = sum(watch.came for watch in watches.values())
    if not watches:
        return ok("redis buffers", "there are none yet")
    if not came:
        return ok(
            "redis buffers", f"{len(watches)}, whole; no tick came in within {watch_s:g} s, so little can be told"
        )
    return ok("redis buffers", f"{len(watches)}, whole; nobody took any of the {came} ticks that came in {watch_s:g} s")


def _sample(server: Any, keys: Keys, watches: dict[str, Watch]) -> None:
    with server.pipeline(transaction=True) as pipeline:
        for asset in watches:
            pipeline.hmget(keys.epoch(asset), "epoch", "seq")
            pipeline.llen(keys.ticks(asset))
        answers = iter(pipeline.execute())
    for watch, ((epoch, seq), length) in zip(watches.values(), zip(answers, answers, strict=True), strict=True):
        watch.take(epoch, int(seq or 0), length)


def _suspects(server: Any) -> list[str]:
    """Connections of others whose last command may take items out of lists."""
    try:
        listed = server.client_list()
    except redis.exceptions.ResponseError:
        return []
    return [
        f"{each['addr']} {each.get('name', '')} (last command {each['cmd']})".replace("  ", " ")
        for each in listed
        if each.get("cmd", "").partition("|")[0] in TAKING and not each.get("name", "").startswith("tickwire:")
    ]


def _named(suspects: Sequence[str]) -> str:
    return f"perhaps by {', '.join(suspects[:3])}" if suspects else "by whom Redis does not tell"
