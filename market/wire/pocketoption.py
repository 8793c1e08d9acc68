"""PocketOption's WebSocket: Socket.IO over Engine.IO, events with binary attachments. As recorded in September 2025.

    server  0{"sid",…,"pingInterval":25000,"pingTimeout":20000,…}      client  40
    server  40{"sid"}                                                  client  42["auth",{…}]
    server  451-["successauth",…] + 1 binary, or 42["NotAuthorized"], or 41
    server  2                                                          client  3
    server  451-["updateStream",{"_placeholder":true,"num":0}] + binary [["EURGBP_otc",1756866774.962,0.87951], …]

`45N-[…]` announces N binary frames, which follow on the same connection and hold UTF-8 JSON.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from tickwire.market.wire import (
    BINARY,
    SAMPLE_BYTES,
    TEXT,
    AssetInfo,
    AssetsListed,
    AuthRefused,
    CandleRows,
    ClosedByVenue,
    Event,
    Frame,
    HistoryRows,
    Ignored,
    LiveRows,
    Malformed,
    Opened,
    Send,
    merge_live,
)

APPLICATION_PING_S = 20.0
DEFAULT_SILENCE_S = 45.0
HISTORY_PERIOD_S = 60
MAX_ATTACHMENTS = 16
_STREAM_HEADER = b'451-["updateStream",'


class PocketOptionDecoder:
    """One connection. `session` is the whole `42["auth",…]` text or the session id; None for a recorded session."""

    def __init__(self, *, session: str | None = None, demo: bool = True, recorded: bool = False) -> None:
        """`recorded`: nobody answers; market events are taken without `successauth`, which such a session lacks."""
        self._session = session
        self._demo = demo
        self._open = recorded
        self._recorded = recorded
        self._event = ""
        self._owed = 0
        self._attachments: list[bytes] = []
        self._next_ping = 0.0
        self._silence_limit_s = DEFAULT_SILENCE_S
        self._takers: dict[str, Callable[[Any], list[Event]]] = {
            "updateStream": _live,
            "updateHistoryNewFast": _history,
            "loadHistoryPeriodFast": _history_period,
            "updateAssets": _assets,
        }

    @property
    def silence_limit_s(self) -> float:
        return self._silence_limit_s

    def greeting(self) -> Sequence[Send]:
        return ()  # the server speaks first

    def due(self, now: float) -> Sequence[Send]:
        if not self._open or self._recorded or now < self._next_ping:
            return ()
        self._next_ping = now + APPLICATION_PING_S
        return (Send('42["ps"]'),)

    def subscribe(self, asset: str) -> Sequence[Send]:
        """`changeSymbol` brings the asset's history and makes it the chart's, `subfor` its ticks."""
        change = orjson.dumps(["changeSymbol", {"asset": asset, "period": HISTORY_PERIOD_S}]).decode()
        return (Send(f"42{change}"), Send(f"42{orjson.dumps(['subfor', asset]).decode()}"))

    def unsubscribe(self, asset: str) -> Sequence[Send]:
        return (Send(f"42{orjson.dumps(['unsubfor', asset]).decode()}"),)

    # -- frames ------------------------------------------------------------------------------------------------

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        fast = self._stream_of(frames)
        if fast is not None:
            return fast
        events: list[Event] = []
        for opcode, payload in frames:
            events += self._text(payload) if opcode == TEXT else self._binary(payload)
        return merge_live(events)

    def _stream_of(self, frames: Sequence[Frame]) -> list[Event] | None:
        """A read of nothing but whole updateStream pairs, taken as columns; None at any doubt."""
        count = len(frames)
        if count < 2 or count % 2 or self._owed or not self._open:
            return None
        if len(set(frames[::2])) != 1 or frames[0][0] != TEXT or not frames[0][1].startswith(_STREAM_HEADER):
            return None
        opcodes, payloads = zip(*frames[1::2], strict=True)
        if set(opcodes) != {BINARY}:
            return None
        try:
            lists = orjson.loads(b"[" + b",".join(payloads) + b"]")
        except orjson.JSONDecodeError:
            return None
        # Two broken frames can join into whole ones: the elements must be as many as the frames.
        if len(lists) != len(payloads) or set(map(type, lists)) != {list}:
            return None
        rows = [row for rows in lists for row in rows]
        if not rows or set(map(type, rows)) != {list} or set(map(len, rows)) != {3}:
            return None
        return [LiveRows(*zip(*rows, strict=True))]

    def _text(self, payload: bytes) -> list[Event]:
        events: list[Event] = []
        if self._owed:
            events.append(Malformed("attachment missing", f"45-{self._event}".encode()[:SAMPLE_BYTES]))
            self._owed, self._attachments = 0, []
        kind, rest = payload[:1], payload[1:]
        if kind == b"2" and not rest:
            return [*events, Send("3")]
        if kind == b"3":
            return events
        if kind == b"0":
            return events + self._handshake(rest)
        if kind == b"1":
            return [*events, ClosedByVenue("the venue closed the session")]
        if kind == b"4":
            return events + self._packet(payload)
        return [*events, Malformed("unknown frame", payload[:SAMPLE_BYTES])]

    def _handshake(self, rest: bytes) -> list[Event]:
        values = _parse(rest)
        if not isinstance(values, dict):
            return [Malformed("bad handshake", rest[:SAMPLE_BYTES])]
        timings = [values.get(name) for name in ("pingInterval", "pingTimeout")]
        if all(type(timing) is int and 0 < timing < 600_000 for timing in timings):
            self._silence_limit_s = sum(timing for timing in timings if timing) / 1000
        return [] if self._recorded else [Send("40")]

    def _packet(self, payload: bytes) -> list[Event]:
        kind = payload[1:2]
        if kind == b"0":
            return self._authenticate()
        if kind == b"1":
            return [AuthRefused("41") if not self._open else ClosedByVenue("41")]
        if kind == b"2":
            return self._plain_event(payload)
        if kind == b"5":
            return self._announcement(payload)
        return [Malformed("unknown packet", payload[:SAMPLE_BYTES])]

    def _authenticate(self) -> list[Event]:
        if self._recorded or self._session is None:
            return []
        if self._session.lstrip().startswith("42["):
            return [Send(self._session.strip())]
        auth = {"session": self._session, "isDemo": int(self._demo), "uid": 0, "platform": 2}
        return [Send("42" + orjson.dumps(["auth", auth]).decode())]

    def _plain_event(self, payload: bytes) -> list[Event]:
        event = _parse(payload[2:])
        if not isinstance(event, list) or not event or type(event[0]) is not str:
            return [Malformed("bad event", payload[:SAMPLE_BYTES])]
        if event[0] == "NotAuthorized":
            return [AuthRefused("NotAuthorized")]
        return self._take(event[0], event[1] if len(event) > 1 else None, payload)

    def _announcement(self, payload: bytes) -> list[Event]:
        digits, dash, rest = payload[2:].partition(b"-")
        header = _parse(rest)
        count = int(digits) if digits.isdigit() and len(digits) < 4 else 0
        if not dash or not 0 < count <= MAX_ATTACHMENTS or not isinstance(header, list) or not header:
            return [Malformed("bad announcement", payload[:SAMPLE_BYTES])]
        if type(header[0]) is not str:
            return [Malformed("bad announcement", payload[:SAMPLE_BYTES])]
        self._event, self._owed, self._attachments = header[0], count, []
        return []

    def _binary(self, payload: bytes) -> list[Event]:
        if not self._owed:
            return [Malformed("attachment without announcement", payload[:SAMPLE_BYTES])]
        self._attachments.append(payload)
        self._owed -= 1
        if self._owed:
            return []
        first = self._attachments[0]
        return self._take(self._event, _parse(first) if self._event in self._takers else None, first)

    def _take(self, event: str, body: Any, sample: bytes) -> list[Event]:
        if event == "successauth":
            self._open = True
            return [Opened()]
        taker = self._takers.get(event)
        if taker is None:
            return [Ignored(event[:64])]
        if not self._open:
            return [Ignored(f"{event} before successauth")]
        if body is None:
            return [Malformed(f"{event} is no JSON", sample[:SAMPLE_BYTES])]
        return taker(body)


def _parse(data: bytes) -> Any:
    """JSON, or None for what is none."""
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, RecursionError):
        return None


def _sample(value: Any) -> bytes:
    return repr(value)[:SAMPLE_BYTES].encode(errors="replace")[:SAMPLE_BYTES]


def _live(body: Any) -> list[Event]:
    if not isinstance(body, list):
        return [Malformed("updateStream is no list", _sample(body))]
    events: list[Event] = [
        Malformed("a tick is [asset, seconds, price]", _sample(row))
        for row in body
        if not isinstance(row, list) or len(row) != 3
    ]
    good = [row for row in body if isinstance(row, list) and len(row) == 3]
    return [LiveRows(*zip(*good, strict=True)), *events] if good else events


def _history(body: Any) -> list[Event]:
    """{asset, period, history: [[seconds, price], …], candles: [[seconds, open, close, high, low], …]}"""
    if not isinstance(body, dict) or not isinstance(body.get("asset"), str):
        return [Malformed("history without asset", _sample(body))]
    asset = body["asset"]
    events: list[Event] = []
    ticks = _rows(body.get("history", []), 2, events)
    if ticks:
        stamps, prices = zip(*ticks, strict=True)
        events.insert(0, HistoryRows(asset, stamps, prices))
    period = body.get("period")
    candles = _rows(body.get("candles", []), 5, events)
    if candles and type(period) is int and 0 < period <= 86_400:
        rows = [(at, opened, high, low, closed) for at, opened, closed, high, low in candles]
        events.append(CandleRows(asset, period, _ascending(rows)))
    return events


def _history_period(body: Any) -> list[Event]:
    """{asset, index, period, data: [{symbol_id, time, open, close, high, low}, …]}"""
    if not isinstance(body, dict) or not isinstance(body.get("asset"), str):
        return [Malformed("history without asset", _sample(body))]
    period, data = body.get("period"), body.get("data")
    if type(period) is not int or not 0 < period <= 86_400 or not isinstance(data, list):
        return [Malformed("history without period or data", _sample(body))]
    names = ("time", "open", "high", "low", "close")
    rows = [tuple(item.get(name) for name in names) for item in data if isinstance(item, dict)]
    events: list[Event] = [Malformed("a candle is an object", _sample(x)) for x in data if not isinstance(x, dict)]
    return [CandleRows(body["asset"], period, _ascending(rows)), *events] if rows else events


def _ascending(rows: list[Any]) -> list[Any]:
    """By opening stamp, where those are numbers; what is none is the intake's to refuse."""
    if all(type(row[0]) in (int, float) for row in rows):
        rows.sort(key=lambda row: row[0])
    return rows


def _rows(value: Any, width: int, events: list[Event]) -> list[list[Any]]:
    """The lists of `width` in a list; others become Malformed."""
    if not isinstance(value, list):
        events.append(Malformed("history is no list", _sample(value)))
        return []
    good = []
    for row in value:
        if isinstance(row, list) and len(row) == width:
            good.append(row)
        else:
            events.append(Malformed("bad history row", _sample(row)))
    return good


def _assets(body: Any) -> list[Event]:
    """Rows; 0 id, 1 symbol, 2 name, 3 type, 9 is OTC, 14 open now."""
    if not isinstance(body, list):
        return [Malformed("updateAssets is no list", _sample(body))]
    good = [
        AssetInfo(row[1], str(row[2]), str(row[3]), bool(row[9]), bool(row[14]))
        for row in body
        if isinstance(row, list) and len(row) > 14 and isinstance(row[1], str)
    ]
    events: list[Event] = [AssetsListed(good)] if good else []
    if len(good) < len(body):
        events.append(Malformed(f"{len(body) - len(good)} bad rows in updateAssets", b""))
    return events
