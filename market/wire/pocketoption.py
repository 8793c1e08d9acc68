"""PocketOption: Socket.IO over a WebSocket, events with binary attachments, as recorded in September 2025.

    server  0{"sid":…,"pingInterval":25000,"pingTimeout":20000,…}      client  40
    server  40{"sid":…}                                                client  42["auth",{"session":…}]
    server  451-["successauth",{"_placeholder":true,"num":0}] + binary, or 42["NotAuthorized"], or 41
    server  451-["updateStream",{"_placeholder":true,"num":0}] + binary [["EURGBP_otc",1756866774.962,0.87852],…]
    server  2                                                          client  3
                                                                       client  42["ps"] every 20 s

`45N` announces N binary frames, which follow on the same connection; `42` carries its payload as text. What the
payloads hold is in `pocketoption_events`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tickwire.market.wire import TEXT, AuthRefused, ClosedByVenue, Event, Frame, Ignored, Opened, Send
from tickwire.market.wire.columns import ROWS, rows_of
from tickwire.market.wire.jsontext import event_name, malformed, read_json
from tickwire.market.wire.pocketoption_events import READERS, not_rows

PS_EVERY_S = 20.0
SILENCE_LIMIT_S = 45.0
"""Before the handshake has said it."""
LEAST_SILENCE_S, MOST_SILENCE_S = 5.0, 300.0
"""Whatever the handshake says."""
MAX_ATTACHMENTS = 16
MAX_ATTACHED = 4 * 2**20
"""Bytes of one event's attachments that wait for the others."""

STREAM = "updateStream"
SUCCESS = "successauth"
REFUSED = "NotAuthorized"
_USUAL_STREAM_HEADER = b'451-["updateStream",{"_placeholder":true,"num":0}]'

_ANNOUNCED = re.compile(rb"45([0-9]{1,4})-(\[.*)", re.DOTALL)
_PLAIN = re.compile(rb"42[0-9]{0,10}(\[.*)", re.DOTALL)
_WHOLE_SESSION = re.compile(r"42\[.*\]", re.DOTALL)


def auth_frame(session: str, *, demo: bool) -> str:
    """The frame that authenticates: `session` is that whole frame, as a browser sent it, or the session id alone."""
    text = session.strip()
    if _WHOLE_SESSION.fullmatch(text):
        return text
    values = {"session": text, "isDemo": int(demo), "uid": 0, "platform": 2}
    return "42" + orjson.dumps(["auth", values]).decode()


@dataclass(slots=True)
class _Announced:
    """An event whose attachments are not all there yet."""

    header: bytes
    event: list[Any]
    owed: int
    attachments: list[bytes] = field(default_factory=list)


