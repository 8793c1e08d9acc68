"""A logged-in Chrome's DevTools: what its pages' WebSockets receive, taken into the venue's decoder. One connection.

    us      {"id":1,"method":"Target.setAutoAttach","params":{"autoAttach":true,"flatten":true,…}}
    Chrome  {"method":"Target.attachedToTarget","params":{"sessionId":"S","targetInfo":{"type":"page",…}}}
    us      {"id":2,"method":"Network.enable","sessionId":"S"}
    Chrome  {"method":"Network.webSocketCreated","params":{"requestId":"R","url":"wss://…"},"sessionId":"S"}
    Chrome  {"method":"Network.webSocketFrameReceived","params":{"requestId":"R",
             "response":{"opcode":1,"payloadData":"451-[…]"}},"sessionId":"S"}      opcode 2: base64

Attachments pair with headers per connection, so each request id of each session has a decoder of its own. Nothing is
sent to a page: the broker hears of us no more than of any other part of the browser.

Format: Chrome DevTools Protocol 1.3, domains Target and Network.
"""

import binascii
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from tickwire.market.wire import (
    BINARY,
    TEXT,
    Decoder,
    Event,
    Frame,
    Lacking,
    Opened,
    PageAsked,
    Send,
    merge_live,
)
from tickwire.market.wire.jsontext import malformed, read_json
from tickwire.market.wire.page_sockets import PageSockets

SILENCE_LIMIT_S = 25.0
ASK_EVERY_S = 5.0
"""Chrome says nothing while its pages are quiet, so it is asked for something now and then."""
WITH_PAGES = ("page", "iframe", "worker", "shared_worker", "service_worker")
MOST_TARGETS = 1000
NETWORK = {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0}
"""Chrome need keep no bodies of responses for us."""

_OF_NETWORK = b'{"method":"Network.'
_OF_SOCKETS = b'{"method":"Network.webSocketFrame'


