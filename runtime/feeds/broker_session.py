"""PocketOption's server side for one client, as far as recordings show it: pure, bytes in and frames out.

Engine.IO 4 and Socket.IO over WebSocket: `0{…}`, `40{…}`, events as `42[…]`, binary events as a `451-` header and
one binary frame of JSON. Stamps are the broker's clock, ahead of UTC.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tickwire.actors.ports import BINARY, TEXT
from tickwire.runtime.feeds.loopback import server_frame
from tickwire.runtime.feeds.walk import Walk

PING_EVERY_MS = 25_000
PONG_WITHIN_MS = 20_000
HISTORY_S = 13 * 60
HISTORY_TICKS_MAX = 5_000
CANDLES = 97
PERIOD_CANDLES_MAX = 1_000
BATCH_TICKS = 2_000
_STREAM = server_frame(TEXT, b'451-["updateStream",{"_placeholder":true,"num":0}]')


class BrokerSession:
    """One connection's state. `sent` counts ticks by asset."""

    def __init__(
        self, assets: Sequence[str], *, rate: float, seed: int, ahead_ms: int, session: str | None, name: str
    ) -> None:
        """`session` is the one that is accepted; None: any."""
        self._market = {asset: Walk(asset, seed=seed, rate=rate) for asset in assets}
        self._rate = rate
        self._ahead_ms = ahead_ms
        self._session = session
        self._name = name
        self._authenticated = False
        self._shown: str | None = None
        self._subscribed: set[str] = set()
        self._next: dict[str, int] = {}
        self._next_ping_ms = 0
        self._pong_until_ms: int | None = None
        self.closing = False
        self.sent: dict[str, int] = {}

    def opening(self, now_ms: int) -> bytes:
        """What the server says first."""
        self._next_ping_ms = now_ms + PING_EVERY_MS
        settings = {"sid": self._name, "upgrades": [], "pingInterval": PING_EVERY_MS, "pingTimeout": PONG_WITHIN_MS}
        return _text(b"0" + orjson.dumps(settings | {"maxPayload": 1_000_000}))

    def receive(self, message: bytes, now_ms: int) -> bytes:
        """Answer one message of the client; what is not understood is left alone, as the broker does."""
        if message == b"3":
            self._pong_until_ms = None
        elif message.startswith(b"40"):
            return _text(b"40" + orjson.dumps({"sid": f"{self._name}-main"}))
        elif message.startswith(b"42"):
            return self._on_event(message[2:], now_ms)
        return b""

    def due(self, now_ms: int) -> bytes:
        """Pings, and the ticks that have happened since the last call: at most a batch, in order of time."""
        frames = b""
        if self._pong_until_ms is not None and now_ms > self._pong_until_ms:
            self.closing = True
        elif now_ms >= self._next_ping_ms:
            self._next_ping_ms = now_ms + PING_EVERY_MS
            self._pong_until_ms = now_ms + PONG_WITHIN_MS
            frames = _text(b"2")
        return frames + self._ticks(now_ms)

    def next_due_ms(self) -> int:
        """When `due` has something next."""
        beats = [self._market[asset].stamp_ms(number) for asset, number in self._next.items()]
        overdue = [] if self._pong_until_ms is None else [self._pong_until_ms + 1]
        return min([self._next_ping_ms, *overdue, *beats])

    def _on_event(self, text: bytes, now_ms: int) -> bytes:
        try:
            name, *values = orjson.loads(text)
        except (ValueError, TypeError):
            return b""
        value = values[0] if values else None
        if name == "auth":
            return self._on_auth(value)
        if not self._authenticated:
            return b""
        if name in ("changeSymbol", "loadHistoryPeriod"):
            asset = value.get("asset") if isinstance(value, dict) else None
            if not isinstance(value, dict) or asset not in self._market:
                return b""
            answer = self._on_change_symbol if name == "changeSymbol" else self._on_history_period
            return answer(asset, value, now_ms)
        if name in ("subfor", "unsubfor") and value in self._market:
            (self._subscribed.add if name == "subfor" else self._subscribed.discard)(value)
            self._select(now_ms)
        return b""

    def _on_auth(self, value: object) -> bytes:
        session = value.get("session") if isinstance(value, dict) else None
        if not isinstance(session, str) or not session or self._session not in (None, session):
            self.closing = True
            return _text(b'42["NotAuthorized"]') + _text(b"41")
        self._authenticated = True
        rows = [
            [i, asset, _title(asset), "currency", 2, 92, 60, 30, 3, int(asset.endswith("_otc")), 0, 0, [], 0, True]
            for i, asset in enumerate(self._market, 1)
        ]
        return _event("successauth", {"id": self._name}) + _event("updateAssets", rows)

    def _on_change_symbol(self, asset: str, value: Mapping[str, Any], now_ms: int) -> bytes:
        self._shown = asset
        self._select(now_ms)
        walk, end = self._market[asset], self._next[asset]
        count = min(HISTORY_TICKS_MAX, int(self._rate * HISTORY_S))
        stamps = [walk.stamp_ms(number) for number in range(end - count, end)]
        period = _whole(value.get("period"), 60)
        history = {
            "asset": asset,
            "period": period,
            "history": [[(ms + self._ahead_ms) / 1000, walk.price_at(ms)] for ms in stamps],
            "candles": self._candles(asset, now_ms, period, CANDLES)[::-1],
        }
        return _event("updateHistoryNewFast", history)

    def _on_history_period(self, asset: str, value: Mapping[str, Any], now_ms: int) -> bytes:
        period = _whole(value.get("period"), 60)
        end_ms = min(now_ms, _whole(value.get("time"), now_ms // 1000) * 1000 - self._ahead_ms)
        count = min(PERIOD_CANDLES_MAX, _whole(value.get("offset"), 9000) // period)
        symbol = list(self._market).index(asset) + 1
        data = [
            {"symbol_id": symbol, "time": time, "open": opened, "close": closed, "high": high, "low": low}
            for time, opened, closed, high, low in self._candles(asset, end_ms, period, count)
        ]
        answer = {"asset": asset, "index": value.get("index"), "data": data, "period": period}
        return _event("loadHistoryPeriodFast", answer)

    def _candles(
        self, asset: str, end_ms: int, period: int, count: int
    ) -> list[tuple[int, float, float, float, float]]:
        """The last `count` whole buckets before `end_ms`, ascending: (broker's time, open, close, high, low)."""
        last = (end_ms + self._ahead_ms) // 1000 // period
        rows = []
        for bucket in range(last - count, last):
            start_ms = bucket * period * 1000 - self._ahead_ms
            made = self._market[asset].candle(start_ms, start_ms + period * 1000)
            if made is not None:
                rows.append((bucket * period, made.open, made.close, made.high, made.low))
        return rows

    def _select(self, now_ms: int) -> None:
        """Stream what is shown or subscribed; what was streaming goes on where it is."""
        wanted = self._subscribed | ({self._shown} if self._shown else set())
        self._next = {
            asset: self._next.get(asset) or walk.number_at(now_ms + 1)
            for asset, walk in self._market.items()
            if asset in wanted
        }

    def _ticks(self, now_ms: int) -> bytes:
        frames: list[tuple[int, bytes]] = []
        share = BATCH_TICKS // max(1, len(self._next)) + 1
        for asset, first in self._next.items():
            walk, number = self._market[asset], first
            while number < first + share and (ms := walk.stamp_ms(number)) <= now_ms:
                tick = f'[["{asset}",{(ms + self._ahead_ms) / 1000!r},{walk.price_at(ms)!r}]]'
                frames.append((ms, _STREAM + server_frame(BINARY, tick.encode())))
                number += 1
            self._next[asset] = number
            self.sent[asset] = self.sent.get(asset, 0) + number - first
        frames.sort(key=lambda frame: frame[0])
        return b"".join(frame for _, frame in frames)


def _text(payload: bytes) -> bytes:
    return server_frame(TEXT, payload)


def _event(name: str, value: object) -> bytes:
    header = f'451-["{name}",{{"_placeholder":true,"num":0}}]'.encode()
    return _text(header) + server_frame(BINARY, orjson.dumps(value))


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and 0 < value < 2**53 else default


def _title(asset: str) -> str:
    plain = asset.removesuffix("_otc")
    name = f"{plain[:3]}/{plain[3:]}" if len(plain) == 6 and plain.isalpha() else plain.lstrip("#")
    return name + (" OTC" if asset != plain else "")