class PocketOptionDecoder:
    """One connection (a `Decoder`)."""

    def __init__(self, session: str | None = None, *, demo: bool = False, recorded: bool = False) -> None:
        """`recorded`: a replay, which hears nothing and in which refusals and closes were another session's."""
        self._auth = auth_frame(session, demo=demo) if session else None
        self._recorded = recorded
        self._silence_limit_s = SILENCE_LIMIT_S
        self._opened = False
        self._next_ps: float | None = None
        # Nearly every frame is this header or its attachment: they are known by comparing bytes.
        self._stream = _Announced(_USUAL_STREAM_HEADER, [STREAM], 1)
        self._announced: _Announced | None = None

    # -- what the session asks for

    @property
    def silence_limit_s(self) -> float:
        return self._silence_limit_s

    def greeting(self) -> Sequence[Send]:
        return ()  # the server speaks first

    def due(self, now: float) -> Sequence[Send]:
        if not self._opened or self._recorded:
            return ()
        if self._next_ps is None:
            self._next_ps = now + PS_EVERY_S
        if now < self._next_ps:
            return ()
        self._next_ps = now + PS_EVERY_S
        return (Send('42["ps"]'),)

    def subscribe(self, asset: str) -> Sequence[Send]:
        """`changeSymbol` makes the broker send the asset's history, `subfor` its ticks."""
        if self._recorded:
            return ()
        return (_send("changeSymbol", {"asset": asset, "period": 60}), _send("subfor", asset))

    def unsubscribe(self, asset: str) -> Sequence[Send]:
        return () if self._recorded else (_send("unsubfor", asset),)

    def older_candles(self, asset: str, *, index: int, before_s: int, span_s: int, period_s: int) -> Sequence[Send]:
        """Ask for `span_s` seconds of candles that end at `before_s` of the broker's clock; `index` comes back."""
        request = {"asset": asset, "index": index, "time": before_s, "offset": span_s, "period": period_s}
        return () if self._recorded else (_send("loadHistoryPeriod", request),)

    # -- frames

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        events: list[Event] = []
        rows: list[bytes] = []
        stream, announced = self._stream, self._announced
        for opcode, payload in frames:
            if opcode == TEXT:
                if announced is None and payload == stream.header:
                    announced = stream
                    continue
            elif announced is stream:
                rows.append(payload)
                announced = None
                continue
            if rows:
                events += rows_of(rows, ROWS, not_rows)
                rows = []
            self._announced = announced
            if opcode == TEXT:
                self._on_text(payload, events)
            else:
                self._on_binary(payload, events)
            stream, announced = self._stream, self._announced
        self._announced = announced
        if rows:
            events += rows_of(rows, ROWS, not_rows)
        return events

    def _on_text(self, payload: bytes, events: list[Event]) -> None:
        if payload == b"2":  # may come between a header and its attachments
            self._answer("3", events)
            return
        if self._announced is not None:
            missing = self._announced.owed - len(self._announced.attachments)
            events.append(malformed(f"{missing} attachments missing", self._announced.header))
            self._announced = None
        if match := _ANNOUNCED.fullmatch(payload):
            self._on_announced(payload, int(match[1]), match[2], events)
        elif match := _PLAIN.fullmatch(payload):
            event = self._event(payload, match[1], events)
            if event is not None:
                self._on_event(event, (), events)
        else:
            self._on_session(payload, events)

    def _on_session(self, payload: bytes, events: list[Event]) -> None:
        """Engine.IO's and Socket.IO's own packets."""
        if payload.startswith(b"0{"):
            self._on_handshake(payload, events)
        elif payload == b"40" or payload.startswith(b"40{"):
            self._on_connected(events)
        elif payload == b"41" or payload.startswith(b"44") or payload == b"1":
            self._on_end(payload, events)
        elif payload in (b"3", b"6"):
            events.append(Ignored("pong" if payload == b"3" else "noop"))
        else:
            events.append(malformed("unknown packet", payload))

    def _on_handshake(self, payload: bytes, events: list[Event]) -> None:
        try:
            values = read_json(payload[1:])
        except ValueError as error:
            events.append(malformed(f"handshake: {error}", payload))
            return
        each = [values.get(name) if type(values) is dict else None for name in ("pingInterval", "pingTimeout")]
        waits = [ms for ms in each if type(ms) is int and ms > 0]
        if len(waits) == 2:
            self._silence_limit_s = min(MOST_SILENCE_S, max(LEAST_SILENCE_S, sum(waits) / 1000))
        else:
            events.append(malformed("handshake without pingInterval and pingTimeout", payload))
        self._answer("40", events)

    def _on_connected(self, events: list[Event]) -> None:
        if self._recorded:
            self._open(events)
        elif self._auth is not None:
            events.append(Send(self._auth))
        else:
            events.append(AuthRefused("no session was given"))

    def _on_end(self, payload: bytes, events: list[Event]) -> None:
        name = payload[:2].decode()
        if self._recorded:
            events.append(Ignored(f"packet {name}"))
        elif self._opened:
            events.append(ClosedByVenue(f"the venue ended the session (packet {name})"))
        else:
            events.append(AuthRefused(f"packet {name}"))

    def _answer(self, packet: str, events: list[Event]) -> None:
        if not self._recorded:
            events.append(Send(packet))

    def _open(self, events: list[Event]) -> None:
        if not self._opened:
            self._opened = True
            events.append(Opened())

    # -- events

    def _event(self, payload: bytes, text: bytes, events: list[Event]) -> list[Any] | None:
        try:
            event = read_json(text)
        except ValueError as error:
            events.append(malformed(f"header: {error}", payload))
            return None
        if type(event) is not list or not event or type(event[0]) is not str:
            events.append(malformed("an event without a name", payload))
            return None
        return event

    def _on_announced(self, payload: bytes, owed: int, text: bytes, events: list[Event]) -> None:
        if owed > MAX_ATTACHMENTS:
            events.append(malformed(f"{owed} attachments announced", payload))
            return
        event = self._event(payload, text, events)
        if event is None:
            return
        if owed == 0:
            self._on_event(event, (), events)
            return
        self._announced = _Announced(payload, event, owed)
        if owed == 1 and len(event) == 2 and event[0] == STREAM and _placeholder(event[1]) == 0:
            self._stream = self._announced = _Announced(payload, [STREAM], 1)

    def _on_binary(self, payload: bytes, events: list[Event]) -> None:
        announced = self._announced
        if announced is None:
            events.append(malformed("an attachment that nothing announced", payload))
            return
        announced.attachments.append(payload)
        if len(announced.attachments) == announced.owed:
            self._announced = None
            self._on_event(announced.event, announced.attachments, events)
        elif sum(map(len, announced.attachments)) > MAX_ATTACHED:
            self._announced = None
            events.append(malformed(f"attachments of over {MAX_ATTACHED} bytes", announced.header))

    def _on_event(self, event: list[Any], attachments: Sequence[bytes], events: list[Event]) -> None:
        name = event[0]
        if name == SUCCESS:
            self._open(events)
        elif name == REFUSED and not self._recorded:
            events.append(AuthRefused(REFUSED))
        elif name not in READERS:
            events.append(Ignored(event_name(name)))
        elif len(event) < 2:
            events.append(malformed(f"{name} without a payload", orjson.dumps(event)))
        else:
            events += self._read(name, event[1], attachments)

    def _read(self, name: str, value: Any, attachments: Sequence[bytes]) -> Sequence[Event]:
        number = _placeholder(value)
        if number is not None:
            if not 0 <= number < len(attachments):
                return [malformed(f"{name}: no attachment {number}", value)]
            try:
                value = read_json(attachments[number])
            except ValueError as error:
                return [malformed(f"{name}: {error}", attachments[number])]
        return READERS[name](value)


def _placeholder(value: Any) -> int | None:
    """The number of the attachment that `value` stands for; None if it stands for itself."""
    if type(value) is dict and value.get("_placeholder") is True and type(value.get("num")) is int:
        number: int = value["num"]
        return number
    return None


def _send(*event: object) -> Send:
    return Send("42" + orjson.dumps(event).decode())