class ChromeDecoder:
    """One DevTools connection (a `Decoder`)."""

    silence_limit_s = SILENCE_LIMIT_S

    def __init__(
        self,
        make_decoder: Callable[[], Decoder],
        asked: Callable[[bytes], PageAsked | None],
        *,
        match: Sequence[str] = (),
    ) -> None:
        """`make_decoder` makes the venue's, for a recorded session; `asked` says what a page's own frame asks for.

        `match`: a socket counts if its URL holds one of these; where there are none, if it speaks of the market.
        """
        self._pages = PageSockets(make_decoder, asked, match)
        self._targets: dict[str, str] = {}
        """Session → target; a page's target has the id of its main frame."""
        self._number = 0
        self._opened = False
        self._next_ask: float | None = None
        self._methods: dict[str, Callable[[str, dict[str, Any], list[Event]], None]] = {
            "Network.webSocketFrameReceived": self._on_received,
            "Network.webSocketFrameSent": self._on_sent,
            "Network.webSocketCreated": self._on_created,
            "Network.webSocketClosed": self._on_closed,
            "Network.requestWillBeSent": self._on_request,
            "Inspector.targetCrashed": self._on_crashed,
            "Target.attachedToTarget": self._on_attached,
            "Target.detachedFromTarget": self._on_detached,
        }

    # -- what is said to Chrome

    def greeting(self) -> Sequence[Send]:
        return (self._attach_all(None),)

    def due(self, now: float) -> Sequence[Send]:
        if self._next_ask is None or now < self._next_ask:
            self._next_ask = self._next_ask or now + ASK_EVERY_S
            return ()
        self._next_ask = now + ASK_EVERY_S
        return (self._command("Browser.getVersion", {}, None),)

    def subscribe(self, asset: str) -> Sequence[Send]:
        """Which assets tick is the trader's choice, on the page."""
        return ()

    def unsubscribe(self, asset: str) -> Sequence[Send]:
        return ()

    def _attach_all(self, session: str | None) -> Send:
        wanted = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}
        return self._command("Target.setAutoAttach", wanted, session)

    def _command(self, method: str, params: dict[str, Any], session: str | None) -> Send:
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session is not None:
            command["sessionId"] = session
        return Send(orjson.dumps(command).decode())

    # -- what Chrome says

    def receive(self, frames: Sequence[Frame]) -> Sequence[Event]:
        events: list[Event] = []
        for opcode, payload in frames:
            if opcode == TEXT:
                self._on_message(payload, events)
            else:
                events.append(malformed("DevTools speaks JSON text", payload))
        return merge_live(events)

    def _on_message(self, payload: bytes, events: list[Event]) -> None:
        if payload.startswith(_OF_NETWORK) and not payload.startswith(_OF_SOCKETS) and not _matters(payload):
            return  # the Network domain tells of every request of every page
        try:
            message = _read(payload)
        except ValueError as error:
            events.append(malformed(f"DevTools message: {error}", payload))
            return
        if type(message) is not dict:
            events.append(malformed("a DevTools message that is no object", payload))
            return
        method = message.get("method")
        if type(method) is not str:
            self._on_answer(message, events)
            return
        handle = self._methods.get(method)
        session, params = message.get("sessionId", ""), message.get("params")
        if handle is None:
            return
        if type(params) is not dict or type(session) is not str:
            events.append(malformed(f"{method} without parameters", payload))
            return
        handle(session, params, events)

    def _on_answer(self, message: dict[str, Any], events: list[Event]) -> None:
        """The first answer says that we are attached; an error is of a page that has gone meanwhile."""
        if not self._opened and type(message.get("id")) is int:
            self._opened = True
            events += (Opened(), Lacking(self._pages.lacks))

    def _on_attached(self, _session: str, params: dict[str, Any], events: list[Event]) -> None:
        session, info = params.get("sessionId"), params.get("targetInfo")
        if type(session) is not str or type(info) is not dict:
            events.append(malformed("Target.attachedToTarget without a session", orjson.dumps(params)))
        elif info.get("type") in WITH_PAGES and len(self._targets) < MOST_TARGETS:
            target = str(info.get("targetId"))
            if target in self._targets.values():
                return  # a service worker comes once from the browser, and again with each page that it serves
            self._targets[session] = target
            events.append(self._command("Network.enable", NETWORK, session))
            events.append(self._attach_all(session))

    def _on_detached(self, _session: str, params: dict[str, Any], events: list[Event]) -> None:
        session = str(params.get("sessionId"))
        self._targets.pop(session, None)
        self._pages.gone(session, events)

    def _on_crashed(self, session: str, _params: dict[str, Any], events: list[Event]) -> None:
        self._pages.left(session, events)

    def _on_request(self, session: str, params: dict[str, Any], events: list[Event]) -> None:
        """A document for the page itself: it is loaded anew, which ends its sockets without a word."""
        if params.get("type") == "Document" and params.get("frameId") == self._targets.get(session, ""):
            self._pages.left(session, events)

    def _on_created(self, session: str, params: dict[str, Any], events: list[Event]) -> None:
        request, url = params.get("requestId"), params.get("url")
        if type(request) is str and type(url) is str:
            self._pages.created((session, request), url, events)

    def _on_closed(self, session: str, params: dict[str, Any], events: list[Event]) -> None:
        self._pages.closed((session, str(params.get("requestId"))), events)

    def _on_received(self, session: str, params: dict[str, Any], events: list[Event]) -> None:
        self._pages.received((session, str(params.get("requestId"))), _frame(params.get("response")), events)

    def _on_sent(self, session: str, params: dict[str, Any], events: list[Event]) -> None:
        frame = _frame(params.get("response"))
        if frame is not None and frame[0] == TEXT:
            self._pages.sent((session, str(params.get("requestId"))), frame[1], events)


def _read(payload: bytes) -> Any:
    """Chrome writes these itself, no page does: keys need no second look. What a page said may be strange text."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return read_json(payload)


def _matters(payload: bytes) -> bool:
    """Whether a message of the Network domain, apart from frames, may tell of a socket or of a page's loading."""
    return payload.startswith(b'{"method":"Network.webSocketC') or b'"Document"' in payload


def _frame(response: Any) -> Frame | None:
    """A frame of the page's socket; None where there is none."""
    if type(response) is not dict:
        return None
    opcode, data = response.get("opcode"), response.get("payloadData")
    if type(data) is not str:
        return None
    if opcode == TEXT:
        return TEXT, data.encode("utf-8", "surrogatepass")
    if opcode != BINARY:
        return None
    try:
        return BINARY, binascii.a2b_base64(data.encode(), strict_mode=True)
    except (binascii.Error, ValueError):
        return None
