"""A host's ear on one asset: its ticks from Redis' channel, in a thread of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import orjson
import structlog

from tickwire.config.urls import RedisServer
from tickwire.runtime.redisio.subscriber import Subscriber

_log = structlog.get_logger("tickwire.quflx")

MOST_WAITING = 10_000
"""Ticks that a slow callback may have before it; further ones are left out, counted in the log."""
HEARD_WITHIN_S = 6.0
"""The relay's heartbeat comes every 2 s."""

Callback = Callable[[dict[str, Any]], object]


class Listener:
    """What `callback` raises is logged, and the next tick is told as if nothing were."""

    def __init__(self, server: RedisServer, channel: str, heartbeat: str, callback: Callback) -> None:
        self._callback = callback
        self._heard = threading.Event()
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self._shed = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"quflx-{channel}")
        self._subscriber = Subscriber(
            server, heartbeat, on_message=self._on_message, on_gap=self._on_gap, on_state=self._on_state
        )
        self._subscriber.subscribe(channel)

    def start(self) -> bool:
        """Whether it is subscribed. If not, it goes on trying."""
        self._subscriber.start()
        return self._heard.wait(HEARD_WITHIN_S)

    def close(self) -> None:
        """No call begins afterwards; idempotent."""
        self._subscriber.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _on_message(self, channel: str, payload: bytes) -> None:
        try:
            tick = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return  # somebody else's message
        if not self._room.acquire(blocking=False):
            self._shed += 1
            if self._shed & (self._shed - 1) == 0:
                _log.warning("callback_too_slow", channel=channel, ticks_left_out=self._shed)
            return
        try:
            self._thread.submit(self._callback, tick).add_done_callback(self._done)
        except RuntimeError:
            self._room.release()  # closed meanwhile

    def _done(self, call: "Future[object]") -> None:
        self._room.release()
        error = None if call.cancelled() else call.exception()
        if error is not None:
            _log.error("callback_failed", error=repr(error))

    def _on_gap(self, channel: str) -> None:
        _log.warning("updates_may_lack", channel=channel, remedy="get_ticks_from_buffer has the last 1000")

    def _on_state(self, heard: bool, detail: str) -> None:
        if heard:
            self._heard.set()
        else:
            _log.warning("updates_not_heard", detail=detail)
